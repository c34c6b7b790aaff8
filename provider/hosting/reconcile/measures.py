"""What passes tell metrics of tenants, stores, pools and schedules: read off what a pass has in hand, nothing is asked for it.

Called at the end of a pass, with the status that it wrote. What is told of a tenant or a store goes with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from provider import telemetry
from provider.api.verdict import NotReady
from provider.hosting import endpoint, quota, renewal
from provider.hosting.reconcile import availability
from provider.hosting.status import expiry
from provider.hosting.storeview import CONDITION_READY, StoreView
from provider.hosting.view import View
from provider.manifest.condition import find, holds, seconds_until
from provider.telemetry import subjects, table

Key = tuple[str, str]
"""(namespace, name) of a TenantControlPlane or a TenantBackupSchedule."""


def tenant(view: View, wanted: Mapping[str, Any]) -> None:
    """After a pass over it: `wanted` is the status that it came to."""
    key = (view.namespace, view.name)
    version = (wanted.get("kubernetesResources") or {}).get("version") or {}
    ready = holds(wanted["conditions"], CONDITION_READY)
    subjects.show(table.TENANT_READY, key, {(): float(ready)})
    subjects.show(table.TENANT_STATUS, key, {(version.get("status", "Unknown"), str(ready).lower()): 1.0})
    why = (find(wanted["conditions"], CONDITION_READY) or {}).get("reason", "")
    subjects.show(table.TENANT_HINDRANCE, key, {} if ready else {(why,): 1.0})
    subjects.show(table.TENANT_INFO, key, {_info(view, str(version.get("version", ""))): 1.0})
    subjects.show(table.TENANT_REPLICAS, key, _replicas(view))
    subjects.show(table.STORAGE_THROTTLED, key, _throttled(view))
    _credentials(view, key)
    _birth(view, wanted, key)


def unread(key: Key, reason: str) -> None:
    """One that cannot be read: what runs is left as it is, and nobody keeps it."""
    subjects.show(table.TENANT_READY, key, {(): 0.0})
    subjects.show(table.TENANT_STATUS, key, {("Unknown", "false"): 1.0})
    subjects.show(table.TENANT_HINDRANCE, key, {(reason,): 1.0})


def gone(key: Key) -> None:
    """The tenant is deleted, or about to be."""
    availability.gone(key)
    telemetry.hide_tenant(*key)


def store(view: StoreView, wanted: Mapping[str, Any]) -> None:
    """After a DataStore was tried."""
    subject = (view.datastore.name,)
    subjects.show(table.STORE_READY, subject, {(): float(bool(wanted["ready"]))})
    subjects.show(table.STORE_TENANTS, subject, {(): float(len(view.users))})
    version = str(wanted.get("version") or "")
    subjects.show(table.STORE_INFO, subject, {(view.datastore.spec.driver, version): 1.0})
    telemetry.show_ends("", view.datastore.name, expiry.store_ends(view))


def store_gone(name: str) -> None:
    """The DataStore is deleted."""
    telemetry.hide_ends("", name)
    telemetry.hide_store(name)


def pool(name: str, wanted: Mapping[str, Any]) -> None:
    """After a pass over a DataStorePool, of it and of its stores' snapshots."""
    stores = wanted["stores"]
    subjects.show(table.POOL_READY, (name,), {(): float(bool(wanted["ready"]))})
    subjects.show(table.POOL_WAITING, (name,), {(): float(wanted["waiting"])})
    taking = sum(bool(each["takes"]) for each in stores)
    subjects.show(table.POOL_ROOM, (name,), {("all",): float(len(stores)), ("taking",): float(taking)})
    for each in stores:
        newest = each.get("lastSnapshot")
        kept: dict[tuple[str, ...], float] = {(): datetime.fromisoformat(newest["time"]).timestamp()} if newest else {}
        subjects.show(table.LAST_SNAPSHOT, (each["name"],), kept)


def pool_gone(name: str) -> None:
    """The DataStorePool is deleted."""
    subjects.hide("pool", (name,))


def schedule(key: Key, wanted: Mapping[str, Any], *, backup: datetime | None, drill: datetime | None) -> None:
    """After a pass over a TenantBackupSchedule: when the backup after the newest whole one is due, and the next drill."""
    taken, last = wanted.get("lastSuccessful"), wanted.get("lastDrill")
    subjects.show(table.BACKUP_TAKEN, key, {(): datetime.fromisoformat(taken).timestamp()} if taken else {})
    subjects.show(table.BACKUP_DUE, key, {(): backup.timestamp()} if backup else {})
    subjects.show(table.DRILL_PROVEN, key, {(): float(bool(last.get("proven")))} if last else {})
    subjects.show(table.DRILL_DUE, key, {(): drill.timestamp()} if drill else {})


def schedule_gone(key: Key) -> None:
    """The TenantBackupSchedule is deleted."""
    subjects.hide("schedule", key)


def _info(view: View, version: str) -> tuple[str, ...]:
    if view.tcp.spec.control_plane.gateway is not None:
        way = "gateway"
    elif view.tcp.spec.control_plane.ingress is not None:
        way = "ingress"
    else:
        way = "service"
    driver, name = (view.store.driver, view.store.name) if view.store else ("", "")
    try:
        address = endpoint.internal(view).url
    except NotReady:
        address = ""
    return version, driver, name, address, way


def _replicas(view: View) -> dict[tuple[str, ...], float]:
    deployment = view.deployment or {}
    wanted = (deployment.get("spec") or {}).get("replicas", 0)
    return {("wanted",): float(wanted), ("ready",): float((deployment.get("status") or {}).get("readyReplicas", 0))}


def _throttled(view: View) -> dict[tuple[str, ...], float]:
    throttle = quota.throttle(view.raw)
    return {(throttle.store, "closed" if throttle.closed else "limited"): 1.0} if throttle else {}


def _credentials(view: View, key: Key) -> None:
    """Of several certificates in one the first that ends, and the oldest."""
    ends: dict[str, datetime] = {}
    begins: dict[tuple[str, ...], float] = {}
    for each in renewal.of(view):
        title, begin = each.node.title, each.begins.timestamp()
        ends[title] = min(each.ends, ends.get(title, each.ends))
        begins[title,] = min(begin, begins.get((title,), begin))
    telemetry.show_ends(*key, ends)
    subjects.show(table.CERTIFICATE_BEGIN, key, begins)


def _birth(view: View, wanted: Mapping[str, Any], key: Key) -> None:
    """Once, in the pass that finds it ready for the first time: until then no version of it was told."""
    before = (view.status.get("kubernetesResources") or {}).get("version") or {}
    if before.get("version") or not wanted["kubernetesResources"]["version"].get("version"):
        return
    created = datetime.fromisoformat(view.raw["metadata"]["creationTimestamp"])
    phases = seconds_until(wanted["conditions"], table.PHASES, created)
    telemetry.show_birth(table.TENANT_BIRTH, telemetry.BIRTHS, key, phases)
