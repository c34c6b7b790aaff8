"""Takes a tenant's keys, role and user out of one store for ever, with proof, or says what is in the way.

Called when a tenant ends and when a store is taken out of its `dataStoreOverrides`. One try takes a worker's time for
`STORE_PATIENCE` at most, so that a store that hangs holds up no other tenant.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from provider.api import kinds, names
from provider.api.verdict import NotReady
from provider.hosting.datastores.errors import StoreError, Taken
from provider.hosting.reconcile.context import Context
from provider.hosting.reconcile.storage import Storage
from provider.hosting.storeview import CONDITION_READY, Claim, holder
from provider.hosting.view import Keyspace
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from provider.manifest.happening import Happening

log = logging.getLogger(__name__)

STORE_PATIENCE = 30.0  # seconds for one try


async def erase(context: Context, storage: Storage, keyspace: Keyspace, store: str, *, raw: Manifest, held: str) -> int:
    """How many keys were dropped. NotReady names what is in the way, and `held`, the finalizer that can be taken off then."""
    await _refuse_unreachable(context, store, held)
    try:
        async with asyncio.timeout(STORE_PATIENCE):
            erasure = await storage.erase(keyspace, store, raw["metadata"]["uid"])
    except Taken as error:
        log.warning("nothing to erase in DataStore %s, which never let the tenant in: %s", store, error)
        return 0
    except StoreError as error:
        raise _pending(store, f"{error}. Mend it, {_leave(held)}") from error
    except TimeoutError as error:
        raise _pending(store, f"it did not do it within {STORE_PATIENCE:.0f} seconds, and is tried again") from error
    log.info("erased keyspace %s in DataStore %s: %s", keyspace.schema, store, erasure)
    return erasure.keys


def happening(keyspace: Keyspace, stores: Iterable[str]) -> Happening:
    """What is told of an erasure."""
    where = ", ".join(sorted(stores))
    said = f"0 keys of keyspace {keyspace.schema} are left in DataStore {where}, and neither its user nor its role"
    return Happening("KeyspaceErased", said, action="Erase")


async def refuse_shared(context: Context, raw: Manifest, claim: Claim, held: str) -> None:
    """Upstream lets two tenants have one keyspace. The keys of one that stays are not ours to drop."""
    everybody = await context.cluster.list(kinds.TENANT_CONTROL_PLANE)
    staying = [
        each
        for each in everybody
        if each["metadata"]["uid"] != raw["metadata"]["uid"] and not each["metadata"].get("deletionTimestamp")
    ]
    if other := holder(claim, staying):
        where = f"{other['metadata']['namespace']}/{other['metadata']['name']}"
        raise NotReady(
            "KeyspaceShared",
            f"keyspace {claim.keyspace.schema} or user {claim.keyspace.user} is TenantControlPlane {where}'s as well:"
            f" delete that one too so that the keys can be erased, {_leave(held)}",
        )


async def _refuse_unreachable(context: Context, store: str, held: str) -> None:
    """A store that is gone, and one of which its own pass says that nobody answers, need no try."""
    found = await context.cluster.get(kinds.DATA_STORE, store)
    if found is None:
        raise NotReady(
            "DataStoreGone",
            f"DataStore {store}, which holds keys of the tenant, does not exist: create it again so that they can be erased,"
            f" {_leave(held)}",
        )
    said = find((found.get("status") or {}).get("conditions"), CONDITION_READY) or {}
    looked_at = names.ANNOTATION_PAUSED not in meta.annotations_of(found)
    if looked_at and said.get("reason") == "Unreachable":
        raise _pending(store, f"{said.get('message')} Bring it back, {_leave(held)}")


def _pending(store: str, why: str) -> NotReady:
    return NotReady("ErasurePending", f"the keys in DataStore {store} cannot be erased: {why}")


def _leave(held: str) -> str:
    return f"or remove finalizer {held} to leave them where they are"
