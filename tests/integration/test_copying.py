"""A tenant's range copied from one real etcd to another while it is written, with crashes, and what its clients see after."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc
import pytest
from etcd3aio import EtcdPermissionDeniedError

from lab.servers import Authority, Etcd
from provider.hosting.datastores.errors import CopyDiffers, Replaced, RevisionGap, Taken
from provider.hosting.datastores.etcd import dialing
from provider.hosting.datastores.etcd.copying import reading, revisions
from provider.hosting.datastores.etcd.copying.engine import Copy
from provider.hosting.datastores.etcd.ranges import copy_of, range_of
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.view import Keyspace

COUNTER = itertools.count(1)
PATIENCE = 180.0  # seconds; a bound against hanging for ever


@dataclass(frozen=True)
class Place:
    """A real etcd with auth on."""

    etcd: Etcd
    authority: Authority

    def store(self, user: str = "root") -> EtcdStore:
        return EtcdStore([self.etcd.endpoint], self.authority.certificate, self.authority.client(user))


@dataclass
class Pair:
    """A tenant's store and the one it moves to, both open as root."""

    source: EtcdStore
    target: EtcdStore
    places: tuple[Place, Place]
    keyspace: Keyspace

    @property
    def schema(self) -> str:
        return self.keyspace.schema

    def key(self, name: str) -> bytes:
        return range_of(self.schema).start + name.encode()

    def copy(self, token: str = "one") -> Copy:
        return Copy(self.source, self.target, self.schema, token)

    async def put(self, name: str, value: bytes, lease: int = 0) -> int:
        put = partial(self.source.wire.kv.put, self.key(name), value, lease, timeout=5)
        return int((await dialing.settled(put)).header.revision)

    async def filled(self, count: int, size: int = 100) -> None:
        turns = asyncio.Semaphore(50)  # each put has a limit of time of its own

        async def one(number: int) -> None:
            async with turns:
                await self.put(f"{number:06}", b"v" * size)

        await asyncio.gather(*(one(number) for number in range(count)))

    async def content(self, store: EtcdStore) -> dict[bytes, bytes]:
        found = {}
        async for page in reading.pages(store, range_of(self.schema), await store.revision()):
            found |= {bytes(each.key): bytes(each.value) for each in page}
        return found


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Place]]:
    found = []
    for each in ("source", "target"):
        authority = Authority()
        found.append(Place(Etcd(tmp_path_factory.mktemp(each), authority=authority).start(), authority))
    yield (found[0], found[1])
    for place in found:
        place.etcd.stop()


@pytest.fixture
async def pair(places: tuple[Place, Place]) -> AsyncIterator[Pair]:
    name = f"copied-{next(COUNTER)}"
    async with places[0].store() as source, places[1].store() as target:
        for each in (source, target):
            await each.enable_auth()
        keyspace = Keyspace(schema=name, user=name)
        await source.ensure(keyspace)
        await target.ensure(keyspace, writable=False)
        yield Pair(source, target, places, keyspace)


@asynccontextmanager
async def running(copy: Copy) -> AsyncIterator[asyncio.Task[None]]:
    """Until the block ends, as a crash would end it."""
    await copy.taken()
    task = asyncio.create_task(copy.run())
    try:
        async with asyncio.timeout(PATIENCE):
            yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@dataclass
