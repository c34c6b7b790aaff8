"""Holds back the tenant that filled its etcd, so that its neighbours can write on. Called by `upkeep`; decision 0055.

    full ──▶ closed ──▶ limited ──▶ free      closed   etcd itself lets it read, and no more: the role may not write
               ▲           │                  limited  its API server refuses what is made and changed, with words
               └── full ───┘                  each is recorded in `status.storage.throttled` before anything is done for it

The tenant's own passes go by the same record (`quota.throttle`): they grant, prove and tell, and write the policy.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from provider.api import kinds, names
from provider.cluster.errors import NotFound
from provider.hosting import quota
from provider.hosting.datastores.etcd import lately
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.reconcile import stating
from provider.hosting.reconcile.context import Context
from provider.hosting.storeview import claim_of, residing
from provider.manifest import Manifest, meta
from provider.manifest.condition import timestamp

log = logging.getLogger(__name__)

Key = tuple[str, str]
"""(namespace, name) of a TenantControlPlane."""

MOST = Fraction(2, 3)  # of the bytes of the last changes, from which on it is clear whose they are
CLOSED = timedelta(seconds=60)  # for which etcd itself refuses it: the store is emptied, and neighbours catch up
COOL = timedelta(minutes=5)  # after which it is let go, where the store has room


@dataclass(frozen=True)
class Suspect:
    """Who wrote most of what a store took last."""

    schema: str
    share: float


@dataclass(frozen=True)
class Finding:
    """Of a store that is full, at the first look at it."""

    suspect: Suspect | None
    since: datetime


@dataclass
class Throttling:
    """Of all stores."""

    context: Context
    _found: dict[str, Finding] = field(default_factory=dict)  # by store, while it is full
    _held: dict[str, set[Key]] = field(default_factory=dict)  # by store: who was seen to have a record of it

    async def look(self, name: str, store: EtcdStore) -> None:
        """While the store is full and has its history."""
        if name not in self._found:
            self._found[name] = Finding(_suspect(await lately.written(store)), self.context.clock())

    async def hold(self, name: str, store: EtcdStore) -> str:
        """Before a store takes writes again. `namespace/name` of who is held back, empty where nobody is clearly to be.

        Not one that is alone, whom it would help nobody to hold back; nor one between two stores, whom moving holds already;
        nor after so long that history was not what filled it: then somebody has deleted, most likely the same.
        """
        finding = self._found.pop(name, None)
        suspect = finding.suspect if finding and self.context.clock() - finding.since < COOL else None
        everybody = [each for each in await self._tenants() if residing(each, name)]
        found = [each for each in everybody if suspect and _schema(each) == suspect.schema]
        if suspect is None or not found or len(everybody) < 2 or self._is_others(found[0]):
            return ""
        now, before = self.context.clock(), quota.throttle(found[0])
        until = now + COOL
        closed = until if before else now + CLOSED  # what only its API server refused did not do
        record = {
            "dataStore": name,
            "since": before.since if before else timestamp(now),
            "until": timestamp(until),
            "closedUntil": timestamp(closed),
            "reason": f"it wrote {suspect.share:.0%} of what came last into DataStore {name}, which was full",
        }
        if not await self._recorded(found[0], record):
            return ""
        await self._records(name)
        self._held[name].add(_key(found[0]))
        await self._grant(found[0], store, writable=False)
        return "/".join(_key(found[0]))

    async def open(self, name: str, store: EtcdStore) -> None:
        """Who was closed may delete: nothing else makes room in this store."""
        for each in await self._records(name):
            await self._opened(each, store)

    async def ease(self, name: str, store: EtcdStore, *, roomy: bool) -> None:
        """A look at a store that takes writes. `roomy`: it is not about to be full again."""
        self._found.pop(name, None)
        now = timestamp(self.context.clock())
        for each in await self._records(name):
            throttle = quota.throttle(each)
            if throttle is None:  # it has moved elsewhere
                await self._recorded(each, None)
            elif roomy and now >= throttle.until:
                if throttle.closed:
                    await self._grant(each, store, writable=True)
                await self._recorded(each, None)
                log.info("TenantControlPlane %s/%s writes to DataStore %s again", *_key(each), name)
            elif throttle.closed and now >= throttle.closed_until:
                await self._opened(each, store)

    def forget(self, name: str) -> None:
        """The store is gone."""
        self._found.pop(name, None)
        self._held.pop(name, None)

    async def _opened(self, tenant: Manifest, store: EtcdStore) -> None:
        throttle = quota.throttle(tenant)
        if throttle is not None and throttle.closed:
            await self._grant(tenant, store, writable=True)
            await self._recorded(tenant, {"closedUntil": None})

    async def _grant(self, tenant: Manifest, store: EtcdStore, *, writable: bool) -> None:
        """At once. Where a move or a restore says what it may, its own pass does it."""
        claim = claim_of(tenant)
        if claim is not None and not _written_by_us(tenant):
            await store.ensure(claim.keyspace, writable=writable)

    async def _recorded(self, tenant: Manifest, record: Mapping[str, Any] | None) -> bool:
        try:
            await stating.laid(self.context.cluster, tenant, {"storage": {"throttled": record}})
        except NotFound:  # it went meanwhile
            return False
        return True

    async def _records(self, name: str) -> list[Manifest]:
        """Tenants with a record of this store, wherever they are now. A process that has just begun looks at all, once."""
        if name not in self._held:
            self._held[name] = {_key(each) for each in await self._tenants() if _says(each, name)}
        asked = [
            await self.context.cluster.get(kinds.TENANT_CONTROL_PLANE, each, namespace)
            for namespace, each in sorted(self._held[name])
        ]
        found = [each for each in asked if each is not None and _says(each, name)]
        self._held[name] = set(map(_key, found))
        return found

    async def _tenants(self) -> list[Manifest]:
        return await self.context.cluster.list(kinds.TENANT_CONTROL_PLANE)

    def _is_others(self, tenant: Manifest) -> bool:
        """Whether it is not ours to hold: another provider's, on its way out or elsewhere, or to be left as it is."""
        metadata = tenant["metadata"]
        still = {names.ANNOTATION_PAUSED, names.ANNOTATION_DELETE_FOR_MOVE} & meta.annotations_of(tenant).keys()
        elsewhere = self.context.settings.watch_namespace not in ("", metadata["namespace"])
        return bool(elsewhere or still or metadata.get("deletionTimestamp") or _written_by_us(tenant))


def _suspect(written: Mapping[str, int]) -> Suspect | None:
    total = sum(written.values())
    schema, most = max(written.items(), key=lambda each: each[1], default=("", 0))
    return Suspect(schema, most / total) if total and most >= MOST * total else None


def _written_by_us(tenant: Manifest) -> bool:
    """Whether a move or a restore has its keys in hand."""
    moving = ((tenant.get("status") or {}).get("storage") or {}).get("migration")
    return bool(moving) or names.ANNOTATION_RESTORING in meta.annotations_of(tenant)


def _schema(tenant: Manifest) -> str:
    claim = claim_of(tenant)
    return claim.keyspace.schema if claim else ""


def _says(tenant: Manifest, store: str) -> bool:
    return quota.recorded(tenant).get("dataStore") == store


def _key(tenant: Manifest) -> Key:
    return str(tenant["metadata"]["namespace"]), str(tenant["metadata"]["name"])
