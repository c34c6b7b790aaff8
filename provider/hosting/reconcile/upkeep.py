"""Keeps an etcd small: compacts it, defragments its members when that gives much back, and gets it out of a full database.

Called by the room's queue, key: the DataStore's name. Tenants may not compact (etcd's auth), so somebody has to; kube-apiserver
expects five minutes of history. Nothing here needs to be remembered: another process begins its five minutes anew.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from provider import telemetry
from provider.api import kinds, names
from provider.hosting.datastores.errors import StoreError
from provider.hosting.datastores.etcd import upkeep
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.datastores.etcd.upkeep import Member, Size
from provider.hosting.observe.datastore import heaviest
from provider.hosting.reconcile.context import Context
from provider.hosting.reconcile.throttling import Throttling
from provider.hosting.storematerial import Access
from provider.hosting.view import ETCD
from provider.manifest import Manifest, meta
from provider.manifest.happening import Happening
from provider.telemetry import subjects, table

log = logging.getLogger(__name__)

ROUND = 60.0  # seconds between two looks
FULL_ROUND = 10.0  # the same at a store that takes no writes: what was deleted counts as free a moment later
HISTORY = 300.0  # seconds of history that stay
WASTE = 0.5  # of a member's database that holds nothing, above which it is written anew
LEAST = 128 * 2**20  # bytes of waste below which that is not worth a pause of the member
RELIEF = 0.9  # of the quota, below which the alarm is taken off: nearer it would be back at once
BREATH = 0.02  # of the quota: what a full member has to gain by being written anew, lest that is done every minute


@dataclass
class Upkeep:
    """Of all stores. `monotonic` is in seconds."""

    context: Context
    monotonic: Callable[[], float]
    history: float = HISTORY
    least: int = LEAST
    throttling: Throttling = field(init=False)
    _marks: dict[str, deque[tuple[float, int]]] = field(default_factory=dict)  # when which revision was the newest
    _full: set[str] = field(default_factory=set)  # stores of which it was told that they stay full
    _airy_since: dict[str, float] = field(default_factory=dict)  # of stores with a member that waits to be defragmented

    def __post_init__(self) -> None:
        self.throttling = Throttling(self.context)

    async def __call__(self, name: str) -> float | None:
        """One look. Returns seconds until the next, None when the store is gone or is no etcd."""
        raw = await self.context.cluster.get(kinds.DATA_STORE, name)
        if raw is None or raw["spec"]["driver"] != ETCD:
            self._marks.pop(name, None)
            self._full.discard(name)
            self._airy_since.pop(name, None)
            self.throttling.forget(name)
            telemetry.hide_store(name)
            return None
        if names.ANNOTATION_PAUSED in meta.annotations_of(raw) or raw["metadata"].get("deletionTimestamp"):
            return ROUND
        try:
            access = await self.context.access_to(name)
            async with self._opened(access) as store:
                await self._kept(raw, access, store)
        except (StoreError, TimeoutError) as error:
            log.info("DataStore %s is not kept: %s", name, error or "it takes too long")
        return FULL_ROUND if name in self._full else ROUND

    async def _kept(self, raw: Manifest, access: Access, store: EtcdStore) -> None:
        name, health = raw["metadata"]["name"], await store.health()
        sizes: dict[tuple[str, ...], float] = {
            ("size",): health.size,
            ("in_use",): health.in_use,
            ("quota",): health.quota,
        }
        subjects.show(table.STORE_BYTES, (name,), sizes)
        if "CORRUPT" in health.alarms:
            return  # whoever mends it needs all that is left
        full = "NOSPACE" in health.alarms
        if full:
            await self.throttling.look(name, store)
        await self._compact(name, store)
        if full:
            await self._relieve(raw, access, store)
        else:
            self._full.discard(name)
            await self.throttling.ease(name, store, roomy=not health.quota or health.size < RELIEF * health.quota)
            await self._defragment(name, access, store, self._airy)

    async def _compact(self, name: str, store: EtcdStore) -> None:
        """Up to the newest revision that is old enough. One that somebody else compacted is as good."""
        now, marks = self.monotonic(), self._marks.setdefault(name, deque())
        marks.append((now, await upkeep.revision(store)))
        old = [mark for mark in marks if now - mark[0] >= self.history]
        if old:
            await upkeep.compact(store, old[-1][1])
            telemetry.STORE_UPKEEP.labels(name, "compacted").inc()
            while marks[0] != old[-1]:
                marks.popleft()
        subjects.show(table.COMPACTION_LAG, (name,), {(): now - marks[0][0]})

    async def _relieve(self, raw: Manifest, access: Access, store: EtcdStore) -> None:
        """The runbook of a full database: history goes, members are written anew, and the alarm goes when that was enough.

        Who filled it is held back before anybody can write again. Whoever watched from older history lists again; that is
        little beside a store that takes no write of anybody.
        """
        name = raw["metadata"]["name"]
        await upkeep.compact(store, await upkeep.revision(store), wait=True)
        self._marks.pop(name, None)
        await self._defragment(name, access, store, lambda each: each.size - each.in_use > BREATH * each.quota)
        sizes = [size for _, size in await self._sizes(access, store)]
        if sizes and all(each.size < RELIEF * each.quota for each in sizes):
            held = await self.throttling.hold(name, store)
            await upkeep.disarm(store)
            self._full.discard(name)
            telemetry.STORE_UPKEEP.labels(name, "disarmed").inc()
            note = "its database was full: history was dropped, members defragmented, and the alarm taken off"
            if held:
                note += f"; {held} wrote most of what came last, and is held back for some minutes"
            await self._tell(raw, Happening("SpaceReclaimed", f"{note}. {await self._blame(name)}", warning=True))
        elif name not in self._full:
            self._full.add(name)
            await self.throttling.open(name, store)
            note = "its database is full, also without history: every tenant in it can only read and delete"
            await self._tell(raw, Happening("StoreFull", f"{note}. {await self._blame(name)}", warning=True))

    async def _blame(self, name: str) -> str:
        found = heaviest(await self.context.cluster.list(kinds.TENANT_CONTROL_PLANE), name)
        return f"The heaviest tenants are {', '.join(found)}" if found else "No tenant was measured yet"

    async def _tell(self, raw: Manifest, what: Happening) -> None:
        log.warning("DataStore %s: %s", raw["metadata"]["name"], what.note)
        await self.context.events.record(raw, [what])

    def _airy(self, each: Size) -> bool:
        air = each.size - each.in_use
        return air >= self.least and air > WASTE * each.size

    async def _defragment(self, name: str, access: Access, store: EtcdStore, worth: Callable[[Size], bool]) -> None:
        """Members for which it is worth it, one after the other, the leader last and after it gave the lead away.

        Nothing is begun while one of them does not answer: another that pauses could be one too many.
        """
        found = await self._sizes(access, store)
        airy = [(member, size) for member, size in found if worth(size)]
        everybody = await upkeep.members(store)
        self._tell_members(name, len(everybody), len(found), waits=bool(airy))
        if not airy:
            return
        if len(found) != len(everybody):
            log.warning("DataStore %s has members that do not answer by themselves: none is defragmented", name)
            return
        for member, size in sorted(airy, key=lambda each: each[1].leader == each[1].member):
            others = [each.id for each, _ in found if each.id != member.id]
            async with self._opened(replace(access, endpoints=(member.endpoint,))) as alone:
                if (await upkeep.size(alone)).leader == member.id and others:
                    await upkeep.hand_lead_to(alone, others[0])
                await upkeep.defragment(alone)
                await upkeep.revision(alone)  # it takes part again
            telemetry.STORE_UPKEEP.labels(name, "defragmented").inc()
            log.info(
                "DataStore %s: member %s was defragmented, %d bytes were air",
                name,
                member.name,
                size.size - size.in_use,
            )

    def _tell_members(self, name: str, everybody: int, healthy: int, *, waits: bool) -> None:
        subjects.show(table.STORE_MEMBERS, (name,), {("all",): everybody, ("healthy",): healthy})
        now = self.monotonic()
        since = self._airy_since.setdefault(name, now) if waits else self._airy_since.pop(name, now)
        subjects.show(table.DEFRAGMENTATION_LAG, (name,), {(): now - since})

    async def _sizes(self, access: Access, store: EtcdStore) -> list[tuple[Member, Size]]:
        """Of every member that answers by itself."""
        found = []
        for member in await upkeep.members(store):
            try:
                async with self._opened(replace(access, endpoints=(member.endpoint,))) as alone:
                    size = await upkeep.size(alone)
            except StoreError as error:
                log.info("member %s does not answer by itself: %s", member.name, error)
                continue
            if size.member == member.id:
                found.append((member, size))
        return found

    def _opened(self, access: Access) -> EtcdStore:
        store = self.context.dial(access)
        assert isinstance(store, EtcdStore), "its driver is etcd"
        return store
