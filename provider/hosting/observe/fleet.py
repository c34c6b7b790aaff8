"""What placement looks at: all pools, DataStores and TenantControlPlanes; no store is opened. Called by `reconcile`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from provider.api import kinds
from provider.api.datastorepool import DataStorePool
from provider.api.verdict import Invalid
from provider.cluster.client import Cluster
from provider.cluster.errors import NotFound
from provider.hosting.desired.pool import configuration
from provider.hosting.sharding.fleet import Fleet
from provider.manifest import Manifest
from provider.settings import Settings


async def fleet(cluster: Cluster, settings: Settings) -> Fleet:
    """As it is at this moment. ApiError when the management cluster does not answer."""
    pools, stores, tenants = await asyncio.gather(
        pools_of(cluster), cluster.list(kinds.DATA_STORE), cluster.list(kinds.TENANT_CONTROL_PLANE)
    )
    return Fleet(
        pools=pools,
        stores=tuple(stores),
        tenants=tuple(tenants),
        default=settings.default_datastore,
        namespace=settings.watch_namespace,
        quotas={each.name: configuration.quota(each.spec.storage.size) for each in pools},
    )


async def pools_of(cluster: Cluster) -> tuple[DataStorePool, ...]:
    """All pools that can be read; none where the kind is not served."""
    try:
        return tuple(_read(await cluster.list(kinds.DATA_STORE_POOL)))
    except NotFound:
        return ()


def _read(found: Iterable[Manifest]) -> Iterator[DataStorePool]:
    for each in found:
        try:
            yield DataStorePool.parse(each)
        except Invalid:
            continue  # stored under another CRD: its own pass says so
