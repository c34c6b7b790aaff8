"""The pass over one TenantControlPlane: see, plan, apply, report. Called by the room's queue; teardown has its own module.

Every pass walks the whole catalog. A part that declines or fails holds up only what needs it, and the status says so. A pass
that is cancelled in the midst, as when the process ends, writes none: of the parts it did not come to it knows nothing.
What the walk knows is in `walk.Walk`; what it decides is in the pure parts and in `status.tenant`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from provider.api import kinds, names
from provider.api.verdict import Invalid, NotReady, Verdict
from provider.cluster.apply import Applier
from provider.cluster.errors import ApiError, Forbidden, Refused
from provider.cluster.session import Tenants
from provider.hosting import encryption as ciphers
from provider.hosting import renewal
from provider.hosting import rotation as rotating
from provider.hosting.catalog import Step
from provider.hosting.desired import datastore, encryption, released
from provider.hosting.observe import tenant as observe
from provider.hosting.parts import PARTS
from provider.hosting.reconcile import (
    adoption,
    availability,
    following,
    handover,
    measures,
    note,
    report,
    resigning,
    rotation,
    teardown,
    upgrade,
)
from provider.hosting.reconcile.arrival import Arrivals
from provider.hosting.reconcile.context import Context
from provider.hosting.reconcile.encrypting import Encrypting
from provider.hosting.reconcile.inside import Insides
from provider.hosting.reconcile.migration import Migrations
from provider.hosting.reconcile.moving import Moving
from provider.hosting.reconcile.overrides import Overrides
from provider.hosting.reconcile.pacing import Key, NotItsTurn, Starts
from provider.hosting.reconcile.rollouts import Rollouts
from provider.hosting.reconcile.signing import Signing
from provider.hosting.reconcile.storage import Storage
from provider.hosting.reconcile.walk import Walk
from provider.hosting.status import tenant as status
from provider.hosting.tenantwatch import TenantWatch
from provider.hosting.view import View
from provider.manifest import Manifest, meta
from provider.manifest.happening import Happening
from provider.telemetry import tracing

log = logging.getLogger(__name__)

TURN_CHECK = 5.0  # seconds after which a start that waits for its turn looks again by itself
STORAGE_CHECK = 30.0  # seconds until a store or a keyspace that was refused is looked at again
RENEWALS = 3600.0  # seconds after which a tenant that nothing moves is looked at: certificates and proofs age
GLANCE = 60.0  # seconds after which we look at a tenant in which no watch tells us of changes


@dataclass(kw_only=True)
class TenantPass:
    """What the passes over tenants share."""

    context: Context
    tenants: Tenants
    starts: Starts
    storage: Storage
    applier: Applier
    rollouts: Rollouts = field(init=False)
    turns: Starts = field(init=False)  # of those that follow another authority of their store
    watch: TenantWatch | None = None  # None: what moves inside tenants is looked at now and then
    overrides: Overrides = field(init=False)
    moving: Moving = field(init=False)
    migrations: Migrations = field(init=False)
    arrivals: Arrivals = field(init=False)
    encrypting: Encrypting = field(init=False)
    inside: Insides = field(init=False)

    def __post_init__(self) -> None:
        self.turns = Starts(limit=self.starts.limit, monotonic=self.starts.monotonic, wake=self.starts.wake)
        self.rollouts = Rollouts(self.context.settings.rollouts_an_hour)
        self.overrides = Overrides(self.context, self.storage)
        self.moving = Moving(self.context, self.starts.wake)
        self.migrations = Migrations(self.context, self.overrides, self.moving)
        self.arrivals = Arrivals(self.tenants, self.starts.wake)
        self.encrypting = Encrypting(self.context, self.starts.wake)
        self.inside = Insides(
            tenants=self.tenants,
            arrivals=self.arrivals,
            signing=Signing(clock=self.context.clock),
            watch=self.watch,
        )

    async def __call__(self, key: Key) -> float | None:
        """One pass. Returns seconds after which to look again, None when events will tell. Raises on outages and bugs."""
        namespace, name = key
        raw = await self.context.cluster.get(kinds.TENANT_CONTROL_PLANE, name, namespace)
        if raw is None or raw["metadata"].get("deletionTimestamp"):
            self.starts.done(key)
            self.turns.done(key)
            self.rollouts.forget(key)
            await self.inside.forget(key)
            measures.gone(key)
            await self._stop(key)
            if raw is not None:
                return await teardown.tenant(self.context, self.storage, raw)
            await teardown.orphan(self.context, name, namespace)
            return await handover.served_on(self.context, name, namespace)
        # clusterctl's mark takes the place of all annotations, the pause too, when its Secrets are gone and it goes itself.
        if still := {names.ANNOTATION_PAUSED, names.ANNOTATION_DELETE_FOR_MOVE} & meta.annotations_of(raw).keys():
            await self.tenants.close(key)
            availability.gone(key)
            await self._stop(key)
            if names.ANNOTATION_PAUSED in still:
                await handover.prepared(self.context, raw)
            if names.ANNOTATION_PAUSED in still and await note.condition(self.context, raw, status.PAUSED):
                await self.context.events.record(raw, [Happening("Paused", status.PAUSED.message)])
            return None
        try:
            view = await self._observed(raw)
        except Invalid as unreadable:  # stored under another CRD
            await note.condition(self.context, raw, status.not_read(unreadable))
            measures.unread(key, unreadable.reason)
            return None
        walk = Walk(await adoption.held(self.context, view), before=raw)
        await self._settle(walk, key)
        await self._walk(walk, key)
        await self._report(walk)
        if walk.failed:
            raise next(iter(walk.failed.values()))
        return self._again(walk, key)

    async def stop_all(self) -> None:
        """What lasts beyond passes ends: the process does, or leads no more."""
        await self.moving.stop_all()
        await self.encrypting.stop_all()

    async def _stop(self, key: Key) -> None:
        await self.moving.stop(key)
        await self.encrypting.stop(key)

    async def _observed(self, raw: Manifest) -> View:
        """What there is, looked at again where something was held for a move: the tenant goes on here."""
        context = self.context
        look = partial(observe.tenant, context.cluster, raw, settings=context.settings, mint=context.mint)
        view = await look(now=context.clock())
        held = await handover.released(context.cluster, view.seen.objects.values())
        return await look(now=context.clock()) if held else view

    async def _settle(self, walk: Walk, key: Key) -> None:
        """First what goes on over many passes: an upgrade, a rotation, a move between stores."""
        dial = partial(self.inside.session, walk, key)
        settled = await upgrade.settled(self.context.cluster, walk.view, dial)
        followed = await rotation.followed(settled, dial)
        walk.view = self.rollouts.judged(key, adoption.judged(await self.migrations.settled(followed, key, dial)))
        walk.look_again(settled.rollout.again if settled.rollout else None)
        walk.look_again(self.migrations.again(walk.view))

    def _again(self, walk: Walk, key: Key) -> float | None:
        """When to look again, also at a tenant that serves and is quiet; sooner where nothing in it is watched."""
        if walk.again is None and walk.view.tenant is not None:
            watched = self.watch is not None and self.watch.watches(key)
            walk.again = RENEWALS if watched else GLANCE
        walk.look_again(rotating.again(walk.view))
        walk.look_again(ciphers.again(walk.view))
        walk.look_again(renewal.again(walk.view))
        return walk.again

    async def _walk(self, walk: Walk, key: Key) -> None:
        for step in (each for each in PARTS if each.target == "management"):
            await self._take(walk, step, key)
        await self.inside(walk, key)

    async def _take(self, walk: Walk, step: Step, key: Key) -> None:
        """Build and apply one management part."""
        if blocked := walk.blocked(step):
            walk.declined[step.name] = blocked
            return
        try:
            with tracing.span(f"part {step.name}"):
                await self._step(walk, step, key)
        except Verdict as verdict:
            walk.declined[step.name] = verdict
        except (Refused, Forbidden) as error:
            walk.declined[step.name] = Invalid("RefusedByManagementCluster", str(error))
        except Exception as error:
            if not isinstance(error, ApiError):  # an outage is a line of the queue's
                log.exception("part %s of %s/%s failed", step.name, *key)
            walk.failed[step.name] = error

    async def _step(self, walk: Walk, step: Step, key: Key) -> None:
        """Three parts have to do with stores as well, which are looked at again when something of them is not so."""
        try:
            if step.name == datastore.NAME:
                await self._let_in(walk, step, key)
            elif step.name == encryption.NAME:
                dial = partial(self.inside.passing, walk.view)
                walk.view = await self.encrypting.looked(walk.view, key, dial)
                walk.look_again(self.encrypting.again(key))
                await self._apply(walk, step, key)
            else:
                await self._apply(walk, step, key)
            if step.name == released.NAME:
                walk.view = await self.overrides.released(walk.view)
        except Verdict as verdict:
            if step.name in (datastore.NAME, encryption.NAME, released.NAME):
                walk.look_again(verdict.seconds if isinstance(verdict, NotItsTurn) else STORAGE_CHECK)
            raise

    async def _let_in(self, walk: Walk, step: Step, key: Key) -> None:
        """The tenant's place in its stores: granted, then its certificate made, then proven with that, all before its pods."""
        walk.view = await self.overrides.prepared(await self.storage.prepared(walk.view))
        walk.view, now = following.at_its_turn(self.turns, key, walk.view)
        if now:
            walk.view = await resigning.tried(self.context, walk.view)
            walk.look_again(STORAGE_CHECK if resigning.waits(walk.view) else None)
        else:
            walk.look_again(TURN_CHECK)
        await self._apply(walk, step, key)
        walk.view = await self.storage.proven(walk.view)
        await self.overrides.proven(walk.view)

    async def _apply(self, walk: Walk, step: Step, key: Key) -> None:
        manifests = list(step.part.build(walk.view))
        if step.name == "deployment":
            self._pace(walk, manifests, key)
        live = walk.view.seen.objects
        applied = await self.applier.apply(_labels(walk.view), step.name, manifests, live)
        await self.applier.prune(step.name, applied, _own(walk.view))
        if step.name == "deployment":
            self.rollouts.noted(key, walk.view, walk.view.deployment, applied[0])
        walk.view = walk.view.folded(*applied)

    def _pace(self, walk: Walk, manifests: Sequence[Manifest], key: Key) -> None:
        """Hold back the first pods of a control plane until it is its turn; note those that are under way."""
        if self.arrivals.serving(key, walk.view) or not any(each["spec"].get("replicas") for each in manifests):
            self.starts.done(key)
            return
        deployment = walk.view.seen.get(kinds.DEPLOYMENT, walk.view.name, walk.view.namespace)
        if deployment and deployment["spec"].get("replicas"):
            self.starts.running(key)
        elif not self.starts.admit(key):
            walk.look_again(TURN_CHECK)
            raise NotReady("WaitingForTurn", "other control planes are starting; this one starts as soon as one serves")

    async def _report(self, walk: Walk) -> None:
        """The one status patch, also after a failure; nothing is sent when it says what stands."""
        wanted = status.of(walk.view, PARTS, walk.declined, walk.failed)
        measures.tenant(walk.view, wanted)
        if error := await report.written(self.context, walk.view, walk.before, wanted):
            walk.failed.setdefault("status", error)


def _labels(view: View) -> dict[str, str]:
    return {names.LABEL_PROJECT: names.PROJECT, names.LABEL_NAME: view.name}


def _own(view: View) -> dict[tuple[str, str, str], Manifest]:
    """What the tenant controls: only that is pruned, whoever else copied its labels."""
    return {key: each for key, each in view.seen.objects.items() if meta.is_controlled(each, view.raw)}
