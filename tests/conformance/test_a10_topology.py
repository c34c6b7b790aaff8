"""A10 with Cluster API's own topology controller, its webhooks, and machines that roll: minors, variables, classes, restarts.

The class is ours for the provider for development; the tests are hosting room and kubelets.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab.infrastructure import kinds as lab_kinds
from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.capi.desired.tenantcontrolplane import ANNOTATION_ROLLED_OUT
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from tests.conformance import kubelet
from tests.conformance.core import until
from tests.conformance.test_a09_workers_with_core import KUBEADM_CONFIG_TEMPLATE, MACHINE_DEPLOYMENT
from tests.conformance.test_a22_many_machines import DEV_MACHINE, DOCKER
from tests.conformance.test_doors import running
from tests.conformance.world import World
from tests.integration.templates.provider_kinds import documents

NAME = "classy"
FIRST, SECOND, THIRD = VERSIONS = ("v1.35.4", "v1.36.3", "v1.37.1")
POOLS = ("md-0", "md-1")
CLUSTER_CLASS = Kind(f"{names.CAPI_GROUP}/v1beta2", "ClusterClass", "clusterclasses")
VERBOSITY: dict[str, Any] = {"name": "verbosity", "required": False}
VERBOSITY["schema"] = {"openAPIV3Schema": {"type": "integer", "default": 1}}
OF_TOPOLOGIES = (
    "kamajicontrolplanes",
    "machinedeployments",
    "devclusters",
    "devmachinetemplates",
    "kubeadmconfigtemplates",
)

pytestmark = pytest.mark.nightly
REQUEST = re.compile(r"^apiserver_request_total\{(.*)\} (\d+)", re.MULTILINE)


# --- the class


def patch(kind: Kind, matches: dict[str, Any], path: str, value: Mapping[str, str]) -> dict[str, Any]:
    """One of a class: this value there, in all templates of the kind."""
    selector = {"apiVersion": kind.api_version, "kind": kind.kind, "matchResources": matches}
    return {"selector": selector, "jsonPatches": [{"op": "add", "path": path, "valueFrom": value}]}


async def classy(world: World, name: str, *arguments: str) -> None:
    """Our class, with machines in memory, one variable, and these arguments of the API server beside it."""
    said = ", ".join(f'"{each}"' for each in ("--v={{ .verbosity }}", *arguments))
    patched = [
        patch(
            kinds.KAMAJI_CONTROL_PLANE_TEMPLATE,
            {"controlPlane": True},
            "/spec/template/spec/apiServer",
            {"template": f"extraArgs: [{said}]"},
        ),
        patch(
            KUBEADM_CONFIG_TEMPLATE,
            {"machineDeploymentClass": {"names": ["default-worker"]}},
            "/spec/template/spec/verbosity",
            {"variable": "verbosity"},
        ),
    ]
    text = DOCKER.cluster_class.read_text().replace("docker: {}", "inMemory: {}").replace("kamaji-docker", name)
    for each in documents(text):
        if each["kind"] == "ClusterClass":
            each["spec"]["variables"] = [VERBOSITY]
            each["spec"]["patches"] = [{"name": "verbosity", "definitions": patched}]
            each["spec"]["kubernetesVersions"] = list(VERSIONS)
        each["metadata"]["namespace"] = world.namespace
        await world.everybody.apply(each, manager="user")

    async def known() -> bool:
        found = await world.get(CLUSTER_CLASS, name) or {}
        return (find((found.get("status") or {}).get("conditions"), "VariablesReady") or {}).get("status") == "True"

    await until(known, f"core knows the variables of class {name}, which its webhooks fill in")


async def topology(world: World, of: str, version: str, *, pools: tuple[str, ...] = POOLS[:1], **said: Any) -> None:
    """The Cluster as its user says it."""
    of_class = {"class": "default-worker", "replicas": 1}
    spec = {"classRef": {"name": of}, "version": version, "controlPlane": {"replicas": 2}, **said}
    if pools:
        spec["workers"] = {"machineDeployments": [{**of_class, "name": each} for each in pools]}
    network = {"services": {"cidrBlocks": ["10.96.0.0/16"]}}
    await world.apply(kinds.CLUSTER, NAME, spec={"clusterNetwork": network, "topology": spec})


# --- what is there


async def cluster(world: World) -> Manifest:
    found = await world.get(kinds.CLUSTER, NAME)
    assert found is not None
    return found


async def named(world: World) -> str:
    """Of the control plane that the topology made; looked at once, as our queue would."""
    name = str(((await cluster(world))["spec"].get("controlPlaneRef") or {}).get("name") or "")
    if name:
        await world.reconcile(name)
    return name


async def deployments(world: World) -> dict[str, str]:
    """Version by the pool's name in the topology."""
    found = await world.everybody.list(MACHINE_DEPLOYMENT, world.namespace)
    label = "topology.cluster.x-k8s.io/deployment-name"
    return {meta.labels_of(each)[label]: each["spec"]["template"]["spec"]["version"] for each in found}


