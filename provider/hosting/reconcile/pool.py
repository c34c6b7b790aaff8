"""The pass over one DataStorePool: how many stores it needs, each of them kept, and told. Called by the room's queue.

The key is its name. Who is put in which store is decided by `reconcile.placing`, by what this pass has measured.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from provider.api import kinds, names
from provider.api.datastorepool import DataStorePool
from provider.cluster.errors import Conflict, NotFound
from provider.hosting.desired.pool import acceptance
from provider.hosting.observe import fleet as observe_fleet
from provider.hosting.observe import pool as observe
from provider.hosting.observe.datastore import users_of
from provider.hosting.reconcile import finalizer, measures, poolstore, rebalancing, stating
from provider.hosting.reconcile.context import Context
from provider.hosting.rotation import stores as rotating
from provider.hosting.sharding import growth, relief
from provider.hosting.sharding.fleet import Fleet
from provider.hosting.sharding.room import Room
from provider.hosting.status import pool as status
from provider.hosting.status.datastore import listed
from provider.hosting.status.poolstore import Outcome, moving
from provider.hosting.storeview import PoolView, guests, residents
from provider.manifest import Manifest, meta

log = logging.getLogger(__name__)

CHECK_HINDERED = 2.0  # seconds until what etcd or a part refused is tried again
CHECK_KEPT = 60.0  # until databases are measured again; certificates are renewed months ahead
CHECK_ROTATING = 5.0  # while another authority is waited for: no event tells of tenants
CHECK_ENDING = 1.0
CHECK_USED = 30.0


async def pool(context: Context, name: str) -> float | None:
    """One pass. Returns seconds after which to look again, None when events will tell."""
    raw = await context.cluster.get(kinds.DATA_STORE_POOL, name)
    if raw is None:
        measures.pool_gone(name)
        return None
    if names.ANNOTATION_PAUSED in meta.annotations_of(raw):
        return None
    if raw["metadata"].get("deletionTimestamp"):
        return await _ending(context, raw)
    raw = await finalizer.held(context.cluster, raw, names.FINALIZER_POOL)
    view = await _view(context, raw)
    fleet = await observe_fleet.fleet(context.cluster, context.settings)
    waiting = sum(1 for each in fleet.unplaced() if (owner := fleet.pool_of(each)) and owner.name == name)
    stores = _stores(view, fleet, waiting + _homeless(fleet, view.pool))
    views = [_of_store(view, fleet, each) for each in stores]
    kept = await asyncio.gather(*(poolstore.kept(context, each) for each in views))
    after = await observe_fleet.fleet(context.cluster, context.settings)
    rooms, plan = after.rooms(view.pool), relief.of(after, view.pool)
    await rebalancing.asked(context, view.pool, plan)
    wanted = status.of(view, kept, rooms, await _sizes(context, kept, rooms), waiting) | status.moves(plan)
    measures.pool(name, wanted)
    await stating.wanted(context.cluster, view.raw, wanted)
    if any(map(_hindered, kept)):
        return CHECK_HINDERED
    return CHECK_ROTATING if any(any(rotating.progress(each)) for each, _ in kept) else CHECK_KEPT


async def ensure_default_pool(context: Context) -> None:
    """Make the pool that `settings.default_pool` names, unless it or a DataStore of that name exists."""
    name = context.settings.default_pool
    if not name or await context.cluster.get(kinds.DATA_STORE_POOL, name):
        return
    if await context.cluster.get(kinds.DATA_STORE, name):
        log.info("DataStore %s exists: no DataStorePool of that name is made", name)
        return
    try:
        await context.cluster.create(meta.new(kinds.DATA_STORE_POOL, name, spec={}))
        log.info("DataStorePool %s made: tenants that name no DataStore use its etcd", name)
    except Conflict:
        return  # somebody else made it this moment
    except NotFound:
        log.warning("DataStorePools are not served here: no default DataStore is made; apply config/crd/ and restart")


async def _view(context: Context, raw: Manifest) -> PoolView:
    return await observe.view(context.cluster, raw, settings=context.settings, now=context.clock(), mint=context.mint)


def _of_store(view: PoolView, fleet: Fleet, name: str) -> PoolView:
    tenants = fleet.tenants
    return replace(view.of_store(name), guests=guests(tenants, name), residents=residents(tenants, name))


def _stores(view: PoolView, fleet: Fleet, waiting: int) -> tuple[str, ...]:
    """Names of the stores to keep: those that stand, and as many more as are needed."""
    made = sorted(
        {
            *(str(meta.labels_of(each).get(names.LABEL_STORE)) for each in _own(view) if each["kind"] == "StatefulSet"),
            *(room.name for room in fleet.rooms(view.pool) if room.made),
        }
    )
    count = growth.wanted(view.pool, fleet.rooms(view.pool), len(made), fleet.fresh(view.pool), waiting)
    others = {str(each["metadata"]["name"]) for each in fleet.stores} - set(made)
    return growth.stores(view.pool, made, others, count)


def _homeless(fleet: Fleet, pool: DataStorePool) -> int:
    """How many tenants are to leave a store, and no other has room for them."""
    return sum(1 for each in relief.of(fleet, pool) if each.state == relief.NO_ROOM and each.asked)


async def _sizes(context: Context, kept: status.Kept, rooms: Sequence[Room]) -> dict[str, int]:
    """Bytes of each store's database, of those that tell."""
    brought = [each.name for each in rooms if not each.made]
    found = dict(
        zip(brought, await asyncio.gather(*(poolstore.measured(context, each) for each in brought)), strict=True)
    )
    found |= {view.name: outcome.size for view, outcome in kept}
    return {name: size for name, size in found.items() if size is not None}


