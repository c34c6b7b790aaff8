"""A19: the control plane runs in another management cluster. Two real API servers; the kubeconfig has the rights that are
documented for it (`config/externalcluster/access.yaml`), no others."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import programs
from lab.servers import ApiServer, Etcd
from provider.api import kinds, names
from provider.capi import externalcluster
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.cluster.errors import Forbidden
from provider.manifest import Manifest, meta
from provider.manifest.kubeconfig import Kubeconfig
from provider.settings import EXTERNAL_CLUSTER, EXTERNAL_CLUSTER_CROSS_NAMESPACE
from tests.conformance.conftest import CONFIG
from tests.conformance.test_doors import Seen, running, until
from tests.conformance.world import VERSION, World

THERE, USER = "kamaji-tenants", "kamaji-external"
FIELD = {"kubeconfigSecretName": "far", "kubeconfigSecretKey": "value", "deploymentNamespace": THERE}
ON, BOTH = frozenset({EXTERNAL_CLUSTER}), frozenset({EXTERNAL_CLUSTER, EXTERNAL_CLUSTER_CROSS_NAMESPACE})
FOUND = "FoundExternalReferenceClient"


@pytest.fixture(scope="module")
def far_server(tmp_path_factory: pytest.TempPathFactory, plain_etcd: Etcd) -> Iterator[ApiServer]:
    """The other management cluster: the hosting room's kinds, and the rights that the documentation asks for."""
    folder = tmp_path_factory.mktemp("far")
    server = ApiServer(folder, plain_etcd, prefix=f"/{folder.name}").start()
    kind = str(CONFIG / "crd" / "tenantcontrolplanes.kamaji.clastix.io.yaml")
    server.kubectl("apply", "--server-side", f"--filename={kind}", f"--filename={CONFIG / 'externalcluster'}")
    server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=180s")
    yield server
    server.stop()


@pytest.fixture
async def far(far_server: ApiServer) -> AsyncIterator[World]:
    """The tests as the hosting room over there."""
    admin = await connect.from_kubeconfig(far_server.kubeconfig())
    yield World(server=far_server, everybody=admin, provider=admin, namespace=THERE)
    for each in await admin.list(kinds.TENANT_CONTROL_PLANE, THERE):
        await admin.merge(
            kinds.TENANT_CONTROL_PLANE, each["metadata"]["name"], THERE, {"metadata": {"finalizers": None}}, manager="t"
        )
        await admin.delete(kinds.TENANT_CONTROL_PLANE, each["metadata"]["name"], THERE)
    await admin.close()


@pytest.fixture
async def here(world: World, far_server: ApiServer) -> AsyncIterator[World]:
    """A management cluster with the kubeconfig of the other one in a Secret."""
    world.gates = ON
    world.restart()
    await access(world, by_token(far_server))
    yield world
    await world.close()


def by_token(server: ApiServer) -> bytes:
    """The kubeconfig of the documented ServiceAccount."""
    token = server.kubectl("--namespace", THERE, "create", "token", USER).stdout.decode().strip()
    document: dict[str, Any] = yaml.safe_load(server.kubeconfig())
    document["users"][0]["user"] = {"token": token}
    return yaml.safe_dump(document).encode()


async def access(world: World, content: bytes, namespace: str | None = None) -> None:
    secret = meta.new(
        kinds.SECRET, "far", namespace or world.namespace, type="Opaque", data=meta.secret_data({"value": content})
    )
    await world.everybody.apply(secret, manager="user")


async def asked(world: World, name: str = "kcp", cluster: str = "c", **reference: Any) -> str:
    """A Cluster whose control plane shall be hosted elsewhere, looked at once; what it is called there."""
    await world.cluster(cluster, kcp=name)
    await world.control_plane(name, deployment={"externalClusterReference": {**FIELD, **reference}})
    await world.adopt(name, cluster)
    await world.reconcile(name)
    return names.hosted_elsewhere(world.namespace, name)


