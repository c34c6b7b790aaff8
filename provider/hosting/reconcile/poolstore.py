"""One store of a DataStorePool: make its etcd, close its doors, offer it. Called by `reconcile.pool` for each of them.

The DataStore is said only after etcd itself said that auth is on, so no tenant is ever let into a store that trusts everyone.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from provider.api import kinds
from provider.api.verdict import Invalid, Verdict
from provider.cluster.errors import Forbidden, Refused
from provider.hosting.datastores.errors import StoreError
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.desired.pool import NETWORK, OFFER, PARTS, SNAPSHOTS, Build, acceptance, ownership, repair
from provider.hosting.desired.pool.network import endpoints
from provider.hosting.desired.pool.repair import Step
from provider.hosting.observe import residents
from provider.hosting.reconcile import access, guarding, membership, trial
from provider.hosting.reconcile.context import Context
from provider.hosting.rotation import stores
from provider.hosting.status import poolstore as status
from provider.hosting.status.poolstore import Outcome
from provider.hosting.storeview import PoolView, Trial

log = logging.getLogger(__name__)


async def kept(context: Context, view: PoolView) -> tuple[PoolView, Outcome]:
    """The store as it should be, and its snapshots, which hold up nothing: the view afterwards, and what came of it."""
    view, outcome = await _kept(context, view)
    if outcome.part == "acceptance":
        return view, outcome
    view, declined = await _applied(context, view, *SNAPSHOTS)
    return view, replace(outcome, unscheduled=declined)


async def _kept(context: Context, view: PoolView) -> tuple[PoolView, Outcome]:
    """Apply the parts in their order, close etcd's doors, offer the store."""
    if status.serving(view) and access.known(view):
        view = await _followed(context, await membership.seen(context, view))
    verdict: Verdict | None = acceptance.refusal(view)
    if verdict is not None:
        view = await _let_in(context, view)
        return view, Outcome(part="acceptance", declined=verdict)
    for name, build in PARTS:
        view, verdict = await _applied(context, view, name, build)
        if verdict is not None:
            return view, Outcome(part=name, declined=verdict)
    if not status.serving(view):
        return view, Outcome(step=await _mended(context, view))
    asked, size = await _closed(context, view)
    if asked.ready:
        view, verdict = await _applied(context, view, *OFFER)
        if verdict is not None:
            return view, Outcome(part=OFFER[0], declined=verdict, trial=asked, size=size)
    return view, Outcome(trial=asked, size=size, step=await _mended(context, view))


async def _followed(context: Context, view: PoolView) -> PoolView:
    """The view that knows which tenants have yet to follow another authority, while there is one to follow."""
    if (asked := stores.question(view)) is None:
        return view
    return replace(view, behind=await residents.behind(context.cluster, asked, view.residents))


async def _let_in(context: Context, view: PoolView) -> PoolView:
    """Nothing of a refused pool changes but who reaches the store that stands: it goes on to take tenants."""
    offered = view.seen.get(kinds.DATA_STORE, view.name)
    if offered is not None and acceptance.offers(view, offered):
        view, _ = await _applied(context, view, *NETWORK)
    return view


async def measured(context: Context, name: str) -> int | None:
    """Bytes of the database of a DataStore that was brought; None when it does not tell."""
    sizes: list[int] = []

    async def ask(store: EtcdStore) -> Trial:
        sizes.append((await store.health()).size)
        return Trial(ready=True, reason="Measured", message="")

    try:
        store = await context.open_store(name)
    except StoreError:
        return None
    if isinstance(store, EtcdStore):
        await trial.of(store, ask)
    return sizes[0] if sizes else None


async def _mended(context: Context, view: PoolView) -> Step | None:
    """The step that was taken. What etcd refuses is told to the log and decided again by the next pass."""
    try:
        return await membership.mended(context, view)
    except (StoreError, TimeoutError) as error:
        log.warning("store %s: its members were left as they are: %s", view.name, error)
        return repair.step(view)


async def _closed(context: Context, view: PoolView) -> tuple[Trial, int | None]:
    """Auth is on, and how large the database is."""
    sizes: list[int] = []

    async def ask(store: EtcdStore) -> Trial:
        closed = await guarding.closed(context, view.name, store)
        sizes.append((await store.health()).size)
        return closed

    store = access.opened(context, view, *endpoints(view))
    return await trial.of(store, ask), sizes[0] if sizes else None


async def _applied(context: Context, view: PoolView, name: str, build: Build) -> tuple[PoolView, Verdict | None]:
    try:
        applied = await context.applier.apply(ownership.labels(view), name, list(build(view)), view.seen.objects)
    except Verdict as verdict:
        return view, verdict
    except (Refused, Forbidden) as error:
        return view, Invalid("RefusedByManagementCluster", str(error))
    return view.folded(*applied), None
