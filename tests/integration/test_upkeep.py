"""An etcd is kept small, gets out of a full database, is closed again, and is rid of what is nobody's: on real etcds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
import pytest
from prometheus_client import REGISTRY

from lab.servers import Authority, Etcd
from provider.api import kinds, names
from provider.hosting.datastores.etcd import upkeep as member_upkeep
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.reconcile import datastore as store_pass
from provider.hosting.reconcile.context import Context
from provider.hosting.reconcile.sampling import Sampler
from provider.hosting.reconcile.upkeep import FULL_ROUND, Upkeep
from provider.hosting.view import Keyspace
from provider.manifest.condition import find
from tests.integration.tenant_world import Store, TenantWorld

MI = 2**20
QUOTA = 16 * MI


async def offered(hosting: TenantWorld, namespace: str, folder: Path, **etcd: Any) -> Store:
    authority = Authority()
    return await hosting.offer(f"kept-{namespace}", Etcd(folder, authority=authority, **etcd).start(), authority)


@pytest.fixture
async def store(hosting: TenantWorld, namespace: str, tmp_path: Path) -> AsyncIterator[Store]:
    found = await offered(hosting, namespace, tmp_path / "etcd", quota=QUOTA)
    yield found
    found.etcd.stop()


async def status(hosting: TenantWorld, store: Store) -> dict[str, Any]:
    found = await hosting.admin.get(kinds.DATA_STORE, store.name)
    assert found is not None
    return dict(found.get("status") or {})


async def told(hosting: TenantWorld, store: Store) -> list[tuple[str, str]]:
    """(reason, note) of the DataStore's Events."""
    events = await hosting.admin.list(kinds.EVENT, "default")
    mine = [each for each in events if each["regarding"]["name"] == store.name]
    return [(each["reason"], each["note"]) for each in sorted(mine, key=lambda each: str(each["eventTime"]))]


async def resident(hosting: TenantWorld, store: Store, namespace: str, name: str, **usage: int) -> str:
    """A tenant that was let in and measured; its keyspace."""
    tenant = await hosting.ask_for(name, namespace, store)
    await hosting.passed(tenant)
    patch = {"status": {"storage": {"usage": usage}}}
    await hosting.admin.merge(kinds.TENANT_CONTROL_PLANE, name, namespace, patch, subresource="status", manager="tests")
    return str(tenant["metadata"]["uid"])


def counted(store: Store, what: str) -> float:
    return (
        REGISTRY.get_sample_value("kamaji_datastore_upkeep_total", {"datastore_name": store.name, "what": what}) or 0.0
    )


def members(store: Store, what: str) -> float | None:
    return REGISTRY.get_sample_value("kamaji_datastore_members", {"datastore_name": store.name, "what": what})


def air(store: Store) -> float | None:
    """For how long a member has waited to be defragmented."""
    return REGISTRY.get_sample_value("kamaji_datastore_defragmentation_lag_seconds", {"datastore_name": store.name})


# Small


async def test_history_is_dropped_once_it_is_old_enough_and_not_before(hosting: TenantWorld, store: Store) -> None:
    now = [0.0]
    upkeep = Upkeep(hosting.context, lambda: now[0])
    async with await store.wire() as root:
        first = (await root.kv.put(b"/x/a", b"1")).header.revision
        await root.kv.put(b"/x/a", b"2")
        await upkeep(store.name)
        await root.kv.put(b"/x/a", b"3")
        now[0] = 299.0
        await upkeep(store.name)
        assert (await root.kv.get(b"/x/a", revision=first)).kvs[0].value == b"1"
        lag = REGISTRY.get_sample_value("kamaji_datastore_compaction_lag_seconds", {"datastore_name": store.name})
        assert lag == 299.0
        now[0] = 300.0
        await upkeep(store.name)
        with pytest.raises(grpc.aio.AioRpcError, match="compacted"):
            await root.kv.get(b"/x/a", revision=first)
        assert (await root.kv.get(b"/x/a")).kvs[0].value == b"3"
        # Who else compacts, as etcd itself does, is in nobody's way.
        await root.kv.compact((await root.kv.put(b"/x/a", b"4")).header.revision)
        now[0] = 600.0
        await upkeep(store.name)
    assert counted(store, "compacted") == 2