async def born(here: World, far: World) -> str:
    name = await asked(here)
    await far.host(name)
    await here.reconcile()
    assert (await here.status())["initialization"] == {"controlPlaneInitialized": True}
    return name


@pytest.mark.fields(
    "KamajiControlPlane",
    *(f"spec.deployment.externalClusterReference.{each}" for each in (*FIELD, "kubeconfigSecretNamespace")),
)
async def test_a19_the_control_plane_runs_there_and_the_clusters_secrets_are_here(here: World, far: World) -> None:
    name = await born(here, far)
    assert await here.get(kinds.TENANT_CONTROL_PLANE, "kcp") is None
    tcp = await far.tcp(name)
    assert tcp["spec"]["kubernetes"]["version"] == VERSION
    assert "ownerReferences" not in tcp["metadata"]
    assert (await here.condition(FOUND))["status"] == "True"
    said = (await here.kcp())["spec"]["controlPlaneEndpoint"]
    assert f"https://{said['host']}:{said['port']}" == far.server.url
    tenant = await connect.from_kubeconfig(meta.decoded(await here.secret("c-kubeconfig"))["value"])
    assert await tenant.text("/readyz") == "ok"  # the API server that stands for the tenant is the one over there
    await tenant.close()
    assert meta.decoded(await here.secret("c-ca"))["tls.crt"] == far.server.authority.certificate
    stands, over_there = await here.versions(), await far.tcp(name)
    here.restart()
    await here.reconcile()
    assert await here.versions() == stands
    assert await far.tcp(name) == over_there


async def test_a19_what_a_user_changes_arrives_there_and_what_happens_there_is_told_here(
    here: World, far: World
) -> None:
    name = await born(here, far)
    here.kubectl("scale", "ktcp/kcp", "--replicas=3")
    await here.reconcile()
    assert (await far.tcp(name))["spec"]["controlPlane"]["deployment"]["replicas"] == 3
    await far.host(name, ready=False, phase="NotReady", numbers=(3, 3, 0))
    await here.reconcile()
    assert ((await here.condition("Available"))["status"], (await here.status())["replicas"]) == ("False", 3)


async def test_a19_the_kubeconfig_has_the_documented_rights_and_needs_no_others(here: World, far: World) -> None:
    name = await born(here, far)
    theirs = await connect.from_access(by_token(far.server))
    for refused in (
        theirs.list(kinds.SECRET, THERE),
        theirs.delete(kinds.SECRET, names.ca_secret(name), THERE),
        theirs.list(kinds.TENANT_CONTROL_PLANE, "default"),
        theirs.list(kinds.NAMESPACE),
        theirs.merge(kinds.TENANT_CONTROL_PLANE, name, THERE, {"status": {}}, subresource="status", manager="x"),
    ):
        with pytest.raises(Forbidden):
            await refused
    await theirs.close()
    await here.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    await here.reconcile()
    await here.reconcile()
    assert await here.get(kinds.KAMAJI_CONTROL_PLANE, "kcp") is None
    assert await far.get(kinds.TENANT_CONTROL_PLANE, name) is None


async def test_a19_the_kubeconfig_that_is_made_as_the_page_says_is_good(
    here: World, far: World, tmp_path: Path
) -> None:
    page = (CONFIG.parent / "docs" / "cluster-api.md").read_text()
    (script,) = (each for each in re.findall(r"```sh live\n(.*?)```", page, re.DOTALL) if "externalcluster/" in each)
    token = far.kubectl("create", "token", USER).stdout.strip()  # nobody fills token Secrets here
    await far.change(kinds.SECRET, USER, {"data": meta.secret_data({"token": token})})
    done = carried_out(script, here, far, tmp_path)
    assert done.returncode == 0, done.stderr
    name = await asked(here, kubeconfigSecretName="other-cluster")
    assert (await here.condition(FOUND))["status"] == "True"
    assert await far.get(kinds.TENANT_CONTROL_PLANE, name) is not None


