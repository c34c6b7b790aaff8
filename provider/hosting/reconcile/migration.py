"""Moves a tenant to the DataStore that its spec asks for, a step a time. Called by the tenant pass before its walk.

What the steps are is in `hosting.migration`; here they are begun, recorded before they are acted on, and acted on. The copy
itself is `moving`'s. A tenant whose move does not begin, or was given up, is served as ever.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

from provider.api import kinds, names
from provider.api.verdict import Invalid, NotReady, Verdict
from provider.hosting import migration
from provider.hosting.datastores.errors import RevisionGap, StoreError
from provider.hosting.datastores.etcd.copying import revisions
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.migration import COPIED, Phase, Sight, fitness, sight, standby
from provider.hosting.reconcile import overrides
from provider.hosting.reconcile import standby as standing
from provider.hosting.reconcile.context import Context
from provider.hosting.reconcile.moving import Moving, Order
from provider.hosting.reconcile.overrides import Overrides
from provider.hosting.reconcile.pacing import Key
from provider.hosting.reconcile.upgrade import Dial
from provider.hosting.view import Keyspace, Move, Store, View

log = logging.getLogger(__name__)

STEP_CHECK = 1.0  # seconds after which a step with a limit of time is looked at again
ENDING_CHECK = 0.3  # the same of one that waits for API servers that end: no event tells when they hang up
REST_CHECK = 30.0  # the same of what only waits


@dataclass
class Migrations:
    """What the passes over tenants that move share."""

    context: Context
    overrides: Overrides
    moving: Moving

    async def settled(self, view: View, key: Key, dial: Dial) -> View:
        """The view with its move as it stands now, and the home that it has by that. ApiError when it cannot be recorded.

        By `dial` those inside are told that their writes are held.
        """
        await standing.let_in(self.context.cluster, view)
        if view.move is None:
            await self.moving.stop(key)
            if view.keyspace is None or view.store is None or view.restoring:
                return view
            try:
                begun = await self._asked(view, view.store, view.keyspace)
            except Verdict as verdict:
                return replace(view, held_up=verdict)
            if begun is None:
                return view
            view = begun
        before = view.move.phase if view.move else ""
        view = await self._stepped(await self._fit_to_stand_by(view, key), key)
        move = view.move
        if move is not None and move.phase != before:
            await self._begins(view, move, dial)
        if move is not None and move.phase in COPIED:
            await self.moving.drive(key, _order(view, move), finish=move.phase == Phase.FROZEN)
        if self.moving.progress(key).waiting:
            message = "other tenants are being copied; this one is as soon as one of them is done"
            view = replace(view, held_up=NotReady("WaitingForTurn", message))
        return view

    async def _begins(self, view: View, move: Move, dial: Dial) -> None:
        """What is not to wait for the walk, which does the other half of it, or all when this fails."""
        if move.phase == Phase.SWITCHING:
            await standing.let_in(self.context.cluster, view)
        elif migration.all_frozen(move) and move.phase == Phase.FROZEN:
            await standing.announced(view, dial)
        elif move.phase == Phase.MOVED and view.keyspace is not None:
            try:
                async with await self._opened(move.target) as home:
                    await home.ensure(view.keyspace)
            except StoreError as error:
                log.warning("%s/%s may not write yet: %s", view.namespace, view.name, error)

    @staticmethod
    def again(view: View) -> float | None:
        """Seconds after which to look again: the steps have limits of time, and what is left is erased when it is."""
        if view.move is not None and migration.frozen(view.move) and sight.leaving(sight.moved(view)):
            return ENDING_CHECK
        if migration.frozen(view.move) or (view.move is not None and view.move.phase == Phase.STANDING_BY):
            return STEP_CHECK
        if view.move is not None and view.move.phase == Phase.MOVED:
            return max(STEP_CHECK, (migration.KEPT - (view.now - view.move.since)).total_seconds())
        return REST_CHECK if isinstance(view.held_up, NotReady) else None

    async def _fit_to_stand_by(self, view: View, key: Key) -> View:
        """Pods of the target are made once what they will show was tried; held up by a Verdict where it does not do."""
        move = view.move
        some = move is not None and bool(move.resources) and standby.possible(view)
        store = view.other if some else standby.store(view)
        if move is None or move.phase != Phase.COPYING or store is None or not self.moving.progress(key).level:
            return view
        try:
            await standing.proven(self.context, view, store)
        except Verdict as verdict:
            return replace(view, held_up=verdict)
        return view

    async def _stepped(self, view: View, key: Key) -> View:
        move = view.move
        assert move is not None
        rolling = move.phase in (Phase.SWITCHING, Phase.RETURNING)
        gone = await standing.hung_up(sight.moved(view)) if rolling else frozenset[str]()
        after = migration.after(move, self._sight(view, move, key, gone))
        if after == move:
            return view
        if after is None or after.phase not in COPIED:
            await self.moving.stop(key)
        if after is None:
            return await self._recorded(view, None)
        log.info("%s/%s moves from %s to %s: %s %s", *key, move.source, move.target, after.phase, after.message)
        match (move.phase, after.phase):
            case (_, Phase.SWITCHING):
                view = await self.overrides.held(view, move.source)
            case (Phase.SWITCHING, Phase.MOVED):
                await self._above(move.target, move.source)
            case (Phase.RETURNING, Phase.FAILED):
                await self._above(move.source, move.target)
        return await self._recorded(view, after)

    def _sight(self, view: View, move: Move, key: Key, gone: frozenset[str]) -> Sight:
        progress, view = self.moving.progress(key), sight.moved(view)
        return Sight(
            wanted=sight.wanted(view),
            now=view.now,
            level=progress.level and not isinstance(view.held_up, NotReady),
            floor=progress.floor,
            sealed=progress.sealed,
            last=progress.last,
            beside=standby.possible(view),
            up=standby.up(view),
            failure=progress.failure or (view.held_up if isinstance(view.held_up, Invalid) else None),
            trouble=progress.trouble,
            calm=view.rollout is None or view.rollout.reason == "Migrating",
            strangers=view.store is None or bool(sight.strangers(view, gone)),
            served=sight.served(view),
            rolled_out=sight.rolled_out(view),
            left=sight.left(view, migration.away(move)),
        )

    async def _asked(self, view: View, store: Store, keyspace: Keyspace) -> View | None:
        """The first step of what the spec asks for; None when all is where it asks for it. A Verdict says why not."""
        if sight.wanted(view) != store.name:
            return await self._begun(view, store, fitness.checked(view, store), keyspace)
        if (change := sight.changed(view)) is None:
            return None
        other = fitness.checked_override(view, change)
        source = next((each.store for each in view.overrides if each.data_store == change.source), None)
        for each, name in ((source, change.source), (other, change.target)):
            overrides.usable(view, each, name)
        await self.overrides.refuse_main(view, other)
        assert source is not None, "it is usable"
        return await self._begun(view, source, other, keyspace, change.resources)

    async def _begun(
        self, view: View, store: Store, other: Store, keyspace: Keyspace, resources: tuple[str, ...] = ()
    ) -> View:
        """The first step recorded, its place in the target claimed before that. A Verdict says why not."""
        if sight.left(view, other.name):
            raise NotReady("Releasing", f"waiting until DataStore {other.name} holds nothing of this tenant any more")
        try:
            async with await self._opened(store.name) as source, await self._opened(other.name) as target:
                if await source.identity() == await target.identity():
                    raise Invalid(
                        "SameStore",
                        f"spec.dataStore: DataStore {other.name} leads to the etcd of DataStore {store.name}, where the tenant"
                        " is already: name one of another etcd",
                    )
                revisions.check(await target.revision(), await source.revision())
                view = await self.overrides.claimed(view, other)
                await target.ensure(keyspace, writable=False)
        except RevisionGap as error:
            raise Invalid("RevisionGap", f"DataStore {other.name}: {error}") from error
        except StoreError as error:
            raise NotReady("DataStoreUnreachable", f"DataStores {store.name} and {other.name}: {error}") from error
        return await self._recorded(view, migration.begun(store.name, other.name, view.now, resources))

    async def _above(self, upper: str, lower: str) -> None:
        """The one store's revision is above the other's. What cannot be asked any more has shown nobody anything new."""
        try:
            async with await self._opened(upper) as above, await self._opened(lower) as below:
                await revisions.raised(above, await below.revision())
                await revisions.forgotten(above)
        except StoreError as error:
            log.warning("the revision of DataStore %s was not held against that of %s: %s", upper, lower, error)

    async def _recorded(self, view: View, move: Move | None) -> View:
        """The view after a step was written, home and all. Conflict when somebody wrote meanwhile: the pass is taken again."""
        said: dict[str, Any] = {"migration": migration.record(move) if move else None}
        home = sight.moved(replace(view, move=move)).store
        moved = move is not None and home is not None and migration.home(move) != home.name
        if move is not None and moved and not move.resources:
            said["dataStoreName"] = migration.home(move)
        after = view
        if move is not None and moved and move.resources:
            after = _elsewhere(view, move)
            said["overrides"] = [
                {"resource": each.resource, "dataStoreName": each.data_store} for each in after.overrides
            ]
        patch = {"metadata": {"resourceVersion": view.raw["metadata"]["resourceVersion"]}, "status": {"storage": said}}
        raw = await self.context.cluster.merge(
            kinds.TENANT_CONTROL_PLANE,
            view.name,
            view.namespace,
            patch,
            subresource="status",
            manager=names.HOSTING_STATUS_MANAGER,
        )
        self.overrides.storage.forget(view.tcp.metadata.uid)
        store = view.other if moved and after is view else view.store
        other = home if moved else view.other
        return replace(after, raw=raw, move=move, store=store, other=other)

    async def _opened(self, store: str) -> EtcdStore:
        found = await self.context.open_store(store)
        assert isinstance(found, EtcdStore), "no other store's tenants move"
        return found


def _elsewhere(view: View, move: Move) -> View:
    """The view in which the resources that move lie in the other store."""
    assert view.other is not None, "it is the one that they move to, or came from"
    other = view.other
    return replace(
        view,
        overrides=tuple(
            replace(each, data_store=other.name, store=other) if each.resource in move.resources else each
            for each in view.overrides
        ),
    )


def _order(view: View, move: Move) -> Order:
    assert view.keyspace is not None
    token = f"{view.tcp.metadata.uid}/{move.began}"
    return Order(source=move.source, target=move.target, keyspace=view.keyspace, token=token)
