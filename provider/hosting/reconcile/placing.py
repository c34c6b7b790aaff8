"""Puts tenants that name no DataStore into a store of a pool, and records it before first use. Called by the room's queue.

One wave at a time looks at the whole fleet once and places everybody who waits, so a burst costs one look and fills no store
over its limit. What is recorded in `status.storage` counts from then on, here and after a restart (decisions 0004, 0022).
Only the leader has a queue that is worked, and a tenant that moved meanwhile is not written over: its next wave places it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from provider.api import kinds, names
from provider.cluster.errors import ApiError, Conflict
from provider.hosting.observe import fleet as observe
from provider.hosting.reconcile import moved
from provider.hosting.reconcile.context import Context
from provider.hosting.sharding import plan
from provider.hosting.sharding.fleet import Fleet, is_unplaced, key_of
from provider.hosting.sharding.plan import Place
from provider.manifest.happening import Happening

log = logging.getLogger(__name__)

AGAIN = 5.0  # seconds until those are looked at again who got no place; a store that becomes ready wakes us, too
AT_ONCE = 16  # records written at the same time


async def wave(context: Context, _: str = "") -> float | None:
    """Place all who wait. Returns seconds after which to look again, None when events will tell."""
    fleet = await observe.fleet(context.cluster, context.settings)
    turns = asyncio.Semaphore(AT_ONCE)
    placed = await asyncio.gather(
        *(_placed(context, fleet, each, turns) for each in plan.of(fleet)), return_exceptions=True
    )
    _tell(placed)
    return None if all(each is True for each in placed) else AGAIN


async def _placed(context: Context, fleet: Fleet, place: Place, turns: asyncio.Semaphore) -> bool:
    """Whether the tenant has its place now."""
    async with turns:
        keyspace = await moved.keyspace(context, place.tenant)
        if keyspace is not None:
            store = await moved.store(context, place.tenant, keyspace, _names(fleet, place))
            if not store:
                return False  # its own pass says why: an empty keyspace is never given instead
            reason = f"its certificate opens keyspace {keyspace.schema}, which it brought, there"
            place = Place(tenant=place.tenant, pool=place.pool, store=store, reason=reason)
        return await _recorded(context, place) if place.store else False


async def _recorded(context: Context, place: Place) -> bool:
    """Finalizer and reason first, then the place. False when the tenant has moved since we looked.

    The reason is an annotation: the list of conditions has one writer, the tenant's own pass.
    """
    namespace, name = key_of(place.tenant)
    held = list(place.tenant["metadata"].get("finalizers") or ())
    said = f"DataStore {place.store} of DataStorePool {place.pool}: {place.reason}"
    metadata = {
        "finalizers": held if names.FINALIZER_TENANT in held else [*held, names.FINALIZER_TENANT],
        "annotations": {names.ANNOTATION_PLACED: said},
        "resourceVersion": place.tenant["metadata"]["resourceVersion"],
    }
    record = {"storage": {"dataStoreName": place.store, "driver": "etcd"}}
    cluster = context.cluster
    try:
        raw = await cluster.merge(
            kinds.TENANT_CONTROL_PLANE, name, namespace, {"metadata": metadata}, manager=names.HOSTING_MANAGER
        )
        if not is_unplaced(raw):
            return False
        await cluster.merge(
            kinds.TENANT_CONTROL_PLANE,
            name,
            namespace,
            {"metadata": {"resourceVersion": raw["metadata"]["resourceVersion"]}, "status": record},
            subresource="status",
            manager=names.HOSTING_STATUS_MANAGER,
        )
    except Conflict:
        return False
    await context.events.record(raw, [Happening("Placed", said)])
    return True


def _names(fleet: Fleet, place: Place) -> list[str]:
    pool = fleet.pool_of(place.tenant)
    assert pool is not None, "it was placed by one"
    return [each.name for each in fleet.rooms(pool) if not each.hindrance]


def _tell(found: Iterable[bool | BaseException]) -> None:
    """What one record failed with has held up no other. An outage is a line, what is neither is a bug of ours."""
    for each in found:
        if isinstance(each, ApiError):
            log.warning("a place was not recorded, it is tried again: %s", each)
        elif isinstance(each, BaseException):
            raise each
