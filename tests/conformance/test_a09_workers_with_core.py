"""A9, A10 and A11 with Cluster API's own core: when it lets workers come, how it upgrades, and how it lets them go.

The tests are infrastructure provider and kubelet, as far as core asks them: a provider ID, its Node, the end of an evicted pod.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import yaml

from lab.infrastructure import kinds as lab_kinds
from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.cluster.client import Cluster
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from tests.conformance import core
from tests.conformance.core import until
from tests.conformance.world import VERSION, World

CAPI = f"{names.CAPI_GROUP}/v1beta2"
MACHINE_DEPLOYMENT = Kind(CAPI, "MachineDeployment", "machinedeployments")
MACHINE_SET = Kind(CAPI, "MachineSet", "machinesets")
BOOTSTRAP = "bootstrap.cluster.x-k8s.io"
KUBEADM_CONFIG_TEMPLATE = Kind(f"{BOOTSTRAP}/v1beta2", "KubeadmConfigTemplate", "kubeadmconfigtemplates")
NEWER = "v1.37.1"
TEMPLATES = Path(__file__).parents[2] / "clusterctl" / "templates" / "lab"


JOIN = {"nodeRegistration": {"name": "w"}}


async def deployment(world: World, version: str) -> None:
    """One worker of this version."""
    await world.apply(KUBEADM_CONFIG_TEMPLATE, "w", spec={"template": {"spec": {"joinConfiguration": JOIN}}})
    await world.apply(lab_kinds.LAB_MACHINE_TEMPLATE, "w", spec={"template": {"spec": {}}})
    machine = {
        "clusterName": "c",
        "version": version,
        "bootstrap": {"configRef": {"apiGroup": BOOTSTRAP, "kind": "KubeadmConfigTemplate", "name": "w"}},
        "infrastructureRef": {"apiGroup": lab_kinds.GROUP, "kind": "LabMachineTemplate", "name": "w"},
    }
    labels = {names.LABEL_CLUSTER_NAME: "c", "pool": "w"}
    template = {"metadata": {"labels": labels}, "spec": machine}
    spec = {"clusterName": "c", "replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    spec["rollout"] = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}
    await world.apply(MACHINE_DEPLOYMENT, "w", spec=spec)


async def machines(world: World) -> list[Manifest]:
    return await world.everybody.list(lab_kinds.MACHINE, world.namespace)


async def held(world: World, *words: str) -> bool:
    """Whether core says why it makes no machine."""
    await world.reconcile()
    sets = await world.everybody.list(MACHINE_SET, world.namespace)
    said = [find((each.get("status") or {}).get("conditions"), "ScalingUp") or {} for each in sets]
    return any(all(word in str(each.get("message")) for word in words) for each in said)


async def test_a9_core_makes_no_worker_while_the_control_plane_upgrades_and_makes_it_afterwards(
    with_core: World,
) -> None:
    await core.born(with_core)
    await with_core.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", {"spec": {"version": NEWER}})
    await with_core.reconcile()
    await with_core.host(version=VERSION, phase="Upgrading", numbers=(4, 2, 3))
    await with_core.reconcile()
    await deployment(with_core, NEWER)
    await until(
        partial(held, with_core, "KamajiControlPlane", "upgrading", "ControlPlaneIsStable"), "held by preflight"
    )
    assert await machines(with_core) == []
    await with_core.host(version=NEWER)

    async def made() -> bool:
        await with_core.reconcile()
        return len(await machines(with_core)) == 1

    await until(made, "the worker, once the new version stands alone")


async def test_a9_core_makes_no_worker_that_is_newer_than_the_control_plane(with_core: World) -> None:
    await core.born(with_core)
    await deployment(with_core, NEWER)
    await until(partial(held, with_core, "KubernetesVersionSkew"), "held by preflight")
    assert await machines(with_core) == []


# --- A10


async def classy(world: World, name: str, **template: Any) -> None:
    """A ClusterClass of this name, which is the lab's, with settings of its own for the control plane."""
    text = (TEMPLATES / "clusterclass-lab.yaml").read_text()
    for document in yaml.safe_load_all(text.replace("name: lab", f"name: {name}")):
        if document["kind"] == "KamajiControlPlaneTemplate":
            document["spec"]["template"]["spec"] |= template
        document["metadata"]["namespace"] = world.namespace
        await world.everybody.apply(document, manager="user")