@pytest.mark.keeps("better.upkeep")
async def test_a_member_that_is_mostly_air_is_written_anew_and_then_left_alone(
    hosting: TenantWorld, store: Store
) -> None:
    upkeep = Upkeep(hosting.context, lambda: 0.0, history=0.0, least=4 * MI)
    async with await store.wire() as root:
        await filled(root, b"/x/air", 16)
        await upkeep(store.name)
        assert counted(store, "defragmented") == 0
        await root.kv.delete(b"/x/", b"/x0")
        before = (await root.maintenance.status()).dbSize
        async with asyncio.timeout(90):
            while not counted(
                store, "defragmented"
            ):  # what is compacted goes off the pages in its own time, with writes
                await root.kv.put(b"/y/beat", b"")
                await upkeep(store.name)
                await asyncio.sleep(0.1)
        assert (await root.maintenance.status()).dbSize < before / 4
        await upkeep(store.name)
        assert air(store) == 0
        assert counted(store, "defragmented") == 1


@pytest.mark.keeps("better.upkeep")
async def test_of_three_members_the_followers_come_first_and_the_leader_gives_the_lead_away(
    hosting: TenantWorld, namespace: str, tmp_path: Path
) -> None:
    authority = Authority()
    three = [Etcd(tmp_path / name, authority=authority, name=name) for name in ("a", "b", "c")]
    for each in three:
        each.peers = tuple(other.peer for other in three)
    try:
        for each in three:
            each.start()
        await all_serve(three)
        store = await hosting.offer(f"three-{namespace}", three[0], authority)
        context = hosting.context
        order: list[tuple[int, bool]] = []
        with pytest.MonkeyPatch.context() as patch:
            defragment = member_upkeep.defragment

            async def noted(opened: Any) -> None:
                size = await member_upkeep.size(opened)
                order.append((size.member, size.leader == size.member))
                await defragment(opened)

            patch.setattr(member_upkeep, "defragment", noted)
            async with await store.wire() as root:
                await filled(root, b"/x/air", 16)
                await root.kv.delete(b"/x/", b"/x0")
                await compacted(root, len(three))
                three[2].stop()
                await all_serve(three[:2])
                await Upkeep(context, lambda: 0.0, least=4 * MI)(store.name)
                assert order == [], "one is down: no other pauses"
                assert [members(store, each) for each in ("all", "healthy")] == [3, 2]
                three[2].start()
                await all_serve(three)
                async with asyncio.timeout(180):
                    while not all([await is_air(each, store) for each in three]):
                        await root.kv.put(b"/y/beat", b"")  # with writes pages become free
                        await asyncio.sleep(0.2)
                leader = (await root.maintenance.status()).leader
                async with asyncio.timeout(180), said_by(three) as said:
                    while len({member for member, _ in order}) < len(three):
                        await Upkeep(context, lambda: 0.0, least=4 * MI)(store.name)
                assert_one_after_the_other(said)
                assert [members(store, each) for each in ("all", "healthy")] == [3, 3]
                if leader == (await root.maintenance.status()).leader:
                    pytest.fail("the lead was not handed on")
        assert len(order) == len({member for member, _ in order}) == len(three)
        assert not any(leads for _, leads in order)
        assert order[-1][0] == leader, "who led comes last"
    finally:
        for each in three:
            each.stop()


async def is_air(etcd: Etcd, store: Store) -> bool:
    """Whether most of a member's database holds nothing any more, as it says itself."""
    async with EtcdStore([etcd.endpoint], store.authority.certificate, store.pair) as alone:
        size = await member_upkeep.size(alone)
    return size.size - size.in_use >= 4 * MI and size.size > 2 * size.in_use


Said = tuple[tuple[int, int, int], ...]
"""Of each member: how often it was defragmented, whether it is being so, whether it leads."""
SAID = ("etcd_disk_backend_defrag_duration_seconds_count", "etcd_disk_defrag_inflight", "etcd_server_is_leader")


