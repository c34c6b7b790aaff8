"""A12 and A6 with Cluster API's own core: a Cluster that is deleted in any phase leaves nothing; an API server that is gone.

The tests are the hosting room, which has data of the tenant to erase, and the infrastructure provider.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from lab.infrastructure import kinds as lab_kinds
from lab.servers import ApiServer, Etcd
from provider.api import kinds, names
from provider.cluster import connect
from provider.manifest.condition import find
from tests.conformance import core
from tests.conformance.core import until
from tests.conformance.test_a07_with_core import KUBEADM_CONFIG
from tests.conformance.test_a09_workers_with_core import (
    KUBEADM_CONFIG_TEMPLATE,
    MACHINE_DEPLOYMENT,
    MACHINE_SET,
    booted,
    deployment,
    machines,
    register,
)
from tests.conformance.world import VERSION, World

NEWER = "v1.37.1"
MADE = (
    *(kinds.CLUSTER, kinds.KAMAJI_CONTROL_PLANE, kinds.TENANT_CONTROL_PLANE, kinds.SECRET, KUBEADM_CONFIG),
    *(MACHINE_DEPLOYMENT, MACHINE_SET, lab_kinds.MACHINE, lab_kinds.LAB_CLUSTER, lab_kinds.LAB_MACHINE),
    *(KUBEADM_CONFIG_TEMPLATE, lab_kinds.LAB_MACHINE_TEMPLATE),
)


BROUGHT = "Secret w"  # the bootstrap data that `booted` brings as a user does, whose it stays


async def left(world: World) -> list[str]:
    found = [each for kind in MADE for each in await world.everybody.list(kind, world.namespace)]
    said = [f"{each['kind']} {each['metadata']['name']}" for each in found]
    return [each for each in said if each != BROUGHT]


# --- phases


async def before_the_infrastructure(world: World) -> None:
    """Its provider has said nothing yet."""
    await world.apply(lab_kinds.LAB_CLUSTER, "c", spec={})
    await world.cluster(infrastructureRef={"apiGroup": lab_kinds.GROUP, "kind": "LabCluster", "name": "c"})
    await world.control_plane()
    await core.asked(world)


async def before_the_endpoint(world: World) -> None:
    await core.infrastructure_there(world)
    await world.control_plane()
    await core.asked(world)


async def starting(world: World) -> None:
    await before_the_endpoint(world)
    await world.host(ready=False, numbers=(2, 2, 0), version=None, phase="Provisioning")
    await core.says(world, "ControlPlaneAvailable", "False")


async def initialized(world: World) -> None:
    """With a machine that has its bootstrap data, and waits for its infrastructure."""
    await core.born(world)
    await deployment(world, VERSION)

    async def made() -> bool:
        await world.reconcile()
        return len(await machines(world)) == 1

    await until(made, "the machine")


async def upgrading(world: World) -> None:
    await initialized(world)
    await world.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", {"spec": {"version": NEWER}})
    await world.reconcile()
    await world.host(version=VERSION, phase="Upgrading", numbers=(4, 2, 3))
    await core.says(world, "RollingOut")


async def asleep(world: World) -> None:
    await initialized(world)
    world.kubectl("scale", "ktcp/kcp", "--replicas=0")
    await world.reconcile()
    await world.host(ready=False, numbers=(0, 0, 0), phase="Sleeping")
    await core.says(world, "ControlPlaneAvailable", "False")


PHASES = (before_the_infrastructure, before_the_endpoint, starting, initialized, upgrading, asleep)


# --- the end


async def ends(world: World) -> None:
    """The Cluster is being deleted: what core then does, and the hosting room once it is asked."""

    async def tenant_asked() -> bool:
        await world.reconcile()
        return "deletionTimestamp" in (await world.tcp())["metadata"]

    await until(tenant_asked, "the end of the tenant, which is asked for once the machines are gone")
    assert await machines(world) == []
    assert await world.get(lab_kinds.LAB_CLUSTER, "c") is not None  # the infrastructure is last
    assert "deletionTimestamp" in (await world.kcp())["metadata"]
    await world.change(kinds.TENANT_CONTROL_PLANE, "kcp", {"metadata": {"finalizers": None}})

    async def without_trace() -> bool:
        await world.reconcile()
        return await left(world) == []

    try:
        await until(without_trace, "the end of all")
    except AssertionError as error:
        raise AssertionError(f"{error}; left are {await left(world)}") from error


async def hold(world: World) -> None:
    """As the hosting room does while there is something to erase."""
    held = {"metadata": {"finalizers": [names.FINALIZER_TENANT]}}
    await world.change(kinds.TENANT_CONTROL_PLANE, "kcp", held)


@pytest.mark.parametrize("phase", PHASES, ids=lambda each: each.__name__)
async def test_a12_a_cluster_that_is_deleted_in_any_phase_ends_in_order_and_leaves_nothing(
    with_core: World, phase: Callable[[World], Awaitable[None]]
) -> None:
    await phase(with_core)
    await hold(with_core)
    await with_core.delete(kinds.CLUSTER, "c")
    await ends(with_core)


async def test_a12_a_cluster_that_is_deleted_while_paused_stays_and_ends_once_it_may(with_core: World) -> None:
    await initialized(with_core)
    await hold(with_core)
    await with_core.change(kinds.CLUSTER, "c", {"spec": {"paused": True}})
    await core.says(with_core, "Paused")
    await with_core.delete(kinds.CLUSTER, "c")
    stands = await left(with_core)

    async def seen() -> bool:
        found = await core.cluster(with_core)
        told = find(found["status"]["conditions"], "Paused") or {}
        return bool(told["observedGeneration"] == found["metadata"]["generation"])

    await until(seen, "core's word that it is paused although it is being deleted")
    await with_core.reconcile()
    assert await left(with_core) == stands
    assert "deletionTimestamp" not in (await with_core.kcp())["metadata"]
    assert (await with_core.condition("Paused"))["status"] == "True"
    await with_core.change(kinds.CLUSTER, "c", {"spec": {"paused": False}})
    await ends(with_core)


async def test_a12_a_control_plane_that_is_deleted_before_its_cluster_ends_and_so_does_the_cluster(
    with_core: World,
) -> None:
    await core.born(with_core)
    await hold(with_core)
    await with_core.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    await with_core.reconcile()
    await with_core.delete(kinds.CLUSTER, "c")
    await ends(with_core)


# --- an API server that is gone


@pytest.fixture
async def tenant(with_core: World, plain_etcd: Etcd, tmp_path: Path) -> AsyncIterator[ApiServer]:
    """The control plane is an API server of its own, so that it can be away."""
    server = ApiServer(tmp_path, plain_etcd, prefix=f"/{with_core.namespace}").start()
    with_core.tenant = server
    yield server
    server.stop()


async def goes_away(world: World, tenant: ApiServer) -> None:
    """Its process is killed, which the hosting room sees, and core by what we say."""
    tenant.stop()
    await world.host(ready=False, phase="NotReady", numbers=(2, 2, 0))
    await core.says(world, "ControlPlaneAvailable", "False")


async def with_a_node(world: World, tenant: ApiServer) -> None:
    await core.born(world)
    await core.says(world, "RemoteConnectionProbe")
    connection = await connect.from_kubeconfig(tenant.kubeconfig())
    await register(world, connection, await booted(world))
    await connection.close()


async def still_initialized(world: World) -> None:
    """By our word and by core's."""
    assert (await world.status())["initialization"] == {"controlPlaneInitialized": True}
    assert (await world.condition("Initialized"))["status"] == "True"
    status = (await core.cluster(world))["status"]
    assert status["initialization"]["controlPlaneInitialized"] is True
    assert (find(status["conditions"], "ControlPlaneInitialized") or {})["status"] == "True"


