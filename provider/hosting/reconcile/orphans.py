"""What lies in a store of no tenant that we know: after a crash, after a restored snapshot, after a finalizer was taken off.

Found by the sampling and listed in the DataStore's status; erased when somebody names it in an annotation, and never otherwise:
another management cluster's tenants in the same store look the same from here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from provider.api import kinds, names
from provider.hosting.datastores.errors import StoreError, StoreUnreachable
from provider.hosting.datastores.etcd import upkeep
from provider.hosting.datastores.etcd.ranges import SHAPE
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.datastores.shape import Driver, Housing
from provider.hosting.reconcile import stating
from provider.hosting.reconcile.context import Context
from provider.hosting.storeview import claim_of
from provider.hosting.view import NATS, Keyspace
from provider.manifest import Manifest, meta
from provider.manifest.happening import Happening

log = logging.getLogger(__name__)

TOLD = 50  # orphans in a status


async def tell(context: Context, raw: Manifest, store: Driver) -> None:
    """Look for orphans and write them into the DataStore's status; an Event when there are others than before."""
    found = {each.schema: each for each in await _orphans(context, raw, store)}
    some = [found[name] for name in sorted(found)[:TOLD]]
    said = [await _said(store, each) for each in some]
    before = (raw.get("status") or {}).get("orphans") or []
    if said == before:
        return
    await stating.laid(context.cluster, raw, {"orphans": said})
    if new := sorted({str(each["name"]) for each in said} - {str(each["name"]) for each in before}):
        note = (
            f"keyspace {', '.join(new[:5])}{' and others' if len(new) > 5 else ''} of no TenantControlPlane here lies in it:"
            f" see status.orphans; annotation {names.ANNOTATION_ERASE_ORPHANS} erases those that it names"
        )
        await context.events.record(raw, [Happening("OrphansFound", note, warning=True)])


async def erase(context: Context, raw: Manifest) -> None:
    """Erase what the annotation names and is nobody's, then take the annotation away. What is somebody's stays, and is told."""
    asked = meta.annotations_of(raw).get(names.ANNOTATION_ERASE_ORPHANS)
    if asked is None:
        return
    wanted = {each.strip() for each in asked.split(",")} - {""}
    try:
        async with await context.open_store(raw["metadata"]["name"]) as store:
            await _erase(context, raw, store, wanted)
            await tell(context, raw, store)
    except StoreError as error:
        log.warning("orphans of DataStore %s are not erased: %s", raw["metadata"]["name"], error)
        return  # the annotation stays, and the next pass tries
    patch = {"metadata": {"annotations": {names.ANNOTATION_ERASE_ORPHANS: None}}}
    await context.cluster.merge(kinds.DATA_STORE, raw["metadata"]["name"], None, patch, manager=names.HOSTING_MANAGER)


async def _erase(context: Context, raw: Manifest, store: Driver, wanted: Iterable[str]) -> None:
    found = {each.schema: each for each in await _orphans(context, raw, store)}
    for name in sorted(wanted):
        if name not in found:
            await _told(context, raw, "OrphanKept", f"{name!r} is no orphan of it: nothing was erased", warning=True)
            continue
        try:
            erasure = await store.drop(found[name])
        except StoreError as error:
            await _told(context, raw, "OrphanKept", f"keyspace {name} was not erased: {error}", warning=True)
            continue
        note = f"keyspace {name} of no tenant: {erasure.keys} keys were deleted, 0 are left, nor a user or a role"
        await _told(context, raw, "OrphanErased", note)


async def _orphans(context: Context, raw: Manifest, store: Driver) -> list[Keyspace]:
    """The store is asked first, the tenants after it: who was let in by then had recorded it before."""
    if isinstance(store, EtcdStore):
        return await _of_etcd(context, raw, store)
    assert isinstance(store, Housing), "what is no etcd has databases or buckets"
    residents = await store.residents()
    schemas, users = await _known(context, raw)
    shared = raw["spec"]["driver"] == NATS  # one user for all
    strangers = [each for each in residents if each.schema not in schemas and (shared or each.user not in users)]
    return [each for each in strangers if SHAPE.fullmatch(each.schema) and await store.is_tenants(each)]


async def _of_etcd(context: Context, raw: Manifest, store: EtcdStore) -> list[Keyspace]:
    users, roles, keyspaces = await upkeep.residents(store)
    schemas, known = await _known(context, raw)
    strangers: dict[str, str] = {}
    for user in sorted(users - known):
        held = sorted(await upkeep.roles_of(store, user)) or [user]
        strangers.update({role: user for role in held if role not in schemas})
    for name in (roles | {each for each in keyspaces if SHAPE.fullmatch(each)}) - schemas:
        strangers.setdefault(name, name)
    return [Keyspace(schema=schema, user=user) for schema, user in strangers.items() if SHAPE.fullmatch(schema)]


async def _known(context: Context, raw: Manifest) -> tuple[set[str], set[str]]:
    """Schemas and users of the tenants here that have something in the store."""
    everybody = await context.cluster.list(kinds.TENANT_CONTROL_PLANE)
    claims = [claim for each in everybody if (claim := claim_of(each)) and raw["metadata"]["name"] in claim.stores]
    return {each.keyspace.schema for each in claims}, {each.keyspace.user for each in claims}


async def _said(store: Driver, keyspace: Keyspace) -> dict[str, Any]:
    """An entry of the status; without a count where somebody made something else of the table."""
    said: dict[str, Any] = {"name": keyspace.schema, "user": keyspace.user}
    try:
        return said | {"keys": await _keys(store, keyspace)}
    except StoreUnreachable:
        raise
    except StoreError as error:
        log.warning("keys of keyspace %s, an orphan, were not counted: %s", keyspace.schema, error)
        return said


async def _keys(store: Driver, keyspace: Keyspace) -> int:
    """etcd counts keys without reading them."""
    if isinstance(store, EtcdStore):
        return await store.count(keyspace.schema)
    return (await store.measure(keyspace)).keys


async def _told(context: Context, raw: Manifest, reason: str, note: str, *, warning: bool = False) -> None:
    log.info("DataStore %s: %s", raw["metadata"]["name"], note)
    await context.events.record(raw, [Happening(reason, note, warning=warning, action="Erase")])
