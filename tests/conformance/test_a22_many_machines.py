"""A22 with Cluster API's provider for development, whose machines live in its memory: many Machines.

Its Nodes live there too: it has an API server in memory for them, which opens with the first control plane machine, and here is
none. So Nodes are registered in the hosted control plane by the tests (kubelet.py); all else is done by the managers.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import yaml

from lab.infrastructure import kinds as lab_kinds
from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from tests.conformance import core, kubelet
from tests.conformance.core import until
from tests.conformance.test_a09_workers_with_core import MACHINE_DEPLOYMENT
from tests.conformance.world import World
from tests.integration.templates.provider_kinds import generated, providers

pytestmark = pytest.mark.nightly

GROUP = "infrastructure.cluster.x-k8s.io/v1beta2"
DEV_CLUSTER, DEV_MACHINE = Kind(GROUP, "DevCluster", "devclusters"), Kind(GROUP, "DevMachine", "devmachines")
(DOCKER,) = [each for each in providers() if each.name == "docker"]
MANY, FEW = 30, 10


def documents(folder: Path, world: World, workers: int) -> list[Manifest]:
    """Our template for this provider, with machines in memory. The DevCluster says no endpoint: it would be its own."""
    text = generated(
        folder, world.namespace, "--from", str(DOCKER.plain), variables=DOCKER.row["variables"], workers=workers
    )
    found: list[Manifest] = [each for each in yaml.safe_load_all(text.replace("docker: {}", "inMemory: {}")) if each]
    for each in found:
        if each["kind"] == "DevCluster":
            del each["spec"]["controlPlaneEndpoint"]
            each["metadata"]["annotations"] = {"example.com/any": ""}  # its manager panics where there is none
        if each["kind"] == "KamajiControlPlane":
            del each["spec"]["network"]["serviceAddress"]
    return found


async def alive(world: World) -> list[Manifest]:
    return await world.everybody.list(lab_kinds.MACHINE, world.namespace)


async def are(world: World, phase: str) -> bool:
    """Whether there are as many Machines as there shall be, and all in this phase; our queue looks meanwhile."""
    await world.reconcile("c")
    return [(each.get("status") or {}).get("phase") for each in await alive(world)] == [phase] * MANY


async def nodes(world: World) -> set[str]:
    """Nodes of this Cluster's machines, also of those that are gone: the API server is also the tenant of others."""
    there = {each["metadata"]["name"] for each in await alive(world)}
    mine = f"{names.CAPI_GROUP}/cluster-namespace"  # core's word
    return {
        each["metadata"]["name"]
        for each in await world.everybody.list(kinds.NODE)
        if each["metadata"]["name"] in there or meta.annotations_of(each).get(mine) == world.namespace
    }


async def test_a22_machines_in_memory_take_our_join_data_and_run_once_the_tenant_has_their_nodes(
    in_memory: World, tmp_path: Path
) -> None:
    world = in_memory
    for each in documents(tmp_path, world, MANY):
        await world.everybody.apply(each, manager="user")
    await core.asked(world, "c")
    await world.host("c")
    await until(partial(are, world, "Provisioned"), "machines with bootstrap data")
    cluster = await world.get(DEV_CLUSTER, "c")
    assert cluster is not None
    assert not cluster["spec"]["controlPlaneEndpoint"].get("host")  # the Cluster's is ours
    machines = await world.everybody.list(DEV_MACHINE, world.namespace)
    told = [find(each["status"]["conditions"], "NodeProvisioned") for each in machines]
    assert [each and each["status"] for each in told] == ["True"] * MANY  # in its memory,
    assert await nodes(world) == set()  # and nowhere else
    tokens = await world.everybody.list(kinds.SECRET, "kube-system")
    assert len([each for each in tokens if each["type"] == "bootstrap.kubernetes.io/token"]) >= MANY
    async with kubelet.running(world, DEV_MACHINE):
        await until(partial(are, world, "Running"), "Machines that run")
        await world.change(MACHINE_DEPLOYMENT, "c-md-0", {"spec": {"replicas": FEW}})

        async def fewer() -> bool:
            await world.reconcile("c")
            left = {each["metadata"]["name"] for each in await alive(world)}
            return len(left) == FEW and await nodes(world) == left

        await until(fewer, "the others are gone, and their Nodes")