async def running_machines(world: World) -> list[str]:
    """Versions of the machines; none when one is not up, or on its way out."""
    found = await world.everybody.list(lab_kinds.MACHINE, world.namespace)
    up = all((each.get("status") or {}).get("phase") == "Running" for each in found)
    return sorted(each["spec"]["version"] for each in found) if up else []


@dataclass
class Hosting:
    """The hosting room: it takes each version that it is asked for, and is seen rolling it out before."""

    world: World
    version: str = ""
    asked: list[str] = field(default_factory=list)
    seen: list[tuple[str, ...]] = field(default_factory=list)  # versions: told by us, then the pools'

    async def turn(self) -> None:
        """Look at all once, and do what is to do."""
        name = await named(self.world)
        tenant = await self.world.get(kinds.TENANT_CONTROL_PLANE, name) if name else None
        if tenant is None:
            return
        if (wanted := str(tenant["spec"]["kubernetes"]["version"])) != self.version:
            if self.version:
                await self.world.host(name, version=self.version, phase="Upgrading", numbers=(4, 2, 3))
                await self._look(name)
            self.asked.append(wanted)
            self.version = wanted
            await self.world.host(name, version=wanted)
        await self._look(name)

    async def _look(self, name: str) -> None:
        await self.world.reconcile(name)
        oldest = (await self.world.status(name))["versions"][0]["version"]
        pools = await deployments(self.world)
        now = (oldest, *(pools.get(each, "") for each in POOLS))
        if now not in self.seen:
            self.seen.append(now)


async def born(world: World, hosting: Hosting, version: str, workers: int = 1) -> str:
    """All is as the topology says; name of the control plane."""

    async def there() -> bool:
        await hosting.turn()
        return await running_machines(world) == [version] * workers

    await until(there, "the topology's control plane, and its machines")
    return await named(world)


async def settled(world: World) -> None:
    """Core has seen the Cluster as it stands, and is done."""

    async def seen() -> bool:
        await named(world)
        found = await cluster(world)
        said = find(found["status"]["conditions"], "TopologyReconciled") or {}
        return (said.get("status"), said.get("observedGeneration")) == ("True", found["metadata"]["generation"])

    await until(seen, "TopologyReconciled")


async def applied(world: World) -> int:
    """Server-side applies for good, ever, to what a topology makes."""
    found = REQUEST.findall(await world.everybody.text("/metrics"))
    labels = [(dict(re.findall(r'(\w+)="([^"]*)"', text)), int(count)) for text, count in found]
    return sum(
        count
        for each, count in labels
        if each["verb"] == "APPLY" and not each["dry_run"] and each["resource"] in OF_TOPOLOGIES
    )


# --- tests


async def test_a10_two_minors_go_step_by_step_and_each_pool_of_workers_in_its_turn_after_the_control_plane(
    in_memory: World,
) -> None:
    hosting = Hosting(in_memory)
    await classy(in_memory, "minors")
    await topology(in_memory, "minors", FIRST, pools=POOLS)
    async with kubelet.running(in_memory, DEV_MACHINE):
        await born(in_memory, hosting, FIRST, len(POOLS))
        await topology(in_memory, "minors", THIRD, pools=POOLS)

        async def upgraded() -> bool:
            await hosting.turn()
            return await running_machines(in_memory) == [THIRD] * len(POOLS)

        await until(upgraded, "the new version everywhere")
    assert hosting.asked == [FIRST, SECOND, THIRD]
    steps = [each for each in hosting.seen if "" not in each]
    assert steps[0] == (FIRST, FIRST, FIRST)
    assert (SECOND, FIRST, FIRST) in steps
    # Workers wait for the last control plane, which two minors more than theirs let them, and one pool for the other.
    assert steps[steps.index((THIRD, FIRST, FIRST)) :] == [
        (THIRD, FIRST, FIRST),
        (THIRD, THIRD, FIRST),
        (THIRD, THIRD, THIRD),
    ]


