"""Watches our objects inside tenants, so that what somebody changes there is put right within seconds. Run beside sessions.

Nothing is listed for it: a pass looks at all of them anyway, and says of which versions it saw them (`looked`); from there on
changes are followed, metadata only, by our project label. An object that loses the label is told as deleted. Where the API
server has forgotten a version a pass is called, which looks again.

Bounded in two ways: so many tenants are watched at a time (each is one connection; `reconcile` looks at the others now and
then), and a tenant, whose people may write as fast as they like, wakes its pass at most once in `QUIET` seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from provider.api import names
from provider.api.kinds import Kind
from provider.cluster.client import Cluster
from provider.cluster.errors import Expired

Key = tuple[str, str]
"""(namespace, name) of a TenantControlPlane."""
Versions = Mapping[Kind, str]
"""Of which resource version each kind was seen."""

LIMIT = 2000  # tenants watched at a time
QUIET = 2.0  # seconds between two wakes for what happened inside one tenant
LABELS = {names.LABEL_PROJECT: names.PROJECT}


@dataclass(slots=True)
class _Attended:
    """A tenant that has a place."""

    looked: asyncio.Event = field(default_factory=asyncio.Event)
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    versions: Versions = field(default_factory=dict)
    followed: bool = False


@dataclass(kw_only=True)
class TenantWatch:
    """What is watched inside which tenants. `wake` is called with the tenant whose objects moved."""

    kinds: Sequence[Kind]
    wake: Callable[[Key], None]
    limit: int = LIMIT
    quiet: float = QUIET
    stands: Callable[[Key, bool], None] | None = None  # is told whether the watches get through
    _attended: dict[Key, _Attended] = field(default_factory=dict)
    _slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.limit)

    def watches(self, key: Key) -> bool:
        """Whether what moves inside this tenant wakes its pass; if not, somebody has to look."""
        return key in self._attended and self._attended[key].looked.is_set()

    def looked(self, key: Key, versions: Versions) -> None:
        """A pass has seen the tenant's inside so. Of no concern where changes are followed already, or there is no place."""
        each = self._attended.get(key)
        if each is not None and not each.followed:
            each.versions = versions
            each.looked.set()

    async def attend(self, key: Key, session: Cluster) -> None:
        """Watch this tenant, as soon as there is room, until cancelled, which its session does when it ends."""
        async with self._slots:
            each = self._attended[key] = _Attended()
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._tell(key, each.moved))
                    while True:
                        await each.looked.wait()
                        await self._follow(key, session, each)
            finally:
                del self._attended[key]

    async def _follow(self, key: Key, session: Cluster, each: _Attended) -> None:
        """Until one of the versions is forgotten: then the tenant has to be looked at again."""
        each.followed = True
        stands = partial(self.stands, key) if self.stands is not None else None
        tasks = [
            asyncio.create_task(_told(session, kind, each.versions[kind], each.moved, stands))
            for kind in self.kinds
            if kind in each.versions
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result
        each.followed = False
        each.looked.clear()
        each.moved.set()

    async def _tell(self, key: Key, moved: asyncio.Event) -> None:
        while True:
            await moved.wait()
            moved.clear()
            self.wake(key)
            await asyncio.sleep(self.quiet)


async def _told(
    session: Cluster, kind: Kind, since: str, moved: asyncio.Event, stands: Callable[[bool], None] | None
) -> None:
    """Every change from a version on; returns when that is forgotten."""
    try:
        async for _ in session.follow(kind, since, labels=LABELS, stands=stands):
            moved.set()
    except Expired:
        return
