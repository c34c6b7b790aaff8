"""Asks for the moves between a pool's stores that are due by its plan. Called by the pool's pass; tenants' own carry them out.

What asks is an annotation: the spec is its user's. A tenant that changed meanwhile is not written over; the next plan has it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from provider.api import kinds, names
from provider.api.datastorepool import DataStorePool
from provider.cluster.errors import Conflict, NotFound
from provider.hosting.reconcile.context import Context
from provider.hosting.sharding import relief
from provider.hosting.sharding.relief import Transfer
from provider.manifest.happening import Happening

log = logging.getLogger(__name__)


async def asked(context: Context, pool: DataStorePool, plan: Sequence[Transfer]) -> bool:
    """Whether any was asked for."""
    due = relief.due(plan, pool.spec.rebalancing, context.clock())
    return any(await asyncio.gather(*(_asked(context, pool, each) for each in due)))


async def _asked(context: Context, pool: DataStorePool, move: Transfer) -> bool:
    namespace, name = move.key
    said = f"DataStore {move.target} of DataStorePool {pool.name}: moved from {move.source}, for {move.why}"
    metadata = {
        "annotations": {names.ANNOTATION_MOVE_TO: move.target, names.ANNOTATION_PLACED: said},
        "resourceVersion": move.tenant["metadata"]["resourceVersion"],
    }
    try:
        raw = await context.cluster.merge(
            kinds.TENANT_CONTROL_PLANE, name, namespace, {"metadata": metadata}, manager=names.HOSTING_MANAGER
        )
    except (Conflict, NotFound):
        return False
    log.info("%s/%s is asked to move from %s to %s: %s", namespace, name, move.source, move.target, move.why)
    await context.events.record(raw, [Happening("MoveAsked", said)])
    return True
