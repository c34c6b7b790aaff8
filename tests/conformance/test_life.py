"""A6, A8, A9, A10, A15 and A16: a control plane that lives: outages, scaling, upgrades, other writers, lost objects, quiet."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from lab.servers import Authority
from provider.api import kinds, names
from provider.capi.desired.tenantcontrolplane import ANNOTATION_ROLLED_OUT
from provider.manifest import Manifest, meta
from tests.conformance.world import VERSION, World

NEWER = "v1.37.1"
TOPOLOGY = "capi-topology"
COUNTS = ("replicas", "readyReplicas", "availableReplicas", "upToDateReplicas")


async def quiet(world: World) -> None:
    """Passes over a world that does not change write nothing, also when the process is new."""
    stands = await world.versions()
    await world.reconcile()
    await world.reconcile()
    assert await world.versions() == stands
    world.restart()
    world.now += timedelta(hours=1)
    await world.reconcile()
    assert await world.versions() == stands


async def counts(world: World) -> tuple[int | None, ...]:
    status = await world.status()
    return tuple(status.get(each) for each in COUNTS)


# --- A6: initialized, available


async def test_a6_initialized_stays_true_and_available_follows_the_api_server(world: World) -> None:
    await world.born()
    assert (await world.condition("Available"))["status"] == "True"
    await world.host(ready=False, phase="NotReady", numbers=(2, 2, 0))
    await world.reconcile()
    down = await world.condition("Available")
    assert (down["status"], down["reason"]) == ("False", "PodsStarting")
    assert down["message"] == "waiting for the first pod"
    assert (await world.status())["initialization"] == {"controlPlaneInitialized": True}
    assert (await world.condition("Initialized"))["status"] == "True"
    await world.host()
    await world.reconcile()
    assert (await world.condition("Available"))["status"] == "True"


async def test_a6_initialized_stays_true_when_the_tenant_is_lost_and_it_is_asked_for_again(world: World) -> None:
    await world.born()
    await world.delete(kinds.TENANT_CONTROL_PLANE, "kcp")
    await world.reconcile()
    assert (await world.status())["initialization"] == {"controlPlaneInitialized": True}
    assert (await world.condition("Available"))["status"] == "False"
    assert (await world.tcp())["metadata"]["name"] == "kcp"


async def test_a6_a_spec_that_is_refused_is_told_and_holds_up_nothing_else(world: World) -> None:
    await world.born()
    await world.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", {"spec": {"version": "v1.40.0"}})
    await world.delete(kinds.SECRET, "c-kubeconfig")
    await world.reconcile()
    condition = await world.condition("TenantControlPlaneCreated")
    assert (condition["status"], condition["reason"]) == ("False", "RefusedByManagementCluster")
    assert "one minor version at a time" in condition["message"]
    assert (await world.condition("Available"))["status"] == "True"
    assert await world.get(kinds.SECRET, "c-kubeconfig") is not None
    await quiet(world)
    await world.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", {"spec": {"version": VERSION}})
    await world.reconcile()
    assert (await world.condition("TenantControlPlaneCreated"))["status"] == "True"


# --- A8: replicas


async def test_a8_numbers_are_there_from_the_first_pass_and_written_also_when_zero(world: World) -> None:
    await world.cluster()
    await world.control_plane()
    await world.adopt()
    await world.reconcile()
    assert await counts(world) == (0, 0, 0, 0)
    await world.host(numbers=(2, 2, 1))
    await world.reconcile()
    assert await counts(world) == (2, 1, 1, 2)


async def test_a8_scaled_by_kubectl_up_down_and_to_sleep_the_numbers_follow(world: World) -> None:
    await world.born()
    for wanted, movement in ((5, "ScalingUp"), (1, "ScalingDown"), (0, "ScalingDown")):
        world.kubectl("scale", "ktcp/kcp", f"--replicas={wanted}")
        await world.reconcile()
        assert (await world.tcp())["spec"]["controlPlane"]["deployment"]["replicas"] == wanted
        assert (await world.condition(movement))["status"] == "True"
        phase = "Ready" if wanted else "Sleeping"
        await world.host(numbers=(wanted, wanted, wanted), ready=bool(wanted), phase=phase)
        await world.reconcile()
        assert await counts(world) == (wanted,) * 4
        assert (await world.condition(movement))["status"] == "False"
    assert (await world.status())["versions"] == [{"version": VERSION}]  # asleep, and not unprovisioned
    world.kubectl("scale", "ktcp/kcp", "--replicas=2")
    await world.reconcile()
    await world.host()
    await world.reconcile()
    assert await counts(world) == (2, 2, 2, 2)
    await quiet(world)


# --- A9: upgrades


async def told(world: World, **hosted: Any) -> list[tuple[str, int | None]]:
    """What is told of versions when the hosting room says this."""
    await world.host(**hosted)
    await world.reconcile()
    status = await world.status()
    assert status["version"] == status["versions"][0]["version"]
    return [(each["version"], each.get("replicas")) for each in status["versions"]]


async def test_a9_the_new_version_stands_alone_only_when_the_hosting_room_says_it_is_over(world: World) -> None:
    await world.born()
    await world.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", {"spec": {"version": NEWER}})
    await world.reconcile()
    assert (await world.tcp())["spec"]["kubernetes"]["version"] == NEWER
    assert (await world.status())["versions"] == [{"version": VERSION, "replicas": 2}]
    assert await told(world) == [(VERSION, 2)]  # the hosting room has not looked yet
    upgrading = {"phase": "Upgrading", "version": VERSION}
    assert await told(world, numbers=(2, 0, 2), **upgrading) == [(VERSION, 2)]
    assert (await world.condition("RollingOut"))["status"] == "True"
    assert await told(world, numbers=(4, 2, 3), **upgrading) == [(VERSION, 2), (NEWER, 2)]
    assert (await world.condition("ScalingDown"))["status"] == "False"
    assert await told(world, numbers=(2, 2, 2), **upgrading) == [(VERSION, None), (NEWER, 2)]
    assert await told(world, version=NEWER) == [(NEWER, 2)]
    assert (await world.condition("RollingOut"))["status"] == "False"
    await quiet(world)


async def test_a9_from_the_first_answer_on_the_versions_are_never_empty(world: World) -> None:
    await world.cluster()
    await world.control_plane()
    await world.adopt()
    await world.reconcile()
    assert "versions" not in await world.status()
    assert await told(world, version=None, phase="Provisioning", numbers=(2, 2, 1)) == [(VERSION, 2)]
    assert (await world.status())["initialization"] == {"controlPlaneInitialized": True}
    assert await told(world, version=None, phase="Provisioning", ready=False, numbers=(0, 0, 0)) == [(VERSION, None)]


async def test_a9_a_restart_at_a_given_time_happens_once(world: World) -> None:
    await world.born()
    due = world.now + timedelta(hours=1)
    after = {"spec": {"rollout": {"after": due.strftime("%Y-%m-%dT%H:%M:%SZ")}}}
    await world.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", after)
    again = await world.reconcile()
    assert again is not None
    assert 3600 <= again <= 3602
    assert "podAdditionalMetadata" not in (await world.tcp())["spec"]["controlPlane"]["deployment"]
    world.now = due
    assert await world.reconcile() is None
    mark = {ANNOTATION_ROLLED_OUT: due.isoformat()}
    deployment = (await world.tcp())["spec"]["controlPlane"]["deployment"]
    assert deployment["podAdditionalMetadata"]["annotations"] == mark
    await quiet(world)
    await world.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", {"spec": {"rollout": None}})
    await world.reconcile()
    deployment = (await world.tcp())["spec"]["controlPlane"]["deployment"]
    assert deployment["podAdditionalMetadata"]["annotations"] == mark


async def test_a9_a_restart_comes_at_its_time_and_neither_before_nor_twice_however_the_time_is_said(
    world: World,
) -> None:
    await world.born()
    due = world.now + timedelta(hours=1)

    async def at(seconds: float, after: datetime | str) -> str | None:
        """The mark on the pods when it is so many seconds after the time, and this is what is said."""
        said = after if isinstance(after, str) else after.strftime("%Y-%m-%dT%H:%M:%SZ")
        await world.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", {"spec": {"rollout": {"after": said}}})
        world.now = due + timedelta(seconds=seconds)
        world.restart()
        await world.reconcile()
        pods = (await world.tcp())["spec"]["controlPlane"]["deployment"].get("podAdditionalMetadata") or {}
        mark: str | None = (pods.get("annotations") or {}).get(ANNOTATION_ROLLED_OUT)
        return mark

    assert await at(-1, due) is None
    assert await at(-0.001, due) is None
    assert await at(0, due) == due.isoformat()
    stands = (await world.tcp())["metadata"]["generation"]
    assert await at(3600, due) == due.isoformat()
    elsewhere = due.astimezone(timezone(timedelta(hours=2))).isoformat()  # the same moment in other words
    assert await at(3601, elsewhere) == due.isoformat()
    assert await at(3602, due - timedelta(minutes=5)) == due.isoformat()  # one before it is over as well
    assert (await world.tcp())["metadata"]["generation"] == stands
    world.kubectl("scale", "ktcp/kcp", "--replicas=3")
    assert await at(3603, due) == due.isoformat()
    later = due + timedelta(hours=2)
    assert await at(3604, later) == due.isoformat()
    assert await at(7200, later) == later.isoformat()
    await quiet(world)


# --- A10: other writers of the same object


def of_topology(world: World, **spec: Any) -> Manifest:
    """What Cluster API's topology controller applies: a template's spec, version and replicas, with force."""
    said = {"version": VERSION, "replicas": 2, "addons": {"coreDNS": {}}, "network": {"serviceType": "ClusterIP"}}
    return meta.new(
        kinds.KAMAJI_CONTROL_PLANE,
        "kcp",
        world.namespace,
        labels={names.LABEL_CLUSTER_NAME: "c", "topology.cluster.x-k8s.io/owned": ""},
        annotations={"cluster.x-k8s.io/cloned-from-name": "template"},
        spec={**said, **spec},
    )


def without_bookkeeping(manifest: Manifest) -> Manifest:
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "managedFields"}
    return {**manifest, "metadata": metadata}


async def settled(world: World, manifest: Manifest) -> None:
    """Applying again, dry and for good, changes nothing, whoever comes first."""
    for _ in range(2):
        live = await world.kcp()
        dry = await world.everybody.apply(manifest, manager=TOPOLOGY, dry_run=True)
        assert without_bookkeeping(dry) == without_bookkeeping(live)
        now = await world.everybody.apply(manifest, manager=TOPOLOGY)
        assert now["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]
        await quiet(world)


async def test_a10_a_topology_and_we_write_one_object_without_a_fight(world: World) -> None:
    await world.cluster()
    manifest = of_topology(world)
    await world.everybody.apply(manifest, manager=TOPOLOGY)
    await world.adopt()
    await world.reconcile()
    await world.host()
    await world.reconcile()
    assert (await world.kcp())["spec"]["controlPlaneEndpoint"]["host"] == "127.0.0.1"
    await settled(world, manifest)


@pytest.mark.parametrize(
    "changed",
    [
        {"version": NEWER},
        {"replicas": 3},
        {"addons": {"kubeProxy": {}}},
        {"rollout": {"after": "2026-01-01T00:00:00Z"}},
        {"network": {"serviceType": "ClusterIP", "certSANs": ["api.example"]}},
    ],
)
async def test_a10_what_a_topology_changes_arrives_and_the_endpoint_stays(world: World, changed: Any) -> None:
    await world.cluster()
    await world.everybody.apply(of_topology(world), manager=TOPOLOGY)
    await world.adopt()
    await world.reconcile()
    await world.host()
    await world.reconcile()
    endpoint, tenant = (await world.kcp())["spec"]["controlPlaneEndpoint"], await world.tcp()
    manifest = of_topology(world, **changed)
    await world.everybody.apply(manifest, manager=TOPOLOGY)
    await world.reconcile()
    assert (await world.kcp())["spec"]["controlPlaneEndpoint"] == endpoint
    assert (await world.tcp())["spec"] != tenant["spec"]
    await settled(world, manifest)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"coreDNS": {}}, None),
        ({"coreDNS": {}}, {}),
        ({"coreDNS": {"imageTag": "v1", "imageRepository": "x"}}, {"coreDNS": {}}),
        ({"coreDNS": {"imageTag": "v1"}, "kubeProxy": {}}, {"kubeProxy": {}}),
    ],
)
async def test_a10_the_last_word_of_a_block_can_be_taken_back(world: World, before: Any, after: Any) -> None:
    await world.born(addons=before)
    kcp = await world.kcp()
    spec = {key: value for key, value in {**kcp["spec"], "addons": after}.items() if value is not None}
    world.put({**kcp, "spec": spec})
    await world.reconcile()
    assert (await world.condition("TenantControlPlaneCreated"))["status"] == "True"
    assert (await world.tcp())["spec"]["addons"] == (after or {})
    await quiet(world)


async def test_a10_the_last_word_about_the_network_can_be_taken_back(world: World) -> None:
    await world.cluster(clusterNetwork=None)
    await world.control_plane(network={"serviceType": "ClusterIP", "certSANs": ["api.example"]})
    await world.adopt()
    await world.reconcile()
    await world.control_plane()
    await world.reconcile()
    assert (await world.condition("TenantControlPlaneCreated"))["status"] == "True"
    assert "certSANs" not in (await world.tcp())["spec"]["networkProfile"]
    await quiet(world)


async def test_a10_of_the_spec_we_own_the_endpoint_and_nothing_else(world: World) -> None:
    await world.born()
    owned = {
        each["manager"]: set(each["fieldsV1"].get("f:spec", {}))
        for each in (await world.kcp())["metadata"]["managedFields"]
        if each["manager"].startswith(names.CAPI_MANAGER)
    }
    assert owned == {
        "kamaji-capi": set(),  # the finalizer
        "kamaji-capi-endpoint": {"f:controlPlaneEndpoint"},
        "kamaji-capi-status": set(),
    }


# --- A15: Secrets of others, lost objects, lost owners


async def test_a15_a_users_own_secret_of_another_type_is_left_alone(world: World) -> None:
    await world.born()
    for name, data in (("c-kubeconfig", {"value": b"mine"}), ("c-ca", {"tls.crt": b"mine", "tls.key": b"mine"})):
        await world.delete(kinds.SECRET, name)
        await world.apply(kinds.SECRET, name, type="Opaque", data=meta.secret_data(data))
        stands = await world.secret(name)
        await world.reconcile()
        assert await world.secret(name) == stands
    condition = await world.condition("CertificatesAvailable")
    assert (condition["status"], condition["reason"]) == ("False", "AuthorityMismatch")
    await quiet(world)


@pytest.mark.parametrize("name", ["c-kubeconfig", "c-ca", "c-proxy", "c-sa", "c-etcd"])
async def test_a15_a_secret_that_is_lost_or_changed_comes_back(world: World, name: str) -> None:
    await world.born()
    data = (await world.secret(name))["data"]
    await world.delete(kinds.SECRET, name)
    await world.reconcile()
    assert (await world.secret(name))["data"] == data
    await world.change(kinds.SECRET, name, {"data": {key: "AAAA" for key in data}, "metadata": {"labels": None}})
    await world.reconcile()
    secret = await world.secret(name)
    assert secret["data"] == data
    assert meta.labels_of(secret)[names.LABEL_CLUSTER_NAME] == "c"


@pytest.mark.parametrize("how", ["removed", "of another api version"])
async def test_a15_owner_references_that_are_lost_come_back_as_they_were(world: World, how: str) -> None:
    await world.born()
    secrets = [(kinds.SECRET, f"c-{each}") for each in ("kubeconfig", "ca", "proxy", "sa", "etcd")]
    children = (*secrets, (kinds.TENANT_CONTROL_PLANE, "kcp"))
    for kind, name in children:
        manifest = await world.get(kind, name)
        assert manifest is not None
        before = manifest["metadata"]["ownerReferences"]
        changed = [{**each, "apiVersion": f"{names.CONTROL_PLANE_GROUP}/v1alpha1"} for each in before]
        owners = None if how == "removed" else changed
        await world.change(kind, name, {"metadata": {"ownerReferences": owners}})
        await world.reconcile()
        after = await world.get(kind, name)
        assert after is not None
        assert after["metadata"]["ownerReferences"] == before


async def test_a15_a_secret_under_another_controller_is_told_and_left_alone(world: World) -> None:
    await world.born()
    other = await world.apply(kinds.CONFIG_MAP, "other")
    secret = await world.secret("c-ca")
    await world.change(
        kinds.SECRET, "c-ca", {"metadata": meta.owned(secret, other)["metadata"] | {"managedFields": None}}
    )
    stands = await world.secret("c-ca")
    await world.reconcile()
    assert await world.secret("c-ca") == stands
    condition = await world.condition("CertificatesAvailable")
    assert (condition["status"], condition["reason"]) == ("False", "SecretTaken")
    assert "controlled by ConfigMap other" in condition["message"]


async def test_a15_a_new_kubeconfig_of_the_tenant_is_handed_on(world: World) -> None:
    await world.born()
    before = (await world.secret("c-kubeconfig"))["data"]
    await world.host()  # a new client certificate
    await world.reconcile()
    assert (await world.secret("c-kubeconfig"))["data"] != before


async def test_a15_a_new_authority_of_the_tenant_is_handed_on(world: World) -> None:
    await world.born()
    pair = Authority().pair
    data = meta.secret_data({"ca.crt": pair.certificate, "ca.key": pair.key})
    await world.change(kinds.SECRET, "kcp-ca", {"data": data})
    await world.reconcile()
    assert meta.decoded(await world.secret("c-ca")) == {"tls.crt": pair.certificate, "tls.key": pair.key}


# --- A16: quiet


async def test_a16_a_settled_control_plane_is_not_written_any_more(world: World) -> None:
    await world.born()
    await quiet(world)


async def test_a16_a_control_plane_that_waits_is_not_written_either(world: World) -> None:
    await world.cluster()
    await world.control_plane()
    await world.adopt()
    await world.reconcile()
    await quiet(world)


async def test_a16_drift_in_the_tenant_is_put_right_and_then_it_is_quiet(world: World) -> None:
    await world.born()
    drift = {"spec": {"controlPlane": {"deployment": {"replicas": 9}}, "kubernetes": {"version": "v1.36.2"}}}
    await world.change(kinds.TENANT_CONTROL_PLANE, "kcp", drift)
    await world.reconcile()
    spec = (await world.tcp())["spec"]
    assert (spec["controlPlane"]["deployment"]["replicas"], spec["kubernetes"]["version"]) == (2, VERSION)
    await quiet(world)