class Writer:
    """The tenant with its own certificate: puts, overwrites and deletes, and knows what it was told is done."""

    pair: Pair
    acknowledged: dict[bytes, bytes | None] = field(default_factory=dict)
    revision: int = 0
    writes: int = 0
    refused: int = 0

    async def write(self, wire: Any, number: int) -> None:
        key, value = self.pair.key(f"w/{number % 97:03}"), str(number).encode()
        try:
            if number % 7 == 3:
                done = await dialing.settled(partial(wire.kv.delete, key, timeout=5))
                self.acknowledged[key] = None
            else:
                done = await dialing.settled(partial(wire.kv.put, key, value, timeout=5))
                self.acknowledged[key] = value
            self.revision = int(done.header.revision)
            self.writes += 1
        except EtcdPermissionDeniedError:
            self.refused += 1

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Fifty a second."""

        async def forever() -> None:
            async with self.pair.places[0].store(self.pair.keyspace.user) as own:
                for number in itertools.count():
                    await self.write(own.wire, number)
                    await asyncio.sleep(0.02)

        task = asyncio.create_task(forever())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def test_all_that_was_acknowledged_to_a_writing_tenant_is_there_when_the_copy_is_finished(pair: Pair) -> None:
    await pair.filled(1000)
    writer, copy = Writer(pair), pair.copy()
    async with writer.at_work(), running(copy):
        await copy.level(await pair.source.revision())
        writes = writer.writes
        while writer.writes < writes + 20:  # some more of them
            await asyncio.sleep(0.02)
        await pair.source.ensure(pair.keyspace, writable=False)
        await copy.finish()
        assert len(writer.acknowledged) > 10
    there = await pair.content(pair.target)
    assert {key: there.get(key) for key in writer.acknowledged} == writer.acknowledged
    assert there == await pair.content(pair.source)
    async with pair.places[0].store(pair.keyspace.user) as own:
        refused = writer.refused
        await writer.write(own.wire, 1)
        assert writer.refused == refused + 1, "the source is written no more"
        assert (await own.wire.kv.get(pair.key("000000"))).count == 1, "and read on"


async def test_a_copy_that_dies_at_any_point_is_gone_on_with_by_the_next_and_the_dead_one_writes_no_more(
    pair: Pair,
) -> None:
    await pair.filled(1500)
    writer = Writer(pair)
    async with writer.at_work():
        dead = pair.copy()
        await dead.taken()
        for died_after in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8):
            copy = pair.copy()
            async with running(copy):
                await asyncio.sleep(died_after)
        with pytest.raises(Replaced):
            await dead.run()
        copy = pair.copy()
        async with running(copy):
            await pair.source.ensure(pair.keyspace, writable=False)
            await copy.finish()
    assert await pair.content(pair.target) == await pair.content(pair.source)
    again = pair.copy()
    assert (await again.taken()).sealed
    await again.run()  # which has nothing left to do
    await again.finish()
    with pytest.raises(Replaced):
        await copy._held.note(copy._held.position)


async def test_a_copy_reads_on_from_where_it_was_and_not_from_the_beginning(pair: Pair) -> None:
    await pair.filled(1200, size=2000)
    first = pair.copy()
    async with running(first):
        while not first._held.position.after:
            await asyncio.sleep(0.001)
    second = pair.copy()
    position = await second.taken()
    assert position.after
    assert not position.read
    assert position.pinned == first._held.position.pinned
    async with running(second):
        await second.level(await pair.source.revision())
    assert await pair.content(pair.target) == await pair.content(pair.source)


async def test_revisions_of_the_target_are_above_all_that_the_tenant_has_seen(pair: Pair) -> None:
    await pair.filled(2000)
    copy, last = pair.copy(), 0
    async with running(copy):
        await copy.level(await pair.source.revision())
        last = await pair.put("late", b"late")
        await pair.source.ensure(pair.keyspace, writable=False)
        await copy.finish()
    seen = await pair.source.revision()
    assert seen >= last
    found = [each async for page in reading.pages(pair.target, range_of(pair.schema), 0) for each in page]
    originals = {
        bytes(each.key): each.mod_revision
        async for page in reading.pages(pair.source, range_of(pair.schema), 0)
        for each in page
    }
    assert all(each.mod_revision > originals[bytes(each.key)] for each in found), "no object equals its own past"
    assert await pair.target.revision() > seen
    with pytest.raises(grpc.aio.AioRpcError, match="compacted"):
        await pair.target.wire.kv.get(pair.key("late"), revision=last)


async def test_a_watch_with_a_revision_of_the_source_is_told_that_it_is_too_old_and_not_left_without_events(
    pair: Pair,
) -> None:
    old = await pair.put("one", b"1")
    copy = pair.copy()
    async with running(copy):
        await pair.source.ensure(pair.keyspace, writable=False)
        await copy.finish()
    await pair.target.ensure(pair.keyspace)
    async with pair.places[1].store(pair.keyspace.user) as own:
        own_range = range_of(pair.schema)
        async for answer in own.wire.watch.watch(own_range.start, own_range.end, start_revision=old + 1):
            if answer.compact_revision:
                assert answer.compact_revision > old
                break


async def test_leases_end_in_the_target_when_they_would_have_in_the_source(pair: Pair) -> None:
    wire = pair.source.wire
    short, long = [(await wire.lease.grant(seconds)).ID for seconds in (6, 3600)]
    await pair.put("short", b"s", short)
    await pair.put("long", b"l", long)
    await asyncio.sleep(1.2)
    copy = pair.copy()
    async with running(copy):
        await copy.level(await pair.source.revision())
        later = (await wire.lease.grant(1800)).ID
        await pair.put("later", b"e", later)
        await pair.source.ensure(pair.keyspace, writable=False)
        await copy.finish()
    for name, lease, whole in (("long", long, 3600), ("later", later, 1801)):
        kv = (await pair.target.wire.kv.get(pair.key(name))).kvs[0]
        found = (await pair.target.wire.lease.time_to_live(kv.lease)).TTL
        assert found == pytest.approx((await wire.lease.time_to_live(lease)).TTL, abs=10)
        assert found < whole, "what is left, not the whole time anew"
    async with asyncio.timeout(PATIENCE):
        while (await pair.target.wire.kv.get(pair.key("short"))).count:
            await asyncio.sleep(0.1)


async def test_values_as_large_as_etcd_takes_and_pages_of_them_are_copied(pair: Pair) -> None:
    for number in range(9):
        await pair.put(f"large-{number}", bytes([number]) * (1536 * 1024 - 400))
    await pair.filled(50)
    copy = pair.copy()
    async with running(copy):
        await copy.level(await pair.source.revision())
        await pair.put("large-late", b"z" * (1536 * 1024 - 400))
        await pair.source.ensure(pair.keyspace, writable=False)
        await copy.finish()
    assert await pair.content(pair.target) == await pair.content(pair.source)


async def test_a_copy_whose_source_has_forgotten_what_it_read_begins_over(pair: Pair) -> None:
    await pair.filled(600, size=2000)
    first = pair.copy()
    async with running(first):
        while not first._held.position.after:
            await asyncio.sleep(0.001)
    await pair.source.wire.kv.delete(pair.key("000001"))  # copied already, and nobody will tell
    await revisions.forgotten(pair.source)
    second = pair.copy()
    async with running(second):
        await pair.source.ensure(pair.keyspace, writable=False)
        await second.finish()
    assert await pair.content(pair.target) == await pair.content(pair.source)


async def test_a_copy_that_somebody_altered_is_not_taken_for_the_same(pair: Pair) -> None:
    await pair.filled(20)
    copy = pair.copy()
    async with running(copy):
        await copy.level(await pair.source.revision())
        await pair.target.wire.kv.put(pair.key("000007"), b"another")
        await pair.source.ensure(pair.keyspace, writable=False)
        with pytest.raises(CopyDiffers):
            await copy.finish()


async def test_keys_of_somebody_else_and_of_another_copy_are_not_written_over(pair: Pair) -> None:
    await pair.target.wire.kv.put(pair.key("theirs"), b"theirs")
    with pytest.raises(Taken, match="1 keys"):
        await pair.copy().taken()
    await pair.target.wire.kv.delete(pair.key("theirs"))
    await pair.copy("one").taken()
    with pytest.raises(Taken, match="another copy"):
        await pair.copy("two").taken()


async def test_a_target_that_is_too_far_below_is_refused_with_what_to_do(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisions, "MOST", 10)
    while await pair.source.revision() <= await pair.target.revision():
        await pair.filled(500)
    copy = pair.copy()
    await copy.taken()
    with pytest.raises(RevisionGap, match="bump-revision"):
        await copy.run()


async def test_what_was_dropped_leaves_no_note_of_a_copy(pair: Pair) -> None:
    await pair.filled(20)
    copy = pair.copy()
    async with running(copy):
        await copy.level(await pair.source.revision())
        await pair.target.drop(pair.keyspace)
        assert (await pair.target.wire.kv.get(copy_of(pair.schema))).count == 0
    with pytest.raises(Replaced):
        await copy._held.note(copy._held.position)
    assert await pair.target.count(pair.schema) == 0
