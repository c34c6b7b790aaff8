"""A pool's store goes from one minor version of etcd to the next, both of them real, with data in it and under writes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from provider.api import kinds
from provider.hosting.datastores.errors import StoreError
from provider.hosting.desired.pool import snapshot
from provider.hosting.reconcile import membership
from tests.integration.pool_fleet import (
    KEYS,
    PATIENCE,
    Fleet,
    a_quorum_serves,
    asked,
    begun,
    is_whole,
    leader_of,
    snapshots,
    until_counted,
)
from tests.integration.pool_pods import Pods
from tests.integration.pool_world import World
from tests.integration.snapshot_pod import SnapshotPod

OLD, NEW = "3.6.16", "3.7.3"
PROGRAMS = {NEW: "etcd-3.7"}


async def old(world: World, name: str, folder: Path, running: list[Pods], **spec: Any) -> Fleet:
    fleet = await begun(world, name, folder, running, version=OLD, **spec)
    fleet.pods.programs = PROGRAMS
    return fleet


async def versions(fleet: Fleet) -> dict[str, str]:
    """What each member that answers says it runs."""
    seen = await membership.seen(fleet.world.context, await fleet.world.view(fleet.name))
    return {each.name: each.version for each in seen.membership or () if each.version}


async def written(fleet: Fleet, key: int) -> bool:
    """Whether the store said that it has the key."""
    try:
        async with asyncio.timeout(5), fleet.store() as store, store.told():
            await store.wire.kv.put(f"/tenant/during/{key}".encode(), b"")
    except (StoreError, TimeoutError):
        return False
    return True


@pytest.mark.fields("DataStorePool", "spec.version")
@pytest.mark.keeps("better.rolling-upgrade")
async def test_a_store_becomes_the_next_minor_one_member_at_a_time_and_loses_no_write_that_it_took(
    world: World, tmp_path: Path, running: list[Pods]
) -> None:
    fleet = await old(world, "climbs", tmp_path, running, snapshots={"to": {"volume": {"claimName": "backups"}}})
    leader, order, taken = await leader_of(fleet), [], 0
    await asked(fleet, version=NEW)
    async with asyncio.timeout(PATIENCE):
        while len(order) < 3:
            await fleet.step()
            now = {name for name, version in (await versions(fleet)).items() if version == NEW}
            assert len(now - set(order)) <= 1, "one at a time"
            assert not now or snapshots(fleet), "not before the snapshot"
            order += sorted(now - set(order))
            await a_quorum_serves(fleet)
            taken += await written(fleet, taken)
    await fleet.ready(3)
    assert order[-1] == leader
    assert taken > 3
    assert await fleet.count() == KEYS + taken
    assert set((await versions(fleet)).values()) == {NEW}
    assert (await fleet.condition("Updated"))[:2] == ("True", "Updated")
    assert [is_whole(each) for each in snapshots(fleet)] == [True]
    store = (await world.get(kinds.DATA_STORE, "climbs"))["status"]
    assert (store["ready"], store["version"]) == (True, NEW)
    async with fleet.store() as wire:
        assert (await wire.health()).auth_enabled

    (tmp_path / "run").mkdir()
    run = SnapshotPod(fleet, tmp_path / "run", tmp_path / "backups")
    await run.run()
    await fleet.step()
    assert (await fleet.condition("SnapshotsTaken"))[0] == "True", "the next minor's own tools restore what it gave out"

    await asked(fleet, version=OLD)
    await fleet.step()
    assert (await fleet.condition("Accepted"))[:2] == ("False", "VersionDowngrade")
    assert set((await versions(fleet)).values()) == {NEW}


@pytest.mark.nightly
async def test_a_member_that_does_not_come_up_with_the_next_minor_stops_it_and_the_others_serve_as_they_were(
    world: World, tmp_path: Path, running: list[Pods]
) -> None:
    fleet = await old(world, "halts", tmp_path, running)
    fleet.pods.programs = {NEW: "etcdutl"}  # a program that ends at once
    await asked(fleet, version=NEW)
    await fleet.until(lambda view: snapshot.told(view) == NEW)
    await fleet.until_told("Updated", "False", "UpdateStopped")
    for _ in range(8):
        await fleet.step()
    async with asyncio.timeout(PATIENCE):
        while sorted((found := await versions(fleet)).values()) != [OLD, OLD]:
            await fleet.step()
    (silent,) = set(fleet.pods.members) - set(found)
    message = await fleet.until_told("Updated", "False", "UpdateStopped")
    assert f"until {silent} answers" in message
    await until_counted(fleet)

    fleet.pods.programs, fleet.pods.members[silent].program = PROGRAMS, PROGRAMS[NEW]
    async with asyncio.timeout(PATIENCE):
        while set((await versions(fleet)).values()) != {NEW}:
            await fleet.step()
    await fleet.ready(3)
    assert await fleet.count() == KEYS


async def test_a_jump_over_a_minor_is_refused_and_nothing_is_touched(
    world: World, tmp_path: Path, running: list[Pods]
) -> None:
    fleet = await old(world, "jumps", tmp_path, running)
    await asked(fleet, version="3.8.0")
    for _ in range(3):
        await fleet.step()
    status, reason, message = await fleet.condition("Accepted")
    assert (status, reason) == ("False", "VersionJump")
    assert "set spec.version to a 3.7 first" in message
    assert set((await versions(fleet)).values()) == {OLD}
    assert snapshots(fleet) == []