@asynccontextmanager
async def said_by(etcds: list[Etcd]) -> AsyncIterator[list[Said]]:
    """What the members' own metrics say, looked at as often as they answer."""
    said: list[Said] = []

    def of(etcd: Etcd) -> tuple[int, int, int]:
        with urlopen(f"http://{etcd.told}/metrics", timeout=5) as answer:
            lines = dict(each.rsplit(" ", 1) for each in answer.read().decode().splitlines() if each.startswith(SAID))
        first, second, third = (int(float(lines[each])) for each in SAID)
        return first, second, third

    async def look() -> None:
        while True:
            said.append(tuple([await asyncio.to_thread(of, each) for each in etcds]))

    task = asyncio.create_task(look())
    try:
        yield said
        said.append(tuple([of(each) for each in etcds]))
    finally:
        task.cancel()


def assert_one_after_the_other(said: list[Said]) -> None:
    """At no look was more than one being written anew, and none was that led before and after."""
    for before, after in pairwise(said):
        rose = [number for number, (was, now) in enumerate(zip(before, after, strict=True)) if was[0] != now[0]]
        assert not any(before[each][2] and after[each][2] for each in rose), "a member that leads is not paused"
        assert sum(each[1] for each in after) <= 1
    first, last = ([each[0] for each in look] for look in (said[0], said[-1]))
    assert [now - was for was, now in zip(first, last, strict=True)] == [1, 1, 1]


async def all_serve(etcds: list[Etcd]) -> None:
    """An election takes a moment."""
    async with asyncio.timeout(90):
        while not all(each.serves() for each in etcds):
            await asyncio.sleep(0.1)


# Full


