"""What the tenants of one store take up, sampled on a slow timer of the store's own. Called by the room's queue, key: its name.

A sample reads every key of every tenant, so it is neither part of a pass nor hurried: it takes one tenant after the other, and
rests between pages. It goes into metrics as it is, and into the tenant's status (`storage.usage`) when it is far from what
stands there or past a limit; that wakes the tenant's pass, which judges it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from provider import telemetry
from provider.api import kinds, names
from provider.api.verdict import Invalid
from provider.cluster.errors import NotFound
from provider.hosting import quota
from provider.hosting.datastores.errors import StoreError, StoreUnreachable
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.datastores.shape import Driver, Usage
from provider.hosting.reconcile import orphans, stating
from provider.hosting.reconcile.context import Context
from provider.hosting.status.steadiness import steady
from provider.hosting.storeview import Claim, claim_of
from provider.manifest import Manifest, meta

log = logging.getLogger(__name__)

CALM = 600.0  # seconds between two samples of a store
HASTE = 60.0  # between two of those alone that are past their hard limit: they wait to be let write again
UNREADY = 60.0
WINDOW = 20.0  # seconds for which writes to an etcd are counted: a thirtieth of the time between two samples
PATIENCE = 300.0  # seconds for one tenant
FLOORS = {"bytes": 2**20, "keys": 200, "writesPerMinute": 60}


@dataclass
class Sampler:
    """Samples of all stores, with what the next one of each is compared with. `monotonic` is in seconds."""

    context: Context
    monotonic: Callable[[], float]
    window: float = WINDOW
    _due: dict[str, float] = field(default_factory=dict)  # of the next sample
    _whole: dict[str, float] = field(default_factory=dict)  # of the next that is of all tenants
    _counted: dict[tuple[str, str], tuple[int, float]] = field(
        default_factory=dict
    )  # writes ever, and when, by uid and store
    _shown: dict[str, set[tuple[str, str]]] = field(default_factory=dict)  # tenants with metrics, by store

    async def __call__(self, name: str) -> float | None:
        """Take a sample when one is due. Returns seconds until then, None when the store is gone."""
        if (left := self._due.get(name, 0.0) - self.monotonic()) > 0:
            return left
        raw = await self.context.cluster.get(kinds.DATA_STORE, name)
        if raw is None or raw["metadata"].get("deletionTimestamp"):
            self._forget(name)
            return None
        if names.ANNOTATION_PAUSED in meta.annotations_of(raw) or not (raw.get("status") or {}).get("ready"):
            return UNREADY
        try:
            pause = await self._sampled(name, raw)
        except (StoreError, TimeoutError) as error:
            log.warning(
                "what the tenants of DataStore %s take up was not measured: %s", name, error or "it takes too long"
            )
            pause = UNREADY
        self._due[name] = self.monotonic() + pause
        return pause

    async def _sampled(self, name: str, raw: Manifest) -> float:
        everybody = await self.context.cluster.list(kinds.TENANT_CONTROL_PLANE)
        only = self.context.settings.watch_namespace  # another provider samples those elsewhere
        ours = [each for each in everybody if only in ("", each["metadata"]["namespace"])]
        tenants = [each for each in ours if (claim := claim_of(each)) and name in claim.stores]
        self._hide(name, {_key(each) for each in tenants})
        if everything := self.monotonic() >= self._whole.get(name, 0.0):
            self._whole[name] = self.monotonic() + CALM
        else:
            tenants = [each for each in tenants if _state(each) == "hard"]
        async with await self.context.open_store(name) as store:
            if everything:
                await orphans.tell(self.context, raw, store)
            rates = await self._rates(store)
            states = [await self._measured(store, name, each, rates) for each in tenants]
        left = self._whole[name] - self.monotonic()
        return min(HASTE, left) if "hard" in states else left

    async def _rates(self, store: Driver) -> Mapping[str, float] | None:
        """Writes a second by keyspace, from now on for a while; None of a store that counts writes itself."""
        if not isinstance(store, EtcdStore):
            return None
        return {schema: count / self.window for schema, count in (await store.written(self.window)).items()}

    async def _measured(
        self, store: Driver, name: str, raw: Manifest, rates: Mapping[str, float] | None
    ) -> quota.State:
        claim = claim_of(raw)
        assert claim is not None, "only those are sampled"
        try:
            async with asyncio.timeout(PATIENCE):
                usage = await store.measure(claim.keyspace)
        except StoreUnreachable:
            raise
        except StoreError as error:  # what a tenant made of its own table holds up no other
            log.warning("what keyspace %s takes up was not measured: %s", claim.keyspace.schema, error)
            return "unlimited"
        rate = rates.get(claim.keyspace.schema, 0.0) if rates is not None else self._counted_rate(raw, name, usage)
        shown = {"bytes": usage.bytes, "keys": usage.keys} | ({} if rate is None else {"writes": rate})
        telemetry.show_usage(*_key(raw), name, shown)
        self._shown.setdefault(name, set()).add(_key(raw))
        if (raw["status"]["storage"]).get("dataStoreName") != name:
            return "unlimited"  # an override's: the limits are of what its own store holds
        return await self._told(raw, claim, usage, rate)

    async def _told(self, raw: Manifest, claim: Claim, usage: Usage, rate: float | None) -> quota.State:
        """Write what is worth it; which limit is reached. A rate that is not known yet is what was told last."""
        before = (raw["status"]["storage"]).get("usage") or {}
        writes = int(before.get("writesPerMinute", 0)) if rate is None else round(rate * 60)
        now = {"bytes": usage.bytes, "keys": usage.keys, "writesPerMinute": writes}
        told = steady(before, now, FLOORS)
        was, state = _state(raw), _state(raw, now)
        if told != before or was != state:
            await self._write(raw, now if was != state else told)
        log.debug("keyspace %s: %s", claim.keyspace.schema, now)
        return state

    async def _write(self, raw: Manifest, usage: Mapping[str, int]) -> None:
        try:
            await stating.laid(self.context.cluster, raw, {"storage": {"usage": dict(usage)}})
        except NotFound:
            return  # it went meanwhile

    def _counted_rate(self, raw: Manifest, name: str, usage: Usage) -> float | None:
        """Writes a second since the last sample; None at the first after a start of ours."""
        key, now = (str(raw["metadata"]["uid"]), name), self.monotonic()
        before, since = self._counted.get(key, (usage.writes, now))
        self._counted[key] = (usage.writes, now)
        return max(0, usage.writes - before) / (now - since) if now > since else None

    def _hide(self, name: str, tenants: set[tuple[str, str]]) -> None:
        for gone in self._shown.get(name, set()) - tenants:
            telemetry.hide_usage(*gone, name)
        self._shown[name] = self._shown.get(name, set()) & tenants

    def _forget(self, name: str) -> None:
        self._hide(name, set())
        self._shown.pop(name, None)
        self._due.pop(name, None)
        self._whole.pop(name, None)
        self._counted = {key: value for key, value in self._counted.items() if key[1] != name}


def _state(raw: Manifest, usage: Mapping[str, int] | None = None) -> quota.State:
    """Which limit is reached by what the status tells, or by another usage."""
    status = raw.get("status") if usage is None else {"storage": {"usage": dict(usage)}}
    try:
        return quota.of({**raw, "status": status}).state
    except Invalid:
        return "unlimited"


def _key(raw: Manifest) -> tuple[str, str]:
    metadata: Mapping[str, Any] = raw["metadata"]
    return str(metadata["namespace"]), str(metadata["name"])
