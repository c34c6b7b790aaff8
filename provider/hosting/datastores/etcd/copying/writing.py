"""Writes a copy's target: changes and the note of how far they go in one transaction, fenced by that note. For `engine` and
`pouring`.

Whoever takes a copy up writes its own name into the note first. A transaction holds only while the note is the one that its
writer wrote last, so a process that was thought dead and is not changes nothing any more: not while another copies, and not
after the target has become the tenant's home.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import grpc
from etcd3aio.kv import KVService

from provider.hosting.datastores.errors import Replaced, StoreError, Taken
from provider.hosting.datastores.etcd import dialing
from provider.hosting.datastores.etcd.copying import revisions
from provider.hosting.datastores.etcd.copying.plan import BYTES, Change, Position, lease_id, transactions
from provider.hosting.datastores.etcd.ranges import copy_of, range_of
from provider.hosting.datastores.etcd.store import EtcdStore

LIMIT = 10.0  # seconds for a transaction
LEASES = 4096  # remembered at once; one that was forgotten is granted again, which changes nothing
Left = Callable[[int], Awaitable[int]]
"""Seconds that are left of a lease; below 0 when it has ended."""
LEASE_EXISTS, LEASE_GONE = "lease already exists", "requested lease not found"


@dataclass
class Target:
    """The range as it is being made, and what was noted last. `left` knows the leases of where the keys come from."""

    store: EtcdStore
    left: Left
    schema: str
    position: Position
    revision: int = 0  # the target's, as last heard
    _leases: dict[int, int] = field(default_factory=dict)  # of the source: the target's; 0: it has ended

    async def write(self, changes: Sequence[Change], position: Position) -> None:
        """All changes, and with the last of them the note. Replaced when the note is somebody else's by now.

        The target's revision is above each change's of the source, so that no object has the revision of its own past.
        """
        await self.above(max(each.revision for each in changes))
        batches = list(transactions(changes))
        for batch in batches[:-1]:
            await self._batch(batch, None)
        await self._batch(batches[-1], position)

    async def note(self, position: Position) -> None:
        """Only the note."""
        await self._commit([], position)

    async def emptied(self, position: Position) -> None:
        """Begin over: nothing is in the range."""
        own = range_of(self.schema)
        await self._commit([KVService.txn_op_delete(own.start, range_end=own.end)], position)

    async def above(self, revision: int) -> None:
        """The target's revision is higher than this one of the source. RevisionGap when that is too far."""
        if self.revision <= revision:
            self.revision = await revisions.raised(self.store, revision)

    async def _batch(self, batch: Sequence[Change], position: Position | None) -> None:
        """One transaction; what is as large as etcd takes goes without the note, which then goes after it."""
        alone = sum(each.size for each in batch) > BYTES
        try:
            await self._commit(await self._operations(batch), None if alone else position)
        except StoreError as error:
            if LEASE_GONE not in str(error):
                raise
            self._leases.clear()  # one ended between the look and the write
            await self._commit(await self._operations(batch), None if alone else position)
        if alone and position is not None:
            await self._commit([], position)

    async def _commit(self, operations: Sequence[Any], position: Position | None) -> None:
        key = copy_of(self.schema)
        held = KVService.txn_compare_value(key, self.position.written())
        noted = [KVService.txn_op_put(key, position.written())] if position else []
        async with self.store.told():
            ask = partial(self.store.wire.kv.txn, [held], [*operations, *noted], timeout=LIMIT, max_attempts=1)
            answer = await dialing.settled(ask)
        if not answer.succeeded:
            raise Replaced("another process goes on with this copy")
        self.revision, self.position = int(answer.header.revision), position or self.position

    async def _operations(self, batch: Sequence[Change]) -> list[Any]:
        """None for a key whose lease has ended: that it is gone is told by a change of its own."""
        found = []
        for each in batch:
            if each.value is None:
                found.append(KVService.txn_op_delete(each.key))
            elif not each.lease:
                found.append(KVService.txn_op_put(each.key, each.value))
            elif lease := await self._lease(each.lease):
                found.append(KVService.txn_op_put(each.key, each.value, lease=lease))
        return found

    async def _lease(self, lease: int) -> int:
        """The target's for one of the source's, with what is left of its time; 0 when nothing is."""
        if lease in self._leases:
            return self._leases[lease]
        left = await self.left(lease)
        made = lease_id(self.position.token, lease) if left >= 0 else 0
        if made:
            await self._granted(made, left + 1)  # what is left is told in whole seconds, the rest cut off
        if len(self._leases) >= LEASES:
            self._leases.clear()
        self._leases[lease] = made
        return made

    async def _granted(self, lease: int, seconds: int) -> None:
        async with self.store.told():
            try:
                await self.store.wire.lease.grant(seconds, lease, timeout=LIMIT)
            except grpc.aio.AioRpcError as error:
                if LEASE_EXISTS not in str(error.details()):
                    raise


def left_in(source: EtcdStore) -> Left:
    """Asks the store that the keys are read from."""

    async def left(lease: int) -> int:
        async with source.told():
            return int((await source.wire.lease.time_to_live(lease, timeout=LIMIT)).TTL)

    return left


async def taken(store: EtcdStore, source: EtcdStore, schema: str, fresh: Position) -> Target:
    """The target with its note, which is ours from now on: the one that lies there, of the same copy, or `fresh`.

    Taken when keys lie there that are none of this copy's, Replaced when somebody takes it up at the same moment.
    """
    key = copy_of(schema)
    async with store.told():
        found = (await dialing.settled(partial(store.wire.kv.get, key, timeout=LIMIT))).kvs
    if found:
        before = _parsed(schema, bytes(found[0].value))
        if before.token != fresh.token:
            raise Taken(f"keyspace {schema!r} of the store is the beginning of another copy")
        target = Target(store, left_in(source), schema, before)
        await target.note(replace(before, owner=fresh.owner))
        return target
    if count := await store.count(schema):
        raise Taken(f"keyspace {schema!r} of the store holds {count} keys already")
    async with store.told():
        absent, put = KVService.txn_compare_version(key, 0), KVService.txn_op_put(key, fresh.written())
        made = await dialing.settled(partial(store.wire.kv.txn, [absent], [put], timeout=LIMIT, max_attempts=1))
    if not made.succeeded:
        raise Replaced("another process has just begun this copy")
    return Target(store, left_in(source), schema, fresh, int(made.header.revision))


def _parsed(schema: str, raw: bytes) -> Position:
    try:
        return Position.parse(raw)
    except ValueError as error:
        raise Taken(
            f"the note beside keyspace {schema!r} of the store cannot be read: somebody else wrote it"
        ) from error
