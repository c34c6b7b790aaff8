"""Pools, DataStores and tenants for the tests beside this module."""

from __future__ import annotations

from typing import Any

from provider.api import kinds
from provider.api.datastorepool import DataStorePool
from provider.hosting.sharding.fleet import Fleet
from provider.manifest import Manifest, meta

GI = 2**30


def pool(name: str = "default", status: dict[str, Any] | None = None, **spec: Any) -> DataStorePool:
    raw = meta.new(kinds.DATA_STORE_POOL, name, spec=spec)
    raw["metadata"]["uid"] = f"uid-of-{name}"
    return DataStorePool.parse({**raw, "status": status or {}})


def store(name: str, *, of: str = "", ready: bool = True, weight: str = "", **labels: str) -> Manifest:
    """A DataStore: made by the pool `of`, or brought."""
    raw = meta.new(kinds.DATA_STORE, name, spec={"driver": "etcd"}, status={"ready": ready})
    raw["metadata"]["labels"] = labels
    if of:
        raw["metadata"]["labels"] = {"x.kamaji.clastix.io/pool": of}
        raw["metadata"]["ownerReferences"] = [{"uid": f"uid-of-{of}"}]
    if weight:
        raw["metadata"]["annotations"] = {"x.kamaji.clastix.io/weight": weight}
    return raw


def tenant(name: str, *, at: str = "", named: str = "", created: int = 0, **labels: str) -> Manifest:
    """A TenantControlPlane: recorded in the store `at`, or naming one, or waiting."""
    raw = meta.new(kinds.TENANT_CONTROL_PLANE, name, "team", spec={"dataStore": named} if named else {})
    raw["metadata"] |= {"labels": labels, "creationTimestamp": f"2026-11-29T10:00:{created:02}Z"}
    return raw | ({"status": {"storage": {"dataStoreName": at}}} if at else {})


def measured(tenant: Manifest, **usage: int) -> Manifest:
    """The same after it was sampled."""
    tenant["status"]["storage"]["usage"] = usage
    return tenant


def fleet(pools: list[DataStorePool], stores: list[Manifest], tenants: list[Manifest] | None = None) -> Fleet:
    quotas = {each.name: 3 * GI for each in pools}
    return Fleet(
        pools=tuple(pools), stores=tuple(stores), tenants=tuple(tenants or ()), default="default", quotas=quotas
    )
