"""What a DataStore refers to and who uses it. Called by the DataStore's own pass, the tenant pass and whoever opens a store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime

from provider.api import kinds
from provider.api.datastore import DataStore
from provider.cluster.client import Cluster
from provider.hosting import quota
from provider.hosting.storematerial import references
from provider.hosting.storeview import StoreView, store_of, stores_of
from provider.hosting.view import Seen, Store, key_of
from provider.manifest import Manifest


async def view(cluster: Cluster, raw: Manifest, now: datetime) -> StoreView:
    """Everything the DataStore's status is made of. Invalid when the object cannot be read."""
    parsed = DataStore.parse(raw)
    secrets, tenants = await asyncio.gather(referred(cluster, parsed), cluster.list(kinds.TENANT_CONTROL_PLANE))
    return StoreView(
        datastore=parsed,
        raw=raw,
        secrets=secrets,
        users=_users(tenants, parsed.name),
        heaviest=heaviest(tenants, parsed.name),
        now=now,
    )


async def store(cluster: Cluster, name: str) -> Store | None:
    """The DataStore as tenants' builders need it; None when there is none of that name."""
    raw = await cluster.get(kinds.DATA_STORE, name)
    if raw is None:
        return None
    parsed = DataStore.parse(raw)
    return store_of(parsed, raw, await referred(cluster, parsed))


async def referred(cluster: Cluster, datastore: DataStore) -> Seen:
    """The Secrets that the DataStore names; those that do not exist are left out."""
    found = await asyncio.gather(
        *(
            cluster.get(kinds.SECRET, name, namespace)
            for namespace, name in references(datastore)
            if name.strip(".") and namespace.strip(".")  # anything else cannot be a Secret's
        )
    )
    return Seen({key_of(each): each for each in found if each is not None})


def heaviest(tenants: Iterable[Manifest], name: str) -> tuple[str, ...]:
    """The tenants that take up most of a store, as sampled: `namespace/name (bytes, writes a minute)`, at most three."""
    found = []
    for each in tenants:
        storage = (each.get("status") or {}).get("storage") or {}
        usage = storage.get("usage") or {}
        if storage.get("dataStoreName") == name and usage.get("bytes"):
            found.append((int(usage["bytes"]), int(usage.get("writesPerMinute") or 0), each["metadata"]))
    found.sort(key=lambda one: one[:2], reverse=True)
    return tuple(
        f"{metadata['namespace']}/{metadata['name']} ({quota.words(size)}, {writes} writes a minute)"
        for size, writes, metadata in found[:3]
    )


async def users_of(cluster: Cluster, name: str) -> tuple[str, ...]:
    """`namespace/name` of the TenantControlPlanes some of whose recorded state lives in this store, sorted."""
    return _users(await cluster.list(kinds.TENANT_CONTROL_PLANE), name)


def _users(tenants: Iterable[Manifest], name: str) -> tuple[str, ...]:
    return tuple(
        sorted(
            f"{each['metadata']['namespace']}/{each['metadata']['name']}" for each in tenants if name in stores_of(each)
        )
    )
