"""The tunnel with real programs: our flags and rights are enough, and what is said of it is what a kubelet's answer tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from lab.servers import Etcd
from provider.api import kinds
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.cluster.errors import Forbidden
from provider.hosting.desired.konnectivity import agent, sidecar
from provider.hosting.status import konnectivity as words
from provider.hosting.view import Tunnel
from provider.manifest import meta
from tests.integration.in_force import let_through
from tests.integration.tunnel_world import MANAGER, Kubelet, TunnelWorld, node, opened, own_address

LABELS = {"k8s-app": "konnectivity-server"}


@pytest.fixture
def world(tmp_path: Path, plain_etcd: Etcd) -> Iterator[TunnelWorld]:
    found = TunnelWorld(tmp_path, plain_etcd)
    yield found
    found.stop()


@pytest.fixture
async def session(world: TunnelWorld) -> AsyncIterator[Cluster]:
    """The tenant's API server runs, and has what the agents' part says."""
    await asyncio.to_thread(world.api.start)
    connection = await opened(world)
    await connection.apply(meta.new(kinds.NAMESPACE, "kube-system"), manager=MANAGER)
    for each in world.built.said[agent.NAME]:
        labels = {**meta.labels_of(each), "x.kamaji.clastix.io/part": agent.NAME}
        await connection.apply({**each, "metadata": {**each["metadata"], "labels": labels}}, manager=MANAGER)
    yield connection
    await connection.close()


@pytest.fixture
async def kubelet(world: TunnelWorld) -> AsyncIterator[Kubelet]:
    if (address := own_address()) is None:
        pytest.skip("this machine has no address but loopback, to which no API server proxies")
    found = Kubelet(address, world.authority, world.folder)
    yield found
    found.stop()


async def until(world: TunnelWorld, session: Cluster, reason: str) -> Tunnel:
    """Look, with the clock ahead of every pause, until that is said."""
    async with asyncio.timeout(180):
        while True:
            world.monotonic += 1000
            tunnel, _ = await world.look(session)
            if tunnel and tunnel.reason == reason:
                return tunnel
            await asyncio.sleep(0.2)


async def test_what_is_said_of_the_tunnel_follows_what_goes_through_it(
    world: TunnelWorld, session: Cluster, kubelet: Kubelet
) -> None:
    assert await world.look(session) == (words.NO_NODES, None)
    port = await kubelet.start()
    made = node(kubelet.address, port)
    await session.apply(made, manager=MANAGER)
    await session.merge(kinds.NODE, "worker", None, {"status": made["status"]}, subresource="status", manager=MANAGER)
    tunnel, again = await world.look(session)
    assert tunnel and not tunnel.works and again == 5.0
    assert tunnel.reason == "AgentsNotConnected" and f"127.0.0.1:{world.agent_port}" in tunnel.message
    assert await world.look(session) == (tunnel, 5.0)  # not asked again before its time
    await world.connected(session, 0, of=0)
    assert "tolerat" in (await until(world, session, "AgentsNotScheduled")).message

    await asyncio.to_thread(world.start_server)
    await world.connected(session, 1)  # nobody is yet: the proxy server itself says so
    tunnel = await until(world, session, "AgentsNotConnected")
    assert "not to every pod" in tunnel.message

    await world.start_agent(session)
    assert await until(world, session, "TunnelWorks") == words.WORKS
    asked = kubelet.asked
    world.monotonic += 100_000
    assert await world.look(session) == (words.WORKS, None)
    assert kubelet.asked == asked >= 1  # what works is not asked again

    kubelet.stop()
    await world.connected(session, 0)
    tunnel, again = await world.look(session)
    assert tunnel and tunnel.reason == "AgentsNotConnected" and again == 5.0
    await world.connected(session, 1)
    tunnel, again = await world.look(session)
    assert tunnel and tunnel.reason == "KubeletUnreachable" and again == 5.0
    world.monotonic += 6
    assert (await world.look(session))[1] == 10.0  # ever more rarely


async def test_a_proxy_server_publishes_a_lease_with_the_rights_it_has_and_a_killed_ones_goes_with_the_addon(
    world: TunnelWorld, session: Cluster
) -> None:
    await asyncio.to_thread(world.start_server)
    async with asyncio.timeout(180):
        while not (leases := await session.list(kinds.LEASE, sidecar.LEASES, labels=LABELS)):
            await asyncio.sleep(0.2)
    assert meta.labels_of(leases[0]) == sidecar.LEASE_LABELS
    world.server.stop()
    assert await session.list(kinds.LEASE, sidecar.LEASES, labels=LABELS)
    assert await world.look(session, on=False) == (None, None)
    assert not await session.list(kinds.LEASE, sidecar.LEASES, labels=LABELS)


@pytest.mark.keeps("better.tunnel-identity")
async def test_a_client_of_the_proxy_servers_certificate_may_do_nothing_else(
    world: TunnelWorld, session: Cluster
) -> None:
    secret = world.built.one(kinds.SECRET, "demo-konnectivity-kubeconfig")
    client = await connect.from_kubeconfig(meta.decoded(secret)["konnectivity-server.conf"])
    try:
        await let_through(lambda: client.list(kinds.LEASE, "kube-system"), Forbidden)
        for kind in (kinds.SECRET, kinds.NODE, kinds.POD):
            with pytest.raises(Forbidden):
                await client.list(kind)
    finally:
        await client.close()