def _hindered(kept: tuple[PoolView, Outcome]) -> bool:
    view, outcome = kept
    refused = outcome.declined is not None or (outcome.trial is not None and not outcome.trial.ready)
    return refused or moving(view, outcome)


async def _ending(context: Context, raw: Manifest) -> float | None:
    """The DataStores first, which their own passes let go when nobody uses them; then pods, claims, volumes and all else."""
    if names.FINALIZER_POOL not in (raw["metadata"].get("finalizers") or ()):
        return None
    view = await _view(context, raw)
    offered = _offered(view)
    used = [user for each in offered for user in await users_of(context.cluster, each)]
    if used:
        message = f"it holds the state of {listed(tuple(sorted(used)))}: delete these TenantControlPlanes first"
        await stating.wanted(context.cluster, view.raw, status.ending(view, "DataStoreStillUsed", message))
        return CHECK_USED
    await stating.wanted(
        context.cluster, view.raw, status.ending(view, "Deleting", "its DataStores, pods and volumes are being deleted")
    )
    for each in offered:
        await context.cluster.delete(kinds.DATA_STORE, each)
    if not offered and await _cleared(context, view):
        if (now := await context.cluster.get(kinds.DATA_STORE_POOL, view.name)) is not None:
            await finalizer.released(context.cluster, now, names.FINALIZER_POOL)
        return None
    return CHECK_ENDING


def _offered(view: PoolView) -> list[str]:
    stores = [each for each in view.seen.objects.values() if each["kind"] == kinds.DATA_STORE.kind]
    return sorted(str(each["metadata"]["name"]) for each in stores if acceptance.offers(view, each))


def _own(view: PoolView) -> list[Manifest]:
    """What carries the pool's label, its DataStores left out."""
    objects = [each for each in view.seen.objects.values() if each["kind"] != kinds.DATA_STORE.kind]
    return [each for each in objects if meta.labels_of(each).get(names.LABEL_POOL) == view.pool.name]


async def _cleared(context: Context, view: PoolView) -> bool:
    """Delete what carries the pool's label, pods by their StatefulSet; true once none of it is left."""
    objects = _own(view)
    for each in objects:
        if each["kind"] != "Pod" and not each["metadata"].get("deletionTimestamp"):
            metadata = each["metadata"]
            await context.cluster.delete(kinds.of(each), metadata["name"], metadata.get("namespace"))
    return not objects
