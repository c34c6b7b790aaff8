"""The half of a pass that happens inside the tenant's own API server: its parts, its tunnel, and the connection for them.

Called by the tenant pass when the management parts are done, and by what has to ask the tenant before that.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from provider.api import names
from provider.api.verdict import Invalid, NotReady, Verdict
from provider.cluster.client import Cluster
from provider.cluster.errors import Forbidden, Refused, Unauthorized, Unreachable
from provider.cluster.session import Tenants
from provider.hosting import migration, quota
from provider.hosting.catalog import Step
from provider.hosting.desired.konnectivity import agent
from provider.hosting.observe import tenant as observe
from provider.hosting.parts import PARTS
from provider.hosting.reconcile import adoption, availability
from provider.hosting.reconcile.arrival import Arrivals, way_to
from provider.hosting.reconcile.pacing import Key
from provider.hosting.reconcile.signing import Signing
from provider.hosting.reconcile.tunnel import Tunnels
from provider.hosting.reconcile.walk import Walk
from provider.hosting.tenantwatch import TenantWatch
from provider.hosting.view import ServerPod, View
from provider.telemetry import tracing

log = logging.getLogger(__name__)

UNREACHABLE_CHECK = 0.5  # seconds until we try again an API server whose container says it is ready


@dataclass(kw_only=True)
class Insides:
    """What walks inside tenants share."""

    tenants: Tenants
    arrivals: Arrivals
    signing: Signing
    watch: TenantWatch | None = None  # None: what moves inside tenants is looked at now and then
    adopted: adoption.Inside = field(default_factory=adoption.Inside)
    tunnels: Tunnels = field(default_factory=lambda: Tunnels(monotonic=time.monotonic))

    async def __call__(self, walk: Walk, key: Key) -> None:
        """Apply the tenant-side parts, as soon as one API server answers."""
        steps = [each for each in PARTS if each.target == "tenant"]
        untaken = list(steps)
        try:
            session = await self.session(walk, key)
            await self.adopted.cleared(walk.view, session)
            with availability.asked(key):
                inside = await observe.inside(session)
            walk.view = walk.view.inside(inside)
            if self.watch is not None:
                self.watch.looked(key, inside.at)
            while untaken:
                await self._take_inside(walk, untaken[0], session)
                untaken.pop(0)
            await self._try_tunnel(walk, session, key)
        except (Verdict, Unreachable, Unauthorized, Forbidden) as error:
            verdict = error if isinstance(error, Verdict) else NotReady("ApiServerUnreachable", str(error))
            if not isinstance(error, Verdict):
                walk.look_again(UNREACHABLE_CHECK)
            walk.declined.update({each.name: verdict for each in steps if each.name not in walk.declined})
        except Exception as error:
            throttle = quota.throttle(walk.view.raw)
            closed = throttle is not None and throttle.closed
            if (
                migration.frozen(walk.view.move) or walk.view.restoring or closed
            ):  # what drifts inside is mended afterwards
                frozen = NotReady(
                    "WritesFrozen",
                    "waiting until the tenant, whose store takes no writes of it for the moment, may write again",
                )
                walk.declined.update({each.name: frozen for each in untaken})
                return
            log.exception("inside of %s/%s failed", *key)
            walk.failed.update({each.name: error for each in untaken})

    async def session(self, walk: Walk, key: Key) -> Cluster:
        """A connection to a serving pod: it answers before the Service routes to it, and whether or not it ever does."""
        pods = self.arrivals.serving(key, walk.view)
        if not pods:
            await self.tenants.close(key)
            availability.silent(key, walk.view)
            raise NotReady("ApiServerStarting", "waiting for a pod whose kube-apiserver answers")
        kubeconfig, way = way_to(walk.view, pods[0])
        arriving = not walk.view.serving
        return await self.tenants.session(key, kubeconfig, beside=self.signing.attend if arriving else None, **way)

    @asynccontextmanager
    async def passing(self, view: View) -> AsyncIterator[Cluster]:
        """A connection of its own, for what lasts longer than a pass. NotReady while nobody serves."""
        if not view.serving:
            raise NotReady("ApiServerStarting", "waiting for a pod whose kube-apiserver answers")
        kubeconfig, way = way_to(view, view.serving[0])
        async with self.tenants.passing(kubeconfig, **way) as opened:
            yield opened

    async def forget(self, key: Key) -> None:
        """The tenant goes: nothing of it is held open or remembered."""
        self.tunnels.forget(key)
        self.arrivals.forget(key)
        await self.tenants.close(key)

    async def _try_tunnel(self, walk: Walk, session: Cluster, key: Key) -> None:
        """Ask through the tunnel where there is one."""

        @asynccontextmanager
        async def dial(pod: ServerPod) -> AsyncIterator[Cluster]:
            if pod == self.arrivals.serving(key, walk.view)[0]:
                yield session
                return
            kubeconfig, way = way_to(walk.view, pod)
            async with self.tenants.passing(kubeconfig, **way) as passing:
                yield passing

        if agent.NAME in walk.declined:
            return
        tunnel, again = await self.tunnels.look(key, walk.view, session, dial)
        walk.view = walk.view.tunnelled(tunnel)
        walk.look_again(again)

    async def _take_inside(self, walk: Walk, step: Step, session: Cluster) -> None:
        if blocked := walk.blocked(step):
            walk.declined[step.name] = blocked
            return
        try:
            live = walk.view.tenant.objects if walk.view.tenant else {}
            applier = self.tenants.applier(session)
            with tracing.span(f"part {step.name}"):
                manifests = list(step.part.build(walk.view))
                applied = await applier.apply({names.LABEL_PROJECT: names.PROJECT}, step.name, manifests, live)
                await applier.prune(step.name, applied, live)
            if walk.view.tenant:
                walk.view = walk.view.inside(walk.view.tenant.with_objects(*applied))
        except Verdict as verdict:
            walk.declined[step.name] = verdict
        except Refused as error:
            walk.declined[step.name] = Invalid("RefusedByTenant", str(error))