def carried_out(script: str, here: World, far: World, folder: Path) -> subprocess.CompletedProcess[str]:
    """As somebody types it who has both management clusters' kubeconfigs, in a checkout."""
    own: dict[str, Any] = yaml.safe_load(here.server.kubeconfig())
    own["contexts"][0]["context"]["namespace"] = here.namespace
    (folder / "own.kubeconfig").write_text(yaml.safe_dump(own))
    (folder / "other.kubeconfig").write_bytes(far.server.kubeconfig())
    (folder / "config").symlink_to(CONFIG)
    path = f"{Path(programs.path('kubectl')).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={"PATH": path, "KUBECONFIG": str(folder / "own.kubeconfig")},
        capture_output=True,
        text=True,
        check=False,
    )


async def test_a19_pairs_that_a_user_brought_are_used_there(here: World, far: World) -> None:
    pair = far.server.authority.pair
    await here.apply(
        kinds.SECRET, "c-ca", type="Opaque", data=meta.secret_data({"tls.crt": pair.certificate, "tls.key": pair.key})
    )
    name = await asked(here)
    there = meta.decoded(await far.secret(names.ca_secret(name)))
    assert (there["ca.crt"], there["ca.key"]) == (pair.certificate, pair.key)


# --- the feature gates


async def test_a19_a_gate_that_is_off_refuses_the_field_and_says_how_to_switch_it_on(here: World, far: World) -> None:
    here.gates = frozenset()
    here.restart()
    name = await asked(here)
    for kind in (FOUND, "Available"):
        condition = await here.condition(kind)
        assert (condition["status"], condition["reason"]) == ("False", "FeatureGateDisabled")
        assert "--feature-gates=ExternalClusterReference=true" in condition["message"]
    assert await far.get(kinds.TENANT_CONTROL_PLANE, name) is None
    assert await here.get(kinds.TENANT_CONTROL_PLANE, "kcp") is None
    stands = await here.versions()
    assert await here.reconcile() is None
    assert await here.versions() == stands


async def test_a19_a_secret_of_another_namespace_needs_the_second_gate(here: World, far: World) -> None:
    name = await asked(here, kubeconfigSecretNamespace="default")
    await access(here, by_token(far.server), "default")
    await here.reconcile()
    condition = await here.condition(FOUND)
    assert condition["reason"] == "FeatureGateDisabled"
    assert "ExternalClusterReferenceCrossNamespace=true" in condition["message"]
    assert await far.get(kinds.TENANT_CONTROL_PLANE, name) is None
    await here.close()
    here.gates = BOTH
    here.restart()
    await here.reconcile()
    assert (await here.condition(FOUND))["status"] == "True"
    assert await far.get(kinds.TENANT_CONTROL_PLANE, name) is not None


# --- the Secret and the way there


async def test_a19_a_kubeconfig_that_is_rotated_is_used_from_the_next_pass_on(here: World, far: World) -> None:
    name = await born(here, far)
    client = far.server.authority.client("second")
    second = Kubeconfig(
        cluster="far", server=far.server.url, ca=far.server.authority.certificate, user="second", client=client
    )
    far.kubectl("create", "rolebinding", "second", f"--role={USER}", "--user=second")
    far.kubectl("delete", "rolebinding", USER)
    try:
        here.kubectl("scale", "ktcp/kcp", "--replicas=3")
        await until(partial(told, here, "ExternalClusterForbids"))
        assert "config/externalcluster/access.yaml" in (await here.condition(FOUND))["message"]
        await access(here, second.render())
        await until(partial(told, here, "True"))
        assert (await far.tcp(name))["spec"]["controlPlane"]["deployment"]["replicas"] == 3
    finally:
        far.server.kubectl("apply", "--server-side", "--force-conflicts", f"--filename={CONFIG / 'externalcluster'}")
        await access(here, by_token(far.server))
        await until(partial(told, here, "True"))


