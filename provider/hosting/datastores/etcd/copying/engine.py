"""One copy from its beginning to its seal, to be taken up again after a crash at any point. See the folder's docstring."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from dataclasses import dataclass, field, replace

from provider.hosting.datastores.errors import CopyDiffers, Outrun, StoreError
from provider.hosting.datastores.etcd.copying import reading, revisions, writing
from provider.hosting.datastores.etcd.copying.following import Following
from provider.hosting.datastores.etcd.copying.plan import Change, Position, latest
from provider.hosting.datastores.etcd.copying.writing import Target
from provider.hosting.datastores.etcd.ranges import range_of
from provider.hosting.datastores.etcd.store import EtcdStore

GLANCE = 0.5  # seconds between questions how far the watch is
HURRY = 0.02  # the same while somebody waits for it
NOTED = 1000  # revisions of a quiet range after which it is noted how far we are: the source forgets old ones


@dataclass
class Copy:
    """From `source` to `target`, both open as root. `token` names the copy: whoever has the same goes on with it.

    `run` reads and follows until it is cancelled; beside it `level` waits, and `finish` ends the copy once the tenant cannot
    write to the source any more. All can be done again after a failure or by another process.
    """

    source: EtcdStore
    target: EtcdStore
    schema: str
    token: str
    without: frozenset[bytes] = frozenset()  # keys that stay behind, and are not missed
    followed: int = 0  # revision of the source up to which nothing is missing; 0 before all keys are read
    _moved: asyncio.Condition = field(default_factory=asyncio.Condition)
    _waiting: int = 0
    _target: Target | None = None

    async def taken(self) -> Position:
        """Make the copy ours; how far it is. Taken, or Replaced, when it is not to be had."""
        fresh = Position(token=self.token, owner=secrets.token_hex(8))
        self._target = await writing.taken(self.target, self.source, self.schema, fresh)
        return self._target.position

    async def run(self) -> None:
        """Read all keys, then follow until cancelled. StoreError says why it cannot go on. `taken` comes first.

        Of a copy that is sealed there is nothing to do.
        """
        target = self._held
        while not target.position.sealed:
            try:
                await self._read(target)
                await self._follow(target)
            except Outrun:  # the source has forgotten what we would have read: from the beginning
                await self._reached(0)
                await target.emptied(Position(token=self.token, owner=target.position.owner))

    async def level(self, revision: int) -> None:
        """Return when everything up to this revision of the source is in the target. `run` has to run meanwhile."""
        self._waiting += 1
        try:
            async with self._moved:
                await self._moved.wait_for(lambda: self.followed >= revision)
        finally:
            self._waiting -= 1

    async def ahead(self) -> int:
        """A revision that the target has, so far above the source's that it takes that a while to come there."""
        return await revisions.raised(self.target, await self.source.revision() + revisions.FAR)

    async def finish(self) -> int:
        """Level, the same, sealed: to be asked when nobody but ended leases changes the source. CopyDiffers when it is not so.

        Then the target's revision is above the source's and its older ones are forgotten: whoever asks with a resourceVersion
        of the source is told that it is too old, as after any compaction, and lists anew. The target has another history, or
        none, at those. The source's revision of that moment.
        """
        if not self._held.position.sealed:
            last = await self.source.revision()
            await self.level(last)
            await self.verify(last)
            await self._held.note(replace(self._held.position, sealed=True))
        last = await self.source.revision()
        await revisions.raised(self.target, last)
        await revisions.forgotten(self.target)
        return last

    async def verify(self, revision: int) -> int:
        """How many keys without a lease both have. CopyDiffers unless they are the same, the source's at this revision."""
        own, now = range_of(self.schema), await self.target.revision()
        (here, one), (there, other) = await asyncio.gather(
            *(reading.digest(each, own, at, self.without) for each, at in ((self.source, revision), (self.target, now)))
        )
        if (here, one) != (there, other):
            raise CopyDiffers(f"the copy is not the same: it has {there} keys, its source {here}")
        return here

    async def _read(self, target: Target) -> None:
        """All keys at one revision, from where we were."""
        if target.position.read:
            return
        if not target.position.pinned:
            await target.note(replace(target.position, pinned=await self.source.revision()))
        pinned = target.position.pinned
        await target.above(pinned)
        async for page in reading.pages(self.source, range_of(self.schema), pinned, target.position.after):
            changes = [Change(bytes(each.key), bytes(each.value), each.lease, each.mod_revision) for each in page]
            after = replace(target.position, after=changes[-1].key)
            if wanted := [each for each in changes if each.key not in self.without]:
                await target.write(wanted, after)
            else:
                await target.note(after)
        await target.note(replace(target.position, read=True, followed=pinned))

    async def _follow(self, target: Target) -> None:
        await self._reached(target.position.followed)
        following = Following(self.source, range_of(self.schema))
        asking = asyncio.create_task(self._ask(following))
        try:
            async with contextlib.aclosing(following.heard(target.position.followed + 1)) as heard:
                async for each in heard:
                    if each.changes:  # there may be more of the last revision
                        followed = max(target.position.followed, each.changes[-1].revision - 1)
                        wanted = [one for one in latest(each.changes) if one.key not in self.without]
                        if wanted:
                            await target.write(wanted, replace(target.position, followed=followed))
                    elif each.level > self.followed:
                        if each.level > target.position.followed + NOTED:
                            await target.note(replace(target.position, followed=each.level))
                        await self._reached(each.level)
        finally:
            asking.cancel()
        raise StoreError("the source ended the watch")

    async def _ask(self, following: Following) -> None:
        while True:
            await asyncio.sleep(HURRY if self._waiting else GLANCE)
            following.ask()

    async def _reached(self, revision: int) -> None:
        async with self._moved:
            self.followed = revision
            self._moved.notify_all()

    @property
    def _held(self) -> Target:
        assert self._target is not None, "taken first"
        return self._target