async def test_a12_a_cluster_whose_api_server_is_gone_ends_all_the_same(with_core: World, tenant: ApiServer) -> None:
    await with_a_node(with_core, tenant)
    await goes_away(with_core, tenant)
    await still_initialized(with_core)
    await hold(with_core)
    await with_core.delete(kinds.CLUSTER, "c")
    await ends(with_core)


@pytest.mark.nightly  # core gives a connection up after 50 seconds, and tries again every 30
async def test_a6_core_tells_of_an_api_server_that_it_cannot_reach_and_of_its_return(
    with_core: World, tenant: ApiServer
) -> None:
    await with_a_node(with_core, tenant)
    await core.says(with_core, "ControlPlaneAvailable")
    await goes_away(with_core, tenant)
    assert (await with_core.condition("Available"))["reason"] == "PodsStarting"
    await core.says(with_core, "RemoteConnectionProbe", "False")
    await core.says(with_core, "Available", "False")
    await still_initialized(with_core)
    stands = await with_core.versions()
    await with_core.reconcile()  # an outage that lasts is no reason to write
    written = {key for key, version in (await with_core.versions()).items() if stands.get(key) != version}
    assert written <= {("Cluster", "c")}
    tenant.start()
    await with_core.host()
    await core.says(with_core, "RemoteConnectionProbe")
    await core.says(with_core, "ControlPlaneAvailable")
    assert (await with_core.condition("Available"))["status"] == "True"
    await still_initialized(with_core)