async def topology(world: World, of: str, version: str, workers: int = 1) -> None:
    """The Cluster `c` as its user says it; there is no webhook that would fill in anything."""
    pool = {"class": "default-worker", "name": "md-0", "replicas": workers}
    said = {"classRef": {"name": of}, "version": version, "controlPlane": {"replicas": 2}}
    said["workers"] = {"machineDeployments": [pool]}
    network = {"services": {"cidrBlocks": ["10.96.0.0/16"]}}
    await world.apply(kinds.CLUSTER, "c", spec={"clusterNetwork": network, "topology": said})


async def kcp_of(world: World) -> str:
    """Name of the KamajiControlPlane that the topology made; looked at once, as our queue would."""
    reference = (await core.cluster(world))["spec"].get("controlPlaneRef") or {}
    if name := str(reference.get("name") or ""):
        await world.reconcile(name)
    return name


async def topology_born(world: World) -> str:
    async def asked() -> bool:
        if ref := (await core.cluster(world))["spec"].get("infrastructureRef"):
            await core.provisioned(world, ref["name"])
        name = await kcp_of(world)
        return bool(name) and await world.get(kinds.TENANT_CONTROL_PLANE, name) is not None

    await until(asked, "the topology's control plane, and its tenant")
    name = await kcp_of(world)
    await world.host(name)
    await until(partial(workers_run, world, VERSION), "the topology's workers, once there is a control plane")
    return name


async def workers_run(world: World, version: str) -> bool:
    await kcp_of(world)
    found = await world.everybody.list(MACHINE_DEPLOYMENT, world.namespace)
    return [each["spec"]["template"]["spec"]["version"] for each in found] == [version]


async def test_a10_the_topology_upgrades_the_control_plane_first_and_its_workers_after_it(with_core: World) -> None:
    await classy(with_core, "one")
    await topology(with_core, "one", VERSION)
    name = await topology_born(with_core)
    await topology(with_core, "one", NEWER)

    async def asked() -> bool:
        await kcp_of(with_core)
        return bool((await with_core.tcp(name))["spec"]["kubernetes"]["version"] == NEWER)

    await until(asked, "the tenant is asked for the new version")
    await with_core.host(name, version=VERSION, phase="Upgrading", numbers=(4, 2, 3))

    async def waits() -> bool:
        await kcp_of(with_core)
        said = find((await core.cluster(with_core))["status"]["conditions"], "TopologyReconciled") or {}
        return "upgrad" in str(said.get("message")).lower()

    await until(waits, "the topology says that it waits for the control plane")
    assert await workers_run(with_core, VERSION)  # still
    await with_core.host(name, version=NEWER)
    await until(partial(workers_run, with_core, NEWER), "the workers, after the control plane")


async def test_a10_a_topology_that_is_paused_stays_as_it_is_and_goes_on_when_it_may(with_core: World) -> None:
    await classy(with_core, "one")
    await topology(with_core, "one", VERSION)
    name = await topology_born(with_core)
    await with_core.change(kinds.CLUSTER, "c", {"spec": {"paused": True}})
    await topology(with_core, "one", NEWER)

    async def paused() -> bool:
        await kcp_of(with_core)
        found = await core.cluster(with_core)
        said = find(found["status"]["conditions"], "TopologyReconciled") or {}
        seen = said.get("observedGeneration") == found["metadata"]["generation"]
        return seen and "paused" in str(said.get("message")).lower()

    await until(paused, "the topology says that it is paused")
    assert (await with_core.condition("Paused", name))["status"] == "True"
    assert (await with_core.kcp(name))["spec"]["version"] == VERSION
    assert (await with_core.tcp(name))["spec"]["kubernetes"]["version"] == VERSION
    await with_core.change(kinds.CLUSTER, "c", {"spec": {"paused": False}})

    async def asked() -> bool:
        await kcp_of(with_core)
        return bool((await with_core.tcp(name))["spec"]["kubernetes"]["version"] == NEWER)

    await until(asked, "the tenant is asked for the new version")
    assert (await with_core.condition("Paused", name))["status"] == "False"


