"""A2 to A5: what a control plane waits for, and that the order in which things come does not matter."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import Any

import pytest
import yaml

from lab.infrastructure import kinds as lab_kinds
from lab.servers import Authority
from provider.api import kinds, names
from provider.cluster import connect
from provider.manifest import meta, x509
from tests.conformance.world import VERSION, World, other_pairs

FIVE = ("c-kubeconfig", "c-ca", "c-proxy", "c-sa", "c-etcd")
CLUSTER_VERSIONS = ("v1alpha3", "v1beta1", "v1beta2")


# --- A2: whose control plane it is


async def test_a2_without_a_cluster_nothing_happens(world: World) -> None:
    await world.cluster()
    await world.control_plane()
    stands = await world.versions()
    assert await world.reconcile() is None
    assert await world.versions() == stands


async def test_a2_the_topologys_shim_is_no_owner(world: World) -> None:
    await world.cluster()
    await world.control_plane()
    shim = await world.apply(kinds.SECRET, "c-shim")
    owner = {"apiVersion": "v1", "kind": "Secret", "name": "c-shim", "uid": shim["metadata"]["uid"]}
    await world.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", {"metadata": {"ownerReferences": [owner]}})
    await world.reconcile()
    assert await world.get(kinds.TENANT_CONTROL_PLANE, "kcp") is None
    await world.adopt()
    await world.reconcile()
    assert await world.get(kinds.TENANT_CONTROL_PLANE, "kcp") is not None


@pytest.mark.parametrize("version", CLUSTER_VERSIONS)
async def test_a2_an_owner_that_is_no_controller_counts_in_every_version_of_its_api(world: World, version: str) -> None:
    await world.cluster()
    await world.control_plane()
    await world.adopt(api=f"cluster.x-k8s.io/{version}")
    await world.reconcile()
    tcp = await world.tcp()
    assert tcp["metadata"]["labels"][names.LABEL_CLUSTER_NAME] == "c"
    (owner,) = tcp["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("KamajiControlPlane", "kcp", True)


async def test_a2_a_second_control_plane_of_a_cluster_says_so_and_touches_nothing(world: World) -> None:
    await world.born()
    await world.control_plane("second")
    await world.adopt("second")
    stands = await world.versions()
    await world.reconcile("second")
    condition = await world.condition("Available", "second")
    assert (condition["status"], condition["reason"]) == ("False", "NotTheControlPlaneOfItsCluster")
    assert "names KamajiControlPlane kcp as its control plane" in condition["message"]
    del stands[("KamajiControlPlane", "second")]
    assert stands.items() <= (await world.versions()).items()
    assert await world.get(kinds.TENANT_CONTROL_PLANE, "second") is None
    assert "finalizers" not in (await world.kcp("second"))["metadata"]
    stands = await world.versions()
    await world.reconcile("second")
    assert await world.versions() == stands


@pytest.mark.parametrize(
    "reference",
    [
        {"apiGroup": names.CONTROL_PLANE_GROUP, "kind": "KubeadmControlPlane", "name": "kcp"},
        {"apiGroup": "controlplane.example.com", "kind": "KamajiControlPlane", "name": "kcp"},
    ],
)
async def test_a2_a_cluster_with_another_kind_of_control_plane_is_left_alone(world: World, reference: Any) -> None:
    await world.cluster(controlPlaneRef=reference, kcp=None)
    await world.control_plane()
    await world.adopt()
    await world.reconcile()
    assert (await world.condition("Available"))["reason"] == "NotTheControlPlaneOfItsCluster"
    assert await world.get(kinds.TENANT_CONTROL_PLANE, "kcp") is None


async def test_a2_the_control_plane_that_the_cluster_comes_to_name_is_made(world: World) -> None:
    await world.cluster(kcp="other")
    await world.control_plane()
    await world.adopt()
    await world.reconcile()
    await world.cluster(kcp="kcp")
    await world.reconcile()
    assert (await world.tcp())["metadata"]["name"] == "kcp"
    assert (await world.condition("Available"))["reason"] == "NotAvailable"


async def test_a2_a_tenant_of_the_same_name_that_is_somebody_elses_is_never_taken_over(world: World) -> None:
    spec = {
        "kubernetes": {"version": "v1.35.4", "kubelet": {}},
        "controlPlane": {"service": {"serviceType": "ClusterIP"}},
    }
    await world.apply(kinds.TENANT_CONTROL_PLANE, "kcp", spec=spec)
    await world.host(version="v1.35.4")
    theirs = await world.tcp()
    await world.cluster()
    await world.control_plane()
    await world.adopt()
    await world.reconcile()
    for kind in ("TenantControlPlaneCreated", "Available"):
        condition = await world.condition(kind)
        assert (condition["status"], condition["reason"]) == ("False", "NameTaken")
        assert f"TenantControlPlane {world.namespace}/kcp belongs to nobody we know of" in condition["message"]
    assert await world.tcp() == theirs
    assert await world.get(kinds.SECRET, "c-kubeconfig") is None  # not their credentials, either
    status = await world.status()
    assert (status["replicas"], status["ready"]) == (0, False)
    assert "initialization" not in status
    await world.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    await world.reconcile()
    assert await world.get(kinds.KAMAJI_CONTROL_PLANE, "kcp") is None
    assert await world.tcp() == theirs


async def test_a2_another_instance_of_the_provider_keeps_its_own(world: World) -> None:
    await world.cluster()
    await world.control_plane()
    await world.adopt()
    world.restart(watch_filter="ours")
    stands = await world.versions()
    await world.reconcile()
    assert await world.versions() == stands
    label = {"metadata": {"labels": {names.LABEL_WATCH_FILTER: "ours"}}}
    await world.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", label)
    await world.reconcile()
    assert await world.get(kinds.TENANT_CONTROL_PLANE, "kcp") is not None


# --- A3: order


@pytest.mark.parametrize("steps", [*itertools.permutations(("cluster", "control plane", "core"))], ids=" ".join)
async def test_a3_in_whatever_order_things_come_the_end_is_the_same(world: World, steps: tuple[str, ...]) -> None:
    """Each step may be too early: then it is tried again, as controllers do. The hosting room tries after each."""
    acts = {"cluster": world.cluster, "control plane": world.control_plane, "core": world.adopt}
    for step in steps * 3:
        for act in (acts[step], world.host):
            with contextlib.suppress(AssertionError):  # what it needs is not there yet
                await act()
            await world.reconcile()
    status = await world.status()
    assert status["initialization"] == {"controlPlaneInitialized": True}
    assert status["versions"] == [{"version": VERSION, "replicas": 2}]
    assert (await world.condition("Available"))["status"] == "True"


async def test_a3_a_version_without_its_v_gets_it_where_it_is_run(world: World) -> None:
    await world.born(version=VERSION.removeprefix("v"))
    assert (await world.tcp())["spec"]["kubernetes"]["version"] == VERSION
    assert (await world.kcp())["spec"]["version"] == VERSION.removeprefix("v")  # the user's field is the user's
    assert (await world.status())["version"] == VERSION


# --- A4: Secrets


async def test_a4_the_secrets_work_before_the_control_plane_is_initialized(world: World) -> None:
    await world.cluster()
    await world.control_plane()
    await world.adopt()
    await world.reconcile()
    await world.host(ready=False, numbers=(2, 2, 0), version=None, phase="Provisioning")
    await world.reconcile()
    assert "initialization" not in await world.status()
    for name in FIVE:
        secret = await world.secret(name)
        assert secret["type"] == "cluster.x-k8s.io/secret"
        assert meta.labels_of(secret)[names.LABEL_CLUSTER_NAME] == "c"
        (owner,) = secret["metadata"]["ownerReferences"]
        assert (owner["apiVersion"], owner["kind"]) == (names.CONTROL_PLANE_API, "KamajiControlPlane")
        assert (owner["name"], owner["uid"]) == ("kcp", (await world.kcp())["metadata"]["uid"])
        assert owner["controller"] is True
    authority = meta.decoded(await world.secret("c-ca"))
    assert authority == {
        "tls.crt": world.server.authority.certificate,
        "tls.key": world.server.authority.pair.key,
    }
    others = other_pairs("kcp")
    proxy, store = others["kcp-front-proxy-ca-certificate"], others["kcp-datastore-certificate"]
    assert meta.decoded(await world.secret("c-proxy")) == {
        "tls.crt": proxy["front-proxy-ca.crt"],
        "tls.key": proxy["front-proxy-ca.key"],
    }
    assert meta.decoded(await world.secret("c-sa")) == {"tls.crt": b"public", "tls.key": b"private"}
    # As of an external etcd: the key of a store that others share is nobody's to hand out.
    assert meta.decoded(await world.secret("c-etcd")) == {"tls.crt": store["ca.crt"]}
    kubeconfig = meta.decoded(await world.secret("c-kubeconfig"))["value"]
    assert yaml.safe_load(kubeconfig)["current-context"] == "c-admin@c"
    tenant = await connect.from_kubeconfig(kubeconfig)
    assert await tenant.text("/readyz") == "ok"
    await tenant.close()
    await world.host()
    await world.reconcile()
    assert (await world.status())["initialization"] == {"controlPlaneInitialized": True}


async def test_a4_of_a_control_plane_called_like_its_cluster_there_is_one_authority(world: World) -> None:
    await world.cluster(kcp="c")
    await world.control_plane("c")
    await world.adopt("c")
    await world.reconcile("c")
    await world.host("c")
    await world.reconcile("c")
    assert (await world.status("c"))["initialization"] == {"controlPlaneInitialized": True}
    authority = await world.secret("c-ca")
    assert authority["metadata"]["ownerReferences"][0]["kind"] == "TenantControlPlane"
    assert authority["type"] == "cluster.x-k8s.io/secret"


# --- A5: infrastructure and endpoint


async def infrastructure(world: World, **spec: Any) -> dict[str, Any]:
    """The lab's infrastructure object, and the Cluster's reference to it."""
    await world.apply(lab_kinds.LAB_CLUSTER, "c", spec=spec)
    return {"infrastructureRef": {"apiGroup": lab_kinds.GROUP, "kind": "LabCluster", "name": "c"}}


async def live(world: World, **cluster: Any) -> None:
    """A control plane on this Cluster, up to where its hosting room would find its address."""
    await world.cluster(**cluster)
    await world.control_plane()
    await world.adopt()
    await world.reconcile()


async def test_a5_a_cluster_without_infrastructure_gets_its_endpoint_from_us(world: World) -> None:
    await world.born()
    host, port = world.server.url.removeprefix("https://").split(":")
    assert (await world.kcp())["spec"]["controlPlaneEndpoint"] == {"host": host, "port": int(port)}
    assert (await world.condition("InfrastructureClusterPatched"))["reason"] == "NoInfrastructure"


async def test_a5_an_infrastructure_that_waits_for_the_endpoint_is_not_waited_for(world: World) -> None:
    await live(world, **await infrastructure(world))
    await world.host()
    await world.reconcile()
    assert (await world.status())["initialization"] == {"controlPlaneInitialized": True}
    assert (await world.condition("InfrastructureClusterPatched"))["status"] == "True"


async def test_a5_an_infrastructure_that_is_not_there_yet_or_not_known_holds_up_nothing(world: World) -> None:
    absent = {"apiGroup": lab_kinds.GROUP, "kind": "LabCluster", "name": "later"}
    unknown = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "AnyCluster", "name": "any"}
    for number, (reference, reason) in enumerate(((absent, "NotFound"), (unknown, "KindNotInTable"))):
        cluster, kcp = f"c{number}", f"kcp{number}"
        await world.cluster(cluster, kcp=kcp, infrastructureRef=reference)
        await world.control_plane(kcp)
        await world.adopt(kcp, cluster)
        await world.reconcile(kcp)
        await world.host(kcp)
        await world.reconcile(kcp)
        assert (await world.condition("InfrastructureClusterPatched", kcp))["reason"] == reason
        assert (await world.status(kcp))["initialization"] == {"controlPlaneInitialized": True}


async def test_a5_where_the_infrastructure_sets_the_endpoint_first_the_tenant_is_asked_to_be_there(
    world: World,
) -> None:
    await live(world, **await infrastructure(world, controlPlaneEndpoint={"host": "127.0.0.9", "port": 20000}))
    assert {"address": "127.0.0.9", "port": 20000}.items() <= (await world.tcp())["spec"]["networkProfile"].items()
    await world.host(endpoint="127.0.0.9:20000")
    await world.reconcile()
    assert (await world.kcp())["spec"]["controlPlaneEndpoint"] == {"host": "127.0.0.9", "port": 20000}
    assert (await world.condition("InfrastructureClusterPatched"))["status"] == "True"


@pytest.mark.parametrize(("host", "port"), [("127.0.0.9", 7443), ("api.c.example", 443), ("fd00::9", 65535)])
async def test_a5_where_the_user_sets_the_clusters_endpoint_the_tenant_is_asked_to_be_there(
    world: World, host: str, port: int
) -> None:
    await live(world, controlPlaneEndpoint={"host": host, "port": port})
    told = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    for _ in range(2):
        assert {"address": host, "port": port}.items() <= (await world.tcp())["spec"]["networkProfile"].items()
        await world.host(endpoint=told)
        await world.reconcile()
    assert (await world.kcp())["spec"]["controlPlaneEndpoint"] == {"host": host, "port": port}
    assert (await world.condition("ControlPlaneEndpointPatched"))["status"] == "True"


async def test_a5_what_core_copies_from_us_changes_nothing_in_the_tenant(world: World) -> None:
    await world.born()
    tenant = (await world.tcp())["metadata"]["resourceVersion"]
    endpoint = (await world.kcp())["spec"]["controlPlaneEndpoint"]
    await world.change(kinds.CLUSTER, "c", {"spec": {"controlPlaneEndpoint": endpoint}})
    await world.reconcile()
    assert (await world.tcp())["metadata"]["resourceVersion"] == tenant


async def test_a5_when_the_address_changes_afterwards_it_is_told_and_certified(world: World) -> None:
    await world.born()
    endpoint = (await world.kcp())["spec"]["controlPlaneEndpoint"]
    await world.change(kinds.CLUSTER, "c", {"spec": {"controlPlaneEndpoint": endpoint}})
    await world.host(endpoint="127.0.0.2:50000")
    await world.reconcile()
    condition = await world.condition("ControlPlaneEndpointPatched")
    assert (condition["status"], condition["reason"]) == ("False", "EndpointMismatch")
    assert (await world.kcp())["spec"]["controlPlaneEndpoint"] == {"host": "127.0.0.2", "port": 50000}
    await world.reconcile()
    assert (await world.tcp())["spec"]["networkProfile"]["certSANs"] == [endpoint["host"]]
    stands = await world.versions()
    await world.reconcile()
    assert await world.versions() == stands


# --- a user's own certificate authority (A15)


async def test_a15_an_authority_that_the_user_brought_becomes_the_control_planes(world: World) -> None:
    pair = Authority().pair
    data = meta.secret_data({"tls.crt": pair.certificate, "tls.key": pair.key})
    await world.apply(kinds.SECRET, "c-ca", type="kubernetes.io/tls", data=data)
    brought = await world.secret("c-ca")
    await live(world)
    handed = await world.secret("kcp-ca")
    assert meta.decoded(handed)["ca.crt"] == pair.certificate
    assert x509.authority_is_usable(
        x509.Pair(certificate=meta.decoded(handed)["ca.crt"], key=meta.decoded(handed)["ca.key"]), world.now
    )
    assert "ownerReferences" not in handed["metadata"]
    assert await world.secret("c-ca") == brought


@pytest.mark.parametrize("type", ["Opaque", "cluster.x-k8s.io/secret"])
async def test_a15_every_pair_that_the_user_brought_is_used_and_never_written_over(world: World, type: str) -> None:
    brought = {}
    for name in ("c-ca", "c-proxy", "c-sa"):
        pair = Authority().pair
        data = meta.secret_data({"tls.crt": pair.certificate, "tls.key": pair.key})
        await world.apply(kinds.SECRET, name, type=type, data=data)
        brought[name] = await world.secret(name)
    await world.born()
    places = {
        "c-ca": ("kcp-ca", "ca.crt"),
        "c-proxy": ("kcp-front-proxy-ca-certificate", "front-proxy-ca.crt"),
        "c-sa": ("kcp-sa-certificate", "sa.pub"),
    }
    for name, (place, key) in places.items():
        before, now = meta.decoded(brought[name]), await world.secret(name)
        assert meta.decoded(await world.secret(place))[key] == before["tls.crt"]
        assert meta.decoded(now) == before
        # One of Cluster API's type is adopted, as its own control plane does; another stays the user's.
        assert ("ownerReferences" in now["metadata"]) is (type == "cluster.x-k8s.io/secret")
    assert (await world.condition("CertificatesAvailable"))["status"] == "True"


async def test_a15_an_etcd_authority_that_the_user_brought_is_told_and_left_alone(world: World) -> None:
    data = meta.secret_data({"tls.crt": b"mine", "tls.key": b"mine"})
    await world.apply(kinds.SECRET, "c-etcd", type="Opaque", data=data)
    brought = await world.secret("c-etcd")
    await world.born()
    assert await world.secret("c-etcd") == brought
    condition = await world.condition("CertificatesAvailable")
    assert (condition["status"], condition["reason"]) == ("False", "AuthorityMismatch")
    assert f"Secret {world.namespace}/c-etcd" in condition["message"]
    assert (await world.status())["initialization"] == {"controlPlaneInitialized": True}


async def test_a15_before_the_birth_a_brought_authority_that_cannot_be_used_is_told(world: World) -> None:
    pair = Authority().pair
    await world.apply(
        kinds.SECRET, "c-ca", data=meta.secret_data({"tls.crt": pair.certificate, "tls.key": b""}), type="Opaque"
    )
    await live(world)
    condition = await world.condition("TenantControlPlaneCreated")
    assert (condition["status"], condition["reason"]) == ("False", "AuthorityIncomplete")
    assert await world.get(kinds.TENANT_CONTROL_PLANE, "kcp") is None


async def test_passes_side_by_side_over_many_control_planes_do_not_mix_them_up(world: World) -> None:
    """Not a row: the queue works several keys at once on one connection and one applier."""
    pairs = [(f"c{number}", f"kcp{number}") for number in range(4)]
    for cluster, kcp in pairs:
        await world.cluster(cluster, kcp=kcp)
        await world.control_plane(kcp, replicas=int(kcp[-1]))
        await world.adopt(kcp, cluster)
    await asyncio.gather(*(world.reconcile(kcp) for _, kcp in pairs))
    for cluster, kcp in pairs:
        tcp = await world.tcp(kcp)
        assert meta.labels_of(tcp)[names.LABEL_CLUSTER_NAME] == cluster
        assert tcp["spec"]["controlPlane"]["deployment"]["replicas"] == int(kcp[-1])
