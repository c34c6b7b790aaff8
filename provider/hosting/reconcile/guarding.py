"""Switches an etcd's auth on where somebody switched it off, and says so first. Called by the DataStore and the pool passes.

Whichever of the two comes first tells: the DataStore's status gets `lastUnguarded`, by which every proof of isolation is made
anew, and an Event names who was exposed. It is told before auth is on again, for afterwards nobody could know.
"""

from __future__ import annotations

import logging

from provider.api import kinds
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.observe.datastore import users_of
from provider.hosting.reconcile import stating
from provider.hosting.reconcile.context import Context
from provider.hosting.status.datastore import listed
from provider.hosting.storeview import Trial
from provider.manifest.condition import timestamp
from provider.manifest.happening import Happening

log = logging.getLogger(__name__)


async def closed(context: Context, name: str, store: EtcdStore) -> Trial:
    """Auth is on, of the store that the DataStore of this name offers, or will. For stores that are ours to close."""
    if not (await store.health()).auth_enabled:
        await _tell(context, name)
        await store.enable_auth()
    return Trial(ready=True, reason="AuthEnabled", message="every client has to say who it is, by its certificate")


async def _tell(context: Context, name: str) -> None:
    """Nobody is told of a store that nobody is in: it is about to be offered for the first time."""
    raw, users = await context.cluster.get(kinds.DATA_STORE, name), await users_of(context.cluster, name)
    if raw is None or not users:
        return
    note = (
        f"its auth was off, so that {listed(users)} could reach each other's keys: it is switched on again, and every grant in"
        " it is proven anew. Find out who switched it off"
    )
    log.warning("DataStore %s: %s", name, note)
    await stating.laid(context.cluster, raw, {"lastUnguarded": timestamp(context.clock())})
    await context.events.record(raw, [Happening("AuthSwitchedOn", note, warning=True)])
