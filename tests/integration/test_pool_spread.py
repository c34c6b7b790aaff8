"""Members of a pool's store over nodes and zones: the real kube-scheduler puts the pods of the real StatefulSet controller.

Nodes are objects alone. Where others' pods lie, a scheduler left to itself would put members side by side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lab import crds
from lab.servers import ApiServer, ControllerManager, Etcd
from provider.api import kinds, names
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.hosting.desired.pool.volume import HOSTNAME, ZONE
from provider.hosting.reconcile import pool as pool_pass
from provider.manifest import meta
from tests.integration.fixtures import COUNTER
from tests.integration.pool_world import MANAGER, NAMESPACE, World
from tests.integration.real_controllers import Scheduler, until

CLASS = "network"
CONTROLLERS = "statefulset-controller,persistentvolume-binder-controller"
CONTROL_PLANE = [{"key": names.CONTROL_PLANE_TAINT, "effect": "NoSchedule"}]


@dataclass(frozen=True)
class Machine:
    """A node. `busy`: how many of its eight processors others have asked for."""

    name: str
    zone: str = "a"
    busy: int = 0
    taints: tuple[dict[str, str], ...] = ()


THREE_ZONES = [
    *(Machine("a1"), Machine("a2"), Machine("a3")),
    *(Machine("b1", "b", 4), Machine("b2", "b", 4), Machine("c1", "c", 4)),
]
THREE_NODES = [Machine("one"), Machine("two", busy=7), Machine("three", busy=7)]
ONE_OF_THEM_A_CONTROL_PLANE = [Machine("one"), Machine("two"), Machine("plane", taints=tuple(CONTROL_PLANE))]
TWO_NODES = [Machine("one"), Machine("two", busy=7)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, plain_etcd: Etcd) -> Iterator[ApiServer]:
    """A management cluster without a node, whose pods are made and scheduled."""
    found = ApiServer(tmp_path_factory.mktemp("spread"), plain_etcd, prefix=f"/spread-{next(COUNTER)}")
    with ExitStack() as ends:
        ends.callback(found.stop)
        found.start()
        for each in (ControllerManager(found, CONTROLLERS), Scheduler(found)):
            ends.callback(each.stop)
            each.start()
        yield found


@pytest.fixture
async def world(server: ApiServer) -> AsyncIterator[World]:
    """Its nodes go; what was put on them counts nowhere else."""
    cluster = await connect.from_kubeconfig(server.kubeconfig())
    if not server.installed:
        await crds.install(cluster, MANAGER)
        spec = {"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"}
        await cluster.apply(meta.new(kinds.STORAGE_CLASS, CLASS, **spec), manager=MANAGER)
        server.installed = True
    yield World(cluster=cluster, dialled={})
    for each in await cluster.list(kinds.NODE):
        await cluster.delete(kinds.NODE, each["metadata"]["name"])
    await cluster.close()


async def powered_on(cluster: Cluster, machines: list[Machine]) -> None:
    for each in machines:
        labels = {HOSTNAME: each.name, ZONE: each.zone}
        await cluster.apply(meta.new(kinds.NODE, each.name, labels=labels), manager=MANAGER)
        taints = {"spec": {"taints": list(each.taints)}}
        await cluster.merge(kinds.NODE, each.name, None, taints, manager=MANAGER)
        room = {"cpu": "8", "memory": "32Gi", "pods": "110"}
        said = {"allocatable": room, "capacity": room, "conditions": [{"type": "Ready", "status": "True"}]}
        await cluster.merge(kinds.NODE, each.name, None, {"status": said}, subresource="status", manager=MANAGER)
        if each.busy:
            asked = {"requests": {"cpu": str(each.busy), "memory": f"{4 * each.busy}Gi"}}
            spec = {"nodeName": each.name, "containers": [{"name": "busy", "image": "busy", "resources": asked}]}
            await cluster.apply(meta.new(kinds.POD, f"busy-{each.name}", NAMESPACE, spec=spec), manager=MANAGER)


async def placed(world: World, machines: list[Machine], **storage: Any) -> list[Machine]:
    """Where the three members of a pool are put."""
    pool = f"spread-{next(COUNTER)}"
    machines = [replace(each, name=f"{pool}-{each.name}") for each in machines]
    await powered_on(world.cluster, machines)
    spec = {"members": 3, "storage": {"size": "1Gi", **storage}}
    if storage:
        for number in range(3):
            await world.cluster.apply(volume(f"{pool}-{number}"), manager=MANAGER)
    await world.cluster.apply(meta.new(kinds.DATA_STORE_POOL, pool, spec=spec), manager=MANAGER)
    await pool_pass.pool(world.context, pool)

    async def all_of_them() -> list[str]:
        pods = await world.cluster.list(kinds.POD, NAMESPACE, labels={names.LABEL_STORE: pool})
        nodes = [str(each["spec"].get("nodeName", "")) for each in pods]
        return nodes if len(nodes) == 3 and all(nodes) else []

    nodes = await until(all_of_them, f"the members of {pool} have nodes")
    return [next(each for each in machines if each.name == node) for node in nodes]


def volume(name: str) -> dict[str, Any]:
    """One that any node can mount: it says nothing of where a member goes."""
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": CLASS,
        "hostPath": {"path": str(Path("/nowhere") / name)},
    }
    return meta.new(kinds.PERSISTENT_VOLUME, name, spec=spec)


@pytest.mark.parametrize("storage", [{"storageClassName": CLASS}, {}], ids=["volumes of a class", "disks of nodes"])
async def test_three_members_lie_in_three_zones_on_three_nodes(world: World, storage: dict[str, Any]) -> None:
    found = await placed(world, THREE_ZONES, **storage)
    assert {each.zone for each in found} == {"a", "b", "c"}
    assert len({each.name for each in found}) == 3


@pytest.mark.parametrize("storage", [{"storageClassName": CLASS}, {}], ids=["volumes of a class", "disks of nodes"])
@pytest.mark.parametrize("machines", [THREE_NODES, ONE_OF_THEM_A_CONTROL_PLANE], ids=["workers", "a control plane"])
async def test_where_there_are_three_nodes_no_two_members_share_one(
    world: World, machines: list[Machine], storage: dict[str, Any]
) -> None:
    assert len({each.name for each in await placed(world, machines, **storage)}) == 3


@pytest.mark.parametrize("storage", [{"storageClassName": CLASS}, {}], ids=["volumes of a class", "disks of nodes"])
async def test_where_there_are_two_nodes_the_third_member_lies_beside_another_rather_than_nowhere(
    world: World, storage: dict[str, Any]
) -> None:
    found = Counter(each.name for each in await placed(world, TWO_NODES, **storage))
    assert sorted(found.values()) == [1, 2]
