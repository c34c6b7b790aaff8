"""A14 with clusterctl itself: `clusterctl move` between two management clusters, our provider at work in both.

Core is at work in the first. Pods are nobody's here: what a move means for a tenant's keys is in `test_moved_tenant` of the
integration ring.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import capi_repository, programs
from lab.servers import ApiServer, Etcd
from provider.api import kinds, names
from provider.cluster import connect
from provider.manifest import Manifest, meta
from tests.conformance import core
from tests.conformance.conftest import ACCOUNT, GROUPS, rights
from tests.conformance.test_a07_with_core import clusterctl
from tests.conformance.test_a19_external_cluster import FIELD, ON, THERE, access, by_token, far, far_server
from tests.conformance.test_doors import running, until
from tests.conformance.world import World

__all__ = ["far", "far_server"]

GATE = "--feature-gates=ExternalClusterReference=true"


@pytest.fixture(scope="module")
def target_server(tmp_path_factory: pytest.TempPathFactory, plain_etcd: Etcd) -> Iterator[ApiServer]:
    folder = tmp_path_factory.mktemp("target")
    server = ApiServer(folder, plain_etcd, prefix=f"/{folder.name}").start()
    core.install(server, rights())
    yield server
    server.stop()


@pytest.fixture
async def target(target_server: ApiServer, with_core: World) -> AsyncIterator[World]:
    """The other management cluster, with a namespace of the first one's name."""
    everybody = await connect.from_kubeconfig(target_server.kubeconfig())
    await everybody.apply(meta.new(kinds.NAMESPACE, with_core.namespace), manager="tests")
    provider = await connect.from_kubeconfig(target_server.kubeconfig(ACCOUNT, *GROUPS))
    yield World(server=target_server, everybody=everybody, provider=provider, namespace=with_core.namespace)
    await provider.close()
    await everybody.close()


async def move(source: World, target: World, folder: Path) -> None:
    config = capi_repository.build(folder, programs.path("kubectl"))
    ways = [
        f"{flag}={each.server.folder / 'kubeconfig'}"
        for flag, each in (("--kubeconfig", source), ("--to-kubeconfig", target))
    ]
    await asyncio.to_thread(clusterctl, source, config, "move", "--namespace", source.namespace, *ways)


async def left(world: World) -> list[Manifest]:
    every = (kinds.CLUSTER, kinds.KAMAJI_CONTROL_PLANE, kinds.TENANT_CONTROL_PLANE)
    return [each for kind in every for each in await world.everybody.list(kind, world.namespace)]


async def initialized(world: World) -> bool:
    found = await world.get(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    return "initialization" in ((found or {}).get("status") or {})


def told(kcp: Manifest) -> Any:
    return kcp["spec"]["controlPlaneEndpoint"]


async def test_a14_a_control_plane_in_another_cluster_stays_there_while_its_cluster_moves(
    with_core: World, target: World, far: World, tmp_path: Path
) -> None:
    with_core.gates = ON
    with_core.restart()
    await access(with_core, by_token(far.server))
    moves = {"metadata": {"labels": {"clusterctl.cluster.x-k8s.io/move": ""}}}
    await with_core.change(kinds.SECRET, "far", moves)
    await core.infrastructure_there(with_core)
    await with_core.control_plane(deployment={"externalClusterReference": FIELD})
    name = names.hosted_elsewhere(with_core.namespace, "kcp")

    async def asked() -> bool:
        await with_core.reconcile()
        return await far.get(kinds.TENANT_CONTROL_PLANE, name) is not None

    await until(asked)
    await far.host(name)
    await core.says(with_core, "ControlPlaneInitialized")
    tenant, before = await far.tcp(name), await with_core.kcp()
    with running(with_core, GATE), running(target, GATE):
        await move(with_core, target, tmp_path)
        await until(lambda: initialized(target))
    now, after = await far.tcp(name), await target.kcp()
    assert now["metadata"]["uid"] == tenant["metadata"]["uid"]
    assert now["spec"] == tenant["spec"]
    assert "deletionTimestamp" not in now["metadata"]
    assert meta.labels_of(now)[names.LABEL_CONTROL_PLANE_UID] == after["metadata"]["uid"] != before["metadata"]["uid"]
    assert names.ANNOTATION_PAUSED not in meta.annotations_of(now)
    assert told(after) == told(before)
    found = await far.everybody.list(kinds.TENANT_CONTROL_PLANE, THERE)
    assert [each["metadata"]["name"] for each in found] == [name]
    assert await left(with_core) == []


async def test_a14_a_control_plane_of_the_same_cluster_goes_along_and_its_cluster_keeps_its_word(
    with_core: World, target: World, tmp_path: Path
) -> None:
    await core.born(with_core)
    tenant, before = await with_core.tcp(), await with_core.kcp()
    pair = (await with_core.secret("c-ca"))["data"]
    with running(with_core), running(target):
        await move(with_core, target, tmp_path)
        address = with_core.server.url.removeprefix("https://")  # one that both clusters can give
        await target.host(endpoint=address)  # the hosting room there takes it up
        await until(lambda: initialized(target))
    arrived, after = await target.tcp(), await target.kcp()
    assert arrived["spec"] == tenant["spec"]
    assert names.ANNOTATION_PAUSED not in meta.annotations_of(arrived)
    assert arrived["metadata"]["ownerReferences"][0]["uid"] == after["metadata"]["uid"]
    assert told(after) == told(before)
    assert (await target.secret("c-ca"))["data"] == pair
    assert await left(with_core) == []