async def test_a10_another_class_arrives_at_the_tenant_and_then_nobody_writes_any_more(with_core: World) -> None:
    await classy(with_core, "one")
    await classy(with_core, "two", apiServer={"extraArgs": ["--v=3"]})
    await topology(with_core, "one", VERSION)
    name = await topology_born(with_core)
    endpoint = (await with_core.kcp(name))["spec"]["controlPlaneEndpoint"]
    await topology(with_core, "two", VERSION)

    async def rebased() -> bool:
        await kcp_of(with_core)
        spec = (await with_core.tcp(name))["spec"]["controlPlane"]["deployment"]
        return bool(spec.get("extraArgs", {}).get("apiServer") == ["--v=3"])

    await until(rebased, "the other class's words at the tenant")
    assert await kcp_of(with_core) == name  # it is the same control plane
    await with_core.host(name)
    await kcp_of(with_core)
    stands = await with_core.kcp(name)
    assert stands["spec"]["controlPlaneEndpoint"] == endpoint
    # Core holds the whole topology against what there is whenever a word of it changes.
    for workers in (2, 1):
        await topology(with_core, "two", VERSION, workers)
        await settled(with_core)
        await kcp_of(with_core)
    assert (await with_core.kcp(name))["metadata"]["resourceVersion"] == stands["metadata"]["resourceVersion"]


async def settled(world: World) -> None:
    """Core has seen the Cluster as it stands."""

    async def seen() -> bool:
        found = await core.cluster(world)
        said = find(found["status"]["conditions"], "TopologyReconciled") or {}
        return (said.get("status"), said.get("observedGeneration")) == ("True", found["metadata"]["generation"])

    await until(seen, "TopologyReconciled")


# --- A11


async def booted(world: World) -> str:
    """A Machine whose infrastructure runs it; its provider ID."""
    await world.apply(kinds.SECRET, "w", type=names.CLUSTER_SECRET_TYPE, data=meta.secret_data({"value": b"#cloud"}))
    identity = f"lab://{world.namespace}/w"
    await world.apply(lab_kinds.LAB_MACHINE, "w", spec={"providerID": identity})
    machine = {
        "clusterName": "c",
        "version": VERSION,
        "bootstrap": {"dataSecretName": "w"},
        "infrastructureRef": {"apiGroup": lab_kinds.GROUP, "kind": "LabMachine", "name": "w"},
    }
    await world.apply(lab_kinds.MACHINE, "w", spec=machine)
    done = {"status": {"initialization": {"provisioned": True}}}
    await world.change(lab_kinds.LAB_MACHINE, "w", done, "status")
    return identity


async def register(world: World, tenant: Cluster, identity: str) -> str:
    """The Node of that Machine in the tenant, and core's word that it has found it; its name."""
    node = node_of(world)
    await tenant.apply(meta.new(kinds.NODE, node, spec={"providerID": identity}), manager="kubelet")
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    await tenant.merge(kinds.NODE, node, None, {"status": ready}, subresource="status", manager="kubelet")

    async def known() -> bool:
        found = await world.get(lab_kinds.MACHINE, "w")
        return bool(((found or {}).get("status") or {}).get("nodeRef"))

    await until(known, "core's reference from the Machine to its Node")
    return node


async def joined(world: World) -> None:
    """A Machine whose Node runs a pod. The tenant is the very API server, so both are here."""
    node = await register(world, world.everybody, await booted(world))
    container = {"name": "app", "image": "example/app"}
    await world.apply(kinds.POD, "app", spec={"nodeName": node, "containers": [container]})
    await world.change(kinds.POD, "app", {"status": {"phase": "Running"}}, "status")


def node_of(world: World) -> str:
    return f"{world.namespace}-w"


async def test_a11_a_worker_that_goes_is_drained_and_its_node_is_taken_away(with_core: World) -> None:
    await core.born(with_core)
    await core.says(with_core, "RemoteConnectionProbe")
    await joined(with_core)
    await with_core.delete(lab_kinds.MACHINE, "w")

    async def evicted() -> bool:
        return "deletionTimestamp" in ((await with_core.get(kinds.POD, "app")) or {"metadata": {}})["metadata"]

    await until(evicted, "the eviction of the node's pod")
    node = await with_core.everybody.get(kinds.NODE, node_of(with_core))
    assert node is not None  # it waits for the pod
    assert node["spec"]["unschedulable"] is True
    machine = await with_core.get(lab_kinds.MACHINE, "w")
    assert machine is not None
    assert (find(machine["status"]["conditions"], "Deleting") or {})["reason"] == "DrainingNode"
    gone = ("delete", "pod", "app", "--grace-period=0", "--force", "--wait=false")
    with_core.kubectl(*gone)  # what the kubelet says when the containers have ended

    async def without_trace() -> bool:
        found = [await with_core.get(lab_kinds.MACHINE, "w"), await with_core.get(lab_kinds.LAB_MACHINE, "w")]
        return found == [None, None] and await with_core.everybody.get(kinds.NODE, node_of(with_core)) is None

    await until(without_trace, "Machine, infrastructure and Node are gone")