async def test_a10_variables_and_patches_arrive_and_what_did_not_change_is_not_applied_again(in_memory: World) -> None:
    hosting = Hosting(in_memory)
    await classy(in_memory, "one")
    await classy(in_memory, "two", "--profiling=false")
    await topology(in_memory, "one", SECOND)
    async with kubelet.running(in_memory, DEV_MACHINE):
        name = await born(in_memory, hosting, SECOND)

        async def says(*arguments: str) -> None:
            async def so() -> bool:
                await hosting.turn()
                spec = (await in_memory.tcp(name))["spec"]["controlPlane"]["deployment"]
                return bool(spec["extraArgs"]["apiServer"] == list(arguments)) and await verbose(arguments[0])

            await until(so, f"{arguments} at the tenant and at the workers")
            await settled(in_memory)

        async def verbose(argument: str) -> bool:
            (pool,) = await in_memory.everybody.list(MACHINE_DEPLOYMENT, in_memory.namespace)
            reference = pool["spec"]["template"]["spec"]["bootstrap"]["configRef"]
            template = await in_memory.get(KUBEADM_CONFIG_TEMPLATE, reference["name"])
            return template is not None and f"--v={template['spec']['template']['spec']['verbosity']}" == argument

        await says("--v=1")  # the default, which the webhook fills in
        await topology(in_memory, "one", SECOND, variables=[{"name": "verbosity", "value": 4}])
        await says("--v=4")
        await topology(in_memory, "two", SECOND, variables=[{"name": "verbosity", "value": 4}])
        await says("--v=4", "--profiling=false")
        await rests(in_memory, name)
        assert await named(in_memory) == name  # still the same


async def rests(world: World, name: str) -> None:
    """Core holds the whole topology against what there is, after a pause, and neither it nor we have anything to write."""
    before, stands = await applied(world), (await world.kcp(name))["spec"]
    for paused in (True, False):
        await world.change(kinds.CLUSTER, NAME, {"spec": {"paused": paused}})

        async def said(paused: bool = paused) -> bool:
            await named(world)
            found = await cluster(world)
            told = find(found["status"]["conditions"], "TopologyReconciled") or {}
            seen = told.get("observedGeneration") == found["metadata"]["generation"]
            return bool(seen and told.get("status") == str(not paused))

        await until(said, f"core's word about paused={paused}")
    assert (await world.kcp(name))["spec"] == stands
    assert await applied(world) == before


async def test_a10_the_time_of_a_restart_that_a_topology_says_is_kept_by_the_provider_and_once(
    in_memory: World,
) -> None:
    hosting = Hosting(in_memory)
    await classy(in_memory, "restarts")
    await topology(in_memory, "restarts", SECOND, pools=())

    async def serves() -> bool:
        await hosting.turn()
        return bool(hosting.version)

    await until(serves, "the control plane")
    name = await named(in_memory)
    await settled(in_memory)
    generation = (await in_memory.tcp(name))["metadata"]["generation"]

    async def mark() -> str | None:
        deployment = (await in_memory.tcp(name))["spec"]["controlPlane"]["deployment"]
        annotations = (deployment.get("podAdditionalMetadata") or {}).get("annotations") or {}
        return annotations.get(ANNOTATION_ROLLED_OUT)

    async def there() -> bool:
        return await in_memory.get(kinds.SECRET, f"{NAME}-ca") is not None

    with running(in_memory):
        await in_memory.delete(kinds.SECRET, f"{NAME}-ca")
        await until(there, "the provider's process at work")
        due = (datetime.now(UTC) + timedelta(seconds=5)).replace(microsecond=0)
        after = {"after": due.strftime("%Y-%m-%dT%H:%M:%SZ")}
        await topology(in_memory, "restarts", SECOND, pools=(), controlPlane={"replicas": 2, "rollout": after})
        async with asyncio.timeout(60):
            while (found := await mark()) is None:
                unmarked = datetime.now(UTC)
                await asyncio.sleep(0.1)
        assert due - timedelta(seconds=1) < unmarked < due + timedelta(seconds=10)  # it came at its time
        assert found == due.isoformat()
        await asyncio.sleep(3)  # what would do it twice has its time
        assert await mark() == found
    tenant = await in_memory.tcp(name)
    assert tenant["metadata"]["generation"] == generation + 1
    assert (await in_memory.kcp(name))["spec"]["rollout"] == after
    assert meta.labels_of(tenant)[names.LABEL_CLUSTER_NAME] == NAME
