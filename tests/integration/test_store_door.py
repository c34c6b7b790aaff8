"""The door of a managed store where NetworkPolicies are enforced: who has something in it comes in, and nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.servers import ApiServer
from provider.api import kinds, names
from provider.hosting.desired.pool.network import CLIENT_PORT, METRICS_PORT, PEER_PORT
from provider.hosting.reconcile import pool as pool_pass
from provider.manifest import meta
from tests.integration.policed import Node
from tests.integration.pool_world import MANAGER, NAMESPACE, World

POOL, MEMBER, OTHER = "doored", "doored-etcd-0", "doored-etcd-1"
PORTS = (CLIENT_PORT, PEER_PORT, METRICS_PORT)
TENANT, NEIGHBOUR, NAMESAKE, STRANGER, PROVIDER, KUBELET = "within", "without", "namesake", "stranger", "provider", ""
EVERYBODY = (TENANT, NEIGHBOUR, NAMESAKE, STRANGER, PROVIDER, OTHER, KUBELET)


@pytest.fixture
async def node(world: World, api_server: ApiServer, tmp_path: Path) -> AsyncIterator[Node]:
    with Node(api_server, tmp_path).powered_on() as found:
        async with found.registered(world.cluster):
            yield found


async def inhabited(world: World, node: Node, elsewhere: str) -> None:
    """Members of the pool's store, and pods of everybody who may want to knock; one is called as a tenant elsewhere is."""
    stateful_set = await world.get(kinds.STATEFUL_SET, f"{POOL}-etcd")
    member = stateful_set["spec"]["template"]["metadata"]["labels"]
    await node.pod(world.cluster, MEMBER, NAMESPACE, member, *PORTS)
    await node.pod(world.cluster, OTHER, NAMESPACE, member)
    for name in (TENANT, NEIGHBOUR):
        await node.pod(world.cluster, name, "default", {names.LABEL_NAME: name})
    await node.pod(world.cluster, NAMESAKE, elsewhere, {names.LABEL_NAME: TENANT})
    await node.pod(world.cluster, STRANGER, "default", {"app": "stranger"})
    await node.pod(world.cluster, PROVIDER, NAMESPACE, {"app": "provider"})


@pytest.mark.keeps("better.closed-stores")
async def test_who_has_something_in_a_store_opens_its_door_and_nobody_else_does(
    world: World, node: Node, namespace: str
) -> None:
    await world.cluster.apply(meta.new(kinds.DATA_STORE_POOL, POOL, spec={"members": 3}), manager=MANAGER)
    await pool_pass.pool(world.context, POOL)
    await inhabited(world, node, namespace)
    await world.tenant_on(POOL, TENANT)
    await pool_pass.pool(world.context, POOL)
    node.until({(who, MEMBER, port): True for who in EVERYBODY for port in PORTS})

    node.enforce()
    let_in = {CLIENT_PORT: (TENANT, PROVIDER, OTHER, KUBELET), PEER_PORT: (OTHER, KUBELET), METRICS_PORT: (KUBELET,)}
    node.until({(who, MEMBER, port): who in let_in[port] for who in EVERYBODY for port in PORTS})

    await world.tenant_on(POOL, NEIGHBOUR)
    await pool_pass.pool(world.context, POOL)
    node.until({(NEIGHBOUR, MEMBER, CLIENT_PORT): True, (STRANGER, MEMBER, CLIENT_PORT): False})
