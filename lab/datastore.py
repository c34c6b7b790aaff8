"""The default DataStore as its root, for tests and measurements that ask what is really in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from provider.api import kinds
from provider.api.datastore import DataStore
from provider.cluster.client import Cluster
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.observe import datastore
from provider.hosting.storematerial import material


@asynccontextmanager
async def default_store(management: Cluster) -> AsyncIterator[EtcdStore]:
    """Opened; AssertionError when there is none."""
    raw = await management.get(kinds.DATA_STORE, "default")
    assert raw is not None, "the provider makes a DataStore called default"
    parsed = DataStore.parse(raw)
    found = material(parsed, await datastore.referred(management, parsed))
    assert found.client is not None, "its driver is etcd"
    async with EtcdStore(parsed.spec.endpoints, found.authority.certificate, found.client) as store:
        yield store