async def told(world: World, word: str) -> bool:
    """Whether a pass finds the other cluster so: status or reason. Rights change a moment after they are written."""
    await world.reconcile()
    found = await world.condition(FOUND)
    return word in (found["status"], found["reason"])


LOSSES = {
    "the Secret is gone": ("KubeconfigMissing", "does not exist", None),
    "its key is empty": ("KubeconfigMissing", "has no kubeconfig under value", b""),
    "it is no kubeconfig": ("KubeconfigUnusable", "no kubeconfig", b"hello: world"),
}


@pytest.mark.parametrize("loss", LOSSES)
async def test_a19_while_the_kubeconfig_is_lost_one_condition_says_so_and_nothing_else_is(
    here: World, far: World, loss: str
) -> None:
    reason, words, content = LOSSES[loss]
    name = await born(here, far)
    before, tenant, secrets = await here.status(), await far.tcp(name), await here.secret("c-kubeconfig")
    if content is None:
        await here.delete(kinds.SECRET, "far")
    else:
        await access(here, content)
    await here.reconcile()
    condition = await here.condition(FOUND)
    assert (condition["status"], condition["reason"]) == ("False", reason)
    assert f"Secret {here.namespace}/far" in condition["message"]
    assert words in condition["message"]
    assert ((await here.condition("Available"))["status"]) == "Unknown"
    now = await here.status()
    assert changed(before, now) == {"Available", FOUND}
    assert {**now, "conditions": []} == {**before, "conditions": []}
    assert await far.tcp(name) == tenant
    assert await here.secret("c-kubeconfig") == secrets
    stands = await here.versions()
    await here.reconcile()
    assert await here.versions() == stands
    await access(here, by_token(far.server))
    await here.reconcile()
    assert changed(before, await here.status()) == set()
    assert await far.tcp(name) == tenant


def changed(before: dict[str, Any], now: dict[str, Any]) -> set[str]:
    """Types of the conditions that say something else."""

    def said(status: dict[str, Any]) -> set[tuple[str, ...]]:
        return {tuple(each[key] for key in ("type", "status", "reason", "message")) for each in status["conditions"]}

    return {each[0] for each in said(before) ^ said(now)}