@pytest.mark.keeps("better.upkeep")
async def test_a_store_that_history_has_filled_takes_writes_again_and_says_who_it_was(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    await resident(hosting, store, namespace, "heavy", bytes=5 * MI, keys=9, writesPerMinute=600)
    async with await store.wire() as root:
        with pytest.raises(grpc.aio.AioRpcError, match="space exceeded"):
            await filled(root, b"/x/same", 1000, same=True)
        await store_pass.datastore(hosting.context, store.name)
        found = find((await status(hosting, store))["conditions"], "HasSpace") or {}
        assert (found["status"], found["reason"]) == ("False", "Full")
        assert f"{namespace}/heavy (5Mi, 600 writes a minute)" in found["message"]

        upkeep = Upkeep(hosting.context, lambda: 0.0)
        async with asyncio.timeout(60):
            while await upkeep(store.name) == FULL_ROUND:  # its pages become free a moment later
                await asyncio.sleep(0.2)
        await root.kv.put(b"/x/again", b"")
        assert (await root.maintenance.alarms()).alarms == []
    await store_pass.datastore(hosting.context, store.name)
    now = await status(hosting, store)
    assert now["ready"] is True
    assert (find(now["conditions"], "HasSpace") or {})["status"] == "True"
    assert [
        f"{namespace}/heavy" in note for reason, note in await told(hosting, store) if reason == "SpaceReclaimed"
    ] == [True]


async def test_a_store_that_is_full_of_data_stays_closed_until_something_is_deleted(
    hosting: TenantWorld, store: Store
) -> None:
    upkeep = Upkeep(hosting.context, lambda: 0.0)
    async with await store.wire() as root:
        with pytest.raises(grpc.aio.AioRpcError, match="space exceeded"):
            await filled(root, b"/x/data", 1000)
        assert await upkeep(store.name) == FULL_ROUND
        assert len((await root.maintenance.alarms()).alarms) == 1
        assert "StoreFull" in [reason for reason, _ in await told(hosting, store)]
        await root.kv.delete(b"/x/", b"/x0")
        async with asyncio.timeout(60):
            while await upkeep(store.name) == FULL_ROUND:  # its pages become free a moment later
                await asyncio.sleep(0.2)
        assert (await root.maintenance.alarms()).alarms == []
        await root.kv.put(b"/x/again", b"")


# Open


@pytest.mark.keeps("better.upkeep")
async def test_auth_that_somebody_switched_off_is_found_told_loudly_and_on_again(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    await resident(hosting, store, namespace, "exposed", bytes=1)
    async with await store.wire() as root:
        await root.auth.auth_disable()
        await store_pass.datastore(hosting.context, store.name)
        assert (await root.auth.auth_status()).enabled is True
    now = await status(hosting, store)
    assert now["ready"] is True
    assert now["lastUnguarded"]
    (note,) = [note for reason, note in await told(hosting, store) if reason == "AuthSwitchedOn"]
    assert f"{namespace}/exposed" in note
    hosting.dialled.clear()
    tenant = await hosting.admin.get(kinds.TENANT_CONTROL_PLANE, "exposed", namespace)
    assert tenant is not None
    await hosting.passed(tenant)
    assert tenant["metadata"]["uid"] in hosting.dialled, "its proof is made anew"


async def test_a_store_that_nobody_is_in_is_left_to_its_owner(hosting: TenantWorld, store: Store) -> None:
    async with await store.wire() as root:
        await root.auth.auth_disable()
        await store_pass.datastore(hosting.context, store.name)
        assert (await root.auth.auth_status()).enabled is False
    assert (await status(hosting, store))["ready"] is False


# Nobody's


@pytest.mark.keeps("better.orphans")
async def test_orphans_are_listed_and_erased_by_name_only_and_a_tenant_never_is(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    mine = await resident(hosting, store, namespace, "staying", bytes=1)
    async with store.root() as root, await store.wire() as wire:
        await root.ensure(Keyspace(schema="lost", user="lost-user"))
        await root.ensure(Keyspace(schema="other", user="other"))
        for each in (b"/lost/a", b"/lost/b", b"/bare/c", f"/{mine}/kept".encode()):
            await wire.kv.put(each, b"")
        await sampled(hosting.context, store)
        expected = [
            {"name": "bare", "user": "bare", "keys": 1},
            {"name": "lost", "user": "lost-user", "keys": 2},
            {"name": "other", "user": "other", "keys": 0},
        ]
        assert (await status(hosting, store))["orphans"] == expected
        assert [reason for reason, _ in await told(hosting, store)].count("OrphansFound") == 1
        assert await root.count("lost") == 2, "to be found takes nothing away"

        patch = {"metadata": {"annotations": {names.ANNOTATION_ERASE_ORPHANS: f"lost, bare,{mine}"}}}
        await hosting.admin.merge(kinds.DATA_STORE, store.name, None, patch, manager="tests")
        await store_pass.datastore(hosting.context, store.name)
        assert [await root.count(each) for each in ("lost", "bare", mine)] == [0, 0, 1]
        assert {mine, "other"} <= await root.roles()
        assert "lost-user" not in await root.users()
        assert [each["name"] for each in (await status(hosting, store))["orphans"]] == ["other"]
    found = await hosting.admin.get(kinds.DATA_STORE, store.name)
    assert found is not None
    assert names.ANNOTATION_ERASE_ORPHANS not in (found["metadata"].get("annotations") or {})
    notes = dict(await told(hosting, store))
    assert f"'{mine}' is no orphan" in notes["OrphanKept"]
    erased = [note for reason, note in await told(hosting, store) if reason == "OrphanErased"]
    assert any("keyspace lost" in each and "2 keys were deleted, 0 are left" in each for each in erased)


async def sampled(context: Context, store: Store) -> None:
    await Sampler(context, lambda: 0.0, window=0.1)(store.name)


async def filled(root: Any, key: bytes, count: int, *, same: bool = False) -> None:
    """So many values of half a MiB. etcd counts its size anew at each commit, ten times a second: it is full a little later."""
    for number in range(count):
        await root.kv.put(key if same else key + str(number).encode(), bytes(MI // 2))


async def compacted(root: Any, members: int = 1) -> None:
    """History is off the pages of every member."""
    await root.kv.compact((await root.kv.get(b"x")).header.revision, physical=True)
    await asyncio.sleep(0.5 * (members - 1))
