"""The pass over one DataStore: read what it refers to, try it, tell. Called by the room's queue, key: the name.

`ready` is tried, not believed: TLS as it says, root let in, something written and read back, a version that keeps tenants
apart.
"""

from __future__ import annotations

import logging
import zlib
from datetime import datetime
from functools import partial
from typing import Any

from provider.api import kinds, names
from provider.api.verdict import Invalid
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.observe import datastore as observe
from provider.hosting.reconcile import finalizer, guarding, measures, orphans, stating, trial
from provider.hosting.reconcile.context import Context
from provider.hosting.status import datastore as status
from provider.hosting.status import transitions
from provider.hosting.storematerial import access
from provider.hosting.storeview import CONDITION_READY, StoreView, Trial
from provider.manifest import Manifest, meta
from provider.manifest.condition import find

log = logging.getLogger(__name__)

CHECK_READY = 60.0  # seconds until a ready store is tried again
CHECK_SOON = 2.0  # one that is not, while it may be about to be
CHECK_LATER = 15.0
SOON = 120.0  # seconds after a change for which CHECK_SOON holds


async def datastore(context: Context, name: str) -> float | None:
    """One pass. Returns seconds after which to look again, None when events will tell."""
    raw = await context.cluster.get(kinds.DATA_STORE, name)
    if raw is None:
        context.looks.pop(name, None)
        measures.store_gone(name)
        return None
    if raw["metadata"].get("deletionTimestamp"):  # also of one that is paused: who deletes it means it
        return await _ending(context, raw)
    if names.ANNOTATION_PAUSED in meta.annotations_of(raw):
        return None
    raw = await finalizer.held(context.cluster, raw, names.FINALIZER_DATASTORE)
    view = await observe.view(context.cluster, raw, context.clock())
    await orphans.erase(context, raw)
    found = await _tried(context, view)
    if found.reason == trial.AUTH_OFF and view.users:
        found = await _guarded(context, view)
    wanted = status.of(view, found, restored=_restored(context, view, found))
    measures.store(view, wanted)
    await _report(context, raw, wanted)
    return CHECK_READY * _jitter(view) if found.ready else _soon_or_later(wanted, view.now)


async def _ending(context: Context, raw: Manifest) -> float | None:
    """Let it go once nobody's state is in it. While it is used, the users' events wake us."""
    view = await observe.view(context.cluster, raw, context.clock())
    await _report(context, raw, status.ending(view))
    if view.users:
        return CHECK_LATER
    # What was just written is newer than `raw`: the finalizer goes from the object as it is now.
    if (now := await context.cluster.get(kinds.DATA_STORE, view.datastore.name)) is not None:
        await finalizer.released(context.cluster, now, names.FINALIZER_DATASTORE)
    return None


async def _tried(context: Context, view: StoreView) -> Trial:
    try:
        found = access(view.datastore, view.secrets)
    except Invalid as invalid:
        return Trial(ready=False, reason=invalid.reason, message=invalid.message)
    return await trial.of(context.dial(found), trial.probed)


async def _guarded(context: Context, view: StoreView) -> Trial:
    """Switch auth on again where tenants were let in by it: until then each of them reaches all others' keys."""
    store = context.dial(access(view.datastore, view.secrets))
    assert isinstance(store, EtcdStore), "only etcd has auth that can be off"
    asked = await trial.of(store, partial(guarding.closed, context, view.datastore.name))
    return await _tried(context, view) if asked.ready else asked


def _restored(context: Context, view: StoreView, found: Trial) -> bool:
    """Whether its data is another than before: of another cluster, or older than we have seen it.

    What we saw is remembered by this process alone; another one that takes over proves all tenants anew anyway.
    """
    if found.look is None:
        return False
    before, now = context.looks.get(view.datastore.name), found.look
    context.looks[view.datastore.name] = now
    known = (view.raw.get("status") or {}).get("clusterID")
    moved = bool(known and now.identity) and known != now.identity
    return moved or (before is not None and now.revision < before.revision)


async def _report(context: Context, raw: Manifest, wanted: dict[str, Any]) -> None:
    if await stating.wanted(context.cluster, raw, wanted):
        before = raw.get("status") or {}
        told = [*transitions.readiness(before, wanted), *transitions.expiry(before, wanted)]
        await context.events.record(raw, told)


def _soon_or_later(wanted: dict[str, Any], now: datetime) -> float:
    """Nothing wakes us when a foreign Secret or etcd comes right: look often at first, then less."""
    ready = find(wanted["conditions"], CONDITION_READY)
    assert ready is not None
    since = datetime.fromisoformat(ready["lastTransitionTime"])
    return CHECK_SOON if (now - since).total_seconds() < SOON else CHECK_LATER


def _jitter(view: StoreView) -> float:
    """0.9 to 1.1, each store its own: many stores made at once are not tried at once for ever."""
    return 0.9 + 0.2 * (zlib.crc32(view.datastore.metadata.uid.encode()) / 2**32)