async def test_a19_a_cluster_that_is_dead_is_told_and_asked_again_and_nothing_is_lost(
    here: World, far: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(externalcluster, "SILENCE", 0.5)
    name = await born(here, far)
    before, tenant = await here.status(), await far.tcp(name)
    far.server.stop()
    try:
        again = await here.reconcile()
        assert again == externalcluster.RETRY
        condition = await here.condition(FOUND)
        assert (condition["status"], condition["reason"]) == ("False", "ExternalClusterUnreachable")
        assert changed(before, await here.status()) == {"Available", FOUND}
        stands = await here.versions()
        await here.reconcile()
        assert await here.versions() == stands
        await here.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")  # an end has to wait for it
        await here.reconcile()
        assert await here.get(kinds.KAMAJI_CONTROL_PLANE, "kcp") is not None
        waits = await here.condition("Deleting")
        assert (waits["status"], waits["reason"]) == ("True", "WaitingForTenantControlPlane")
        assert names.FINALIZER_CONTROL_PLANE in waits["message"]
    finally:
        far.server.start()
    assert await far.tcp(name) == tenant

    async def gone() -> bool:
        await here.reconcile()
        return await here.get(kinds.KAMAJI_CONTROL_PLANE, "kcp") is None

    await until(gone)
    assert await far.get(kinds.TENANT_CONTROL_PLANE, name) is None


async def test_a19_of_many_in_a_dead_cluster_one_finds_out_and_a_new_kubeconfig_is_tried_at_once(
    here: World, far: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(externalcluster, "SILENCE", 3600.0)
    await born(here, far)
    far.server.stop()
    await here.reconcile()
    far.server.start()
    await asked(here, "other", "o")
    assert (await here.condition(FOUND, "other"))["reason"] == "ExternalClusterUnreachable"  # nobody has asked again
    await access(here, by_token(far.server))

    async def found() -> bool:
        await here.reconcile("other")
        return (await here.condition(FOUND, "other"))["status"] == "True"

    await until(found)


@pytest.mark.parametrize(
    ("namespace", "reason", "advice"),
    [
        ("default", "ExternalClusterForbids", "in namespace default"),
        ("nowhere", "ExternalClusterLacks", "make namespace nowhere"),
    ],
)
async def test_a19_a_namespace_without_rights_and_one_that_is_not_there_are_told_apart(
    here: World, far: World, namespace: str, reason: str, advice: str
) -> None:
    if namespace == "nowhere":  # where nothing is, only rights everywhere tell that it is not
        role = yaml.safe_load(far.kubectl("get", "role", USER, "--output=yaml").stdout)
        everywhere = {
            "kind": "ClusterRole",
            "metadata": {"name": USER},
            "apiVersion": role["apiVersion"],
            "rules": role["rules"],
        }
        await far.everybody.apply(everywhere, manager="tests")
        far.server.kubectl(
            "create", "clusterrolebinding", USER, f"--clusterrole={USER}", f"--serviceaccount={THERE}:{USER}"
        )
    try:
        await asked(here, deploymentNamespace=namespace)
        await until(partial(told, here, reason))
        assert advice in (await here.condition(FOUND))["message"]
    finally:
        far.server.kubectl("delete", "clusterrolebinding", USER, "--ignore-not-found")


# --- whose it is, and its end


async def test_a19_deletion_waits_for_the_end_over_there(here: World, far: World) -> None:
    name = await born(here, far)
    await far.change(kinds.TENANT_CONTROL_PLANE, name, {"metadata": {"finalizers": [names.FINALIZER_TENANT]}})
    await here.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    await here.reconcile()
    assert "deletionTimestamp" in (await far.tcp(name))["metadata"]
    waits = await here.condition("Deleting")
    assert waits["status"] == "True"
    assert f"TenantControlPlane {THERE}/{name} in the cluster of Secret {here.namespace}/far" in waits["message"]
    await here.reconcile()
    assert await here.get(kinds.KAMAJI_CONTROL_PLANE, "kcp") is not None
    await far.change(kinds.TENANT_CONTROL_PLANE, name, {"metadata": {"finalizers": None}})
    await here.reconcile()
    assert await here.get(kinds.KAMAJI_CONTROL_PLANE, "kcp") is None


async def test_a19_pausing_holds_it_there_as_well(here: World, far: World) -> None:
    name = await born(here, far)
    await here.change(kinds.CLUSTER, "c", {"spec": {"paused": True}})
    await here.reconcile()
    assert names.ANNOTATION_PAUSED in meta.annotations_of(await far.tcp(name))
    await here.delete(kinds.SECRET, "far")
    await here.reconcile()
    assert (await here.condition("Paused"))["status"] == "True"
    await access(here, by_token(far.server))
    await here.change(kinds.CLUSTER, "c", {"spec": {"paused": False}})
    await here.reconcile()
    assert names.ANNOTATION_PAUSED not in meta.annotations_of(await far.tcp(name))


async def test_a19_two_of_one_name_in_two_namespaces_do_not_meet(here: World, far: World, everybody: Cluster) -> None:
    await everybody.apply(meta.new(kinds.NAMESPACE, f"{here.namespace}-b"), manager="tests")
    other = World(
        server=here.server, everybody=everybody, provider=here.provider, namespace=f"{here.namespace}-b", gates=ON
    )
    await access(other, by_token(far.server))
    one, two = await asked(here), await asked(other)
    assert one != two
    found = {each["metadata"]["name"] for each in await far.everybody.list(kinds.TENANT_CONTROL_PLANE, THERE)}
    assert found == {one, two}
    await other.close()


@pytest.mark.parametrize("kcp", ["k" * 63, "dots.and-" + "x" * 200], ids=["63 letters", "dots, and 209 letters"])
async def test_a19_names_that_a_tenant_could_not_have_are_shortened_there(here: World, far: World, kcp: str) -> None:
    await here.cluster("c", kcp=kcp)
    await here.control_plane(kcp, deployment={"externalClusterReference": FIELD})
    await here.adopt(kcp)
    await here.reconcile(kcp)
    name = names.hosted_elsewhere(here.namespace, kcp)
    assert len(name) <= 63
    await far.host(name)
    await here.reconcile(kcp)
    assert "initialization" in await here.status(kcp)


async def test_a19_what_somebody_elses_control_plane_has_there_is_left_alone(here: World, far: World) -> None:
    name = names.hosted_elsewhere(here.namespace, "kcp")
    labels = {
        names.LABEL_CONTROL_PLANE: names.control_plane_digest(here.namespace, "kcp"),
        names.LABEL_CONTROL_PLANE_UID: "11111111-2222-3333-4444-555555555555",
    }
    spec = {
        "kubernetes": {"version": VERSION, "kubelet": {}},
        "controlPlane": {"service": {"serviceType": "ClusterIP"}},
    }
    await far.apply(kinds.TENANT_CONTROL_PLANE, name, labels=labels, spec=spec)
    await far.host(name)
    theirs = await far.tcp(name)
    await asked(here)
    condition = await here.condition("TenantControlPlaneCreated")
    assert condition["reason"] == "NameTaken"
    assert "a KamajiControlPlane of another management cluster (11111111" in condition["message"]
    assert await here.get(kinds.SECRET, "c-kubeconfig") is None
    await here.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    await here.reconcile()
    assert await here.get(kinds.KAMAJI_CONTROL_PLANE, "kcp") is None
    assert await far.tcp(name) == theirs


async def test_a19_one_that_upstreams_provider_made_keeps_its_name(here: World, far: World) -> None:
    await here.cluster()
    await here.control_plane(deployment={"externalClusterReference": FIELD})
    await here.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", {"metadata": {"finalizers": [names.FINALIZER_EXTERNAL]}})
    name = f"kcp-{(await here.kcp())['metadata']['uid']}"
    spec = {
        "kubernetes": {"version": VERSION, "kubelet": {}},
        "controlPlane": {"service": {"serviceType": "ClusterIP"}},
    }
    await far.apply(kinds.TENANT_CONTROL_PLANE, name, labels={names.LABEL_CLUSTER_NAME: "c"}, spec=spec)
    await here.adopt()
    await here.reconcile()
    await far.host(name)
    await here.reconcile()
    assert "initialization" in await here.status()
    found = await far.everybody.list(kinds.TENANT_CONTROL_PLANE, THERE)
    assert [each["metadata"]["name"] for each in found] == [name]
    await moved(here)  # and is found again after a move
    await here.reconcile()
    assert [each["metadata"]["name"] for each in await far.everybody.list(kinds.TENANT_CONTROL_PLANE, THERE)] == [name]
    assert (await here.condition("TenantControlPlaneCreated"))["status"] == "True"
    await here.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    await here.reconcile()
    await here.reconcile()
    assert await here.get(kinds.KAMAJI_CONTROL_PLANE, "kcp") is None


async def moved(world: World) -> Manifest:
    """As clusterctl leaves it: the same objects with other UIDs and no status. What was there before."""
    before = await world.kcp()
    kept = {name: await world.secret(name) for name in ("c-ca", "c-kubeconfig")}
    await world.annotate(kinds.KAMAJI_CONTROL_PLANE, "kcp", names.ANNOTATION_DELETE_FOR_MOVE, "")
    await world.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    await world.reconcile()
    assert await world.get(kinds.KAMAJI_CONTROL_PLANE, "kcp") is None
    metadata = {"name": "kcp", "namespace": world.namespace}
    arrived = await world.everybody.create({**before, "metadata": metadata, "status": {}})
    reference = {**meta.owned({"metadata": {}}, arrived)["metadata"]["ownerReferences"][0]}
    for name in kept:
        await world.change(kinds.SECRET, name, {"metadata": {"ownerReferences": [reference]}})
    await world.adopt()
    return before


async def test_a19_after_a_move_the_control_plane_is_found_where_it_runs_and_goes_on(here: World, far: World) -> None:
    name = await born(here, far)
    tenant, endpoint = await far.tcp(name), (await here.kcp())["spec"]["controlPlaneEndpoint"]
    before = await moved(here)
    assert await far.tcp(name) == tenant  # what clusterctl deletes at its source takes nothing along
    here.restart()
    await here.reconcile()
    now = await far.tcp(name)
    assert now["metadata"]["uid"] == tenant["metadata"]["uid"]
    assert now["spec"] == tenant["spec"]
    uid = (await here.kcp())["metadata"]["uid"]
    assert uid != before["metadata"]["uid"]
    assert meta.labels_of(now)[names.LABEL_CONTROL_PLANE_UID] == uid
    assert (await here.status())["initialization"] == {"controlPlaneInitialized": True}
    assert (await here.kcp())["spec"]["controlPlaneEndpoint"] == endpoint


async def test_a19_one_that_moved_away_and_is_deleted_where_it_was_takes_nothing_along(here: World, far: World) -> None:
    name = await born(here, far)
    label = {"metadata": {"labels": {names.LABEL_CONTROL_PLANE_UID: "of-the-one-that-arrived"}}}
    await far.change(kinds.TENANT_CONTROL_PLANE, name, label)
    await here.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    await here.reconcile()
    assert await here.get(kinds.KAMAJI_CONTROL_PLANE, "kcp") is None
    assert "deletionTimestamp" not in (await far.tcp(name))["metadata"]


# --- the whole process


async def test_a19_what_moves_there_and_the_secret_here_are_looked_at_without_a_restart(
    here: World, far: World
) -> None:
    seen, gates = Seen(here), "--feature-gates=ExternalClusterReference=true"
    await here.close()
    await here.delete(kinds.SECRET, "far")
    await here.cluster()
    await here.control_plane(deployment={"externalClusterReference": FIELD})
    name = names.hosted_elsewhere(here.namespace, "kcp")

    async def found(status: str) -> bool:
        return (await here.condition(FOUND)).get("status") == status

    async def available(status: str) -> bool:
        return (await here.condition("Available")).get("status") == status

    with running(here, gates):
        await here.adopt()
        await until(partial(found, "False"))
        await access(here, by_token(far.server))  # the Secret comes
        await until(lambda: far.get(kinds.TENANT_CONTROL_PLANE, name))
        await far.host(name)  # something happens over there
        await until(seen.initialized)
        await far.delete(kinds.TENANT_CONTROL_PLANE, name)  # it is lost, and asked for again
        await until(lambda: far.get(kinds.TENANT_CONTROL_PLANE, name))
        await far.host(name)
        await until(partial(available, "True"))
        await here.delete(kinds.SECRET, "far")
        await until(partial(found, "False"))
        await access(here, by_token(far.server))
        await until(partial(found, "True"))
        await far.change(kinds.TENANT_CONTROL_PLANE, name, {"metadata": {"finalizers": [names.FINALIZER_TENANT]}})
        await here.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
        await until(partial(ending, far, name))
        await far.change(kinds.TENANT_CONTROL_PLANE, name, {"metadata": {"finalizers": None}})
        await until(lambda: seen.gone(kinds.KAMAJI_CONTROL_PLANE, "kcp"))


async def ending(far: World, name: str) -> bool:
    return "deletionTimestamp" in (await far.tcp(name))["metadata"]
