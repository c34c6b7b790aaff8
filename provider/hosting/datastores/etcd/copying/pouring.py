"""Fills a tenant's range with keys that lie in no store any more, in the place of all that is there. Begun over after a crash.

The note beside the range (see `writing`) is the fence: one who pours the same, and was thought dead, changes nothing any more,
neither while another pours nor once the range is sealed and the tenant writes in it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from etcd3aio.kv import KVService

from provider.hosting.backup.archive import Content, Entry
from provider.hosting.datastores.errors import CopyDiffers, Replaced
from provider.hosting.datastores.etcd import dialing
from provider.hosting.datastores.etcd.copying import reading, revisions
from provider.hosting.datastores.etcd.copying.plan import Change, Position
from provider.hosting.datastores.etcd.copying.writing import LIMIT, Target
from provider.hosting.datastores.etcd.ranges import copy_of, range_of
from provider.hosting.datastores.etcd.store import EtcdStore

SOME = 256  # keys taken in at once


@dataclass
class Pouring:
    """Into the range of a tenant that cannot write. `token` names what is poured; all keys get a revision over `above`."""

    store: EtcdStore
    schema: str
    token: str
    above: int
    _left: dict[int, int] = field(default_factory=dict)  # seconds of leases, as they were told with their keys

    async def pour(self, entries: Iterable[Entry]) -> None:
        """All keys, compared afterwards, then sealed. CopyDiffers when they are not what was poured. Of sealed ones nothing."""
        target = await self._emptied()
        if target is None:
            return
        content = Content()
        for some in _batches(entries):
            for each in some:
                content.add(each)
            await target.write([self._change(each) for each in some], target.position)
        if (found := await digest(self.store, self.schema, await self.store.revision())).said() != content.said():
            raise CopyDiffers(f"what was written is not the same: it has {found.keys} keys, the backup {content.keys}")
        await target.note(replace(target.position, read=True, sealed=True))
        await revisions.raised(self.store, self.above)
        await revisions.forgotten(self.store)

    def _change(self, entry: Entry) -> Change:
        if entry.lease:
            self._left[entry.lease] = entry.left
        return Change(range_of(self.schema).start + entry.key, entry.value, entry.lease, self.above)

    async def _emptied(self) -> Target | None:
        """The range without keys and the note ours, in one transaction; None when it is sealed."""
        key, own = copy_of(self.schema), range_of(self.schema)
        async with self.store.told():
            found = (await dialing.settled(partial(self.store.wire.kv.get, key, timeout=LIMIT))).kvs
        before = bytes(found[0].value) if found else None
        if before is not None and self._is_sealed(before):
            return None
        fresh = Position(token=self.token, owner=secrets.token_hex(8))
        held = KVService.txn_compare_version(key, 0) if before is None else KVService.txn_compare_value(key, before)
        done = [
            KVService.txn_op_delete(own.start, range_end=own.end),
            KVService.txn_op_put(key, fresh.written()),
        ]
        async with self.store.told():
            ask = partial(self.store.wire.kv.txn, [held], done, timeout=LIMIT, max_attempts=1)
            answer = await dialing.settled(ask)
        if not answer.succeeded:
            raise Replaced("another process writes the same")
        return Target(self.store, self._left_of, self.schema, fresh, int(answer.header.revision))

    async def _left_of(self, lease: int) -> int:
        return self._left[lease]

    def _is_sealed(self, note: bytes) -> bool:
        try:
            found = Position.parse(note)
        except ValueError:
            return False
        return found.sealed and found.token == self.token


async def digest(store: EtcdStore, schema: str, revision: int) -> Content:
    """What is in a range at a revision, as a backup counts it."""
    own, found = range_of(schema), Content()
    async for page in reading.pages(store, own, revision):
        for each in page:
            found.add(Entry(bytes(each.key)[len(own.start) :], bytes(each.value), each.lease))
    return found


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Some at a time, and not more than a few megabytes."""
    batch: list[Entry] = []
    size = 0
    for each in entries:
        batch.append(each)
        size += len(each.value)
        if len(batch) == SOME or size > 2 * 1024 * 1024:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
