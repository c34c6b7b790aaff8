"""The pass over one KamajiControlPlane: see, ask the hosting room, hand out Secrets and the endpoint, report.

Called by the room's queue, key: (namespace, name). Nothing happens before a Cluster owns the object and names it, and nothing
while paused, also no deletion. The steps of a pass do not wait for each other: a spec that is refused holds up no renewal of
a kubeconfig. The Cluster's own deletion is no reason to act: its workers need the API server until core deletes the object.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from provider.api import kinds, names
from provider.api.verdict import Invalid, NotReady, Verdict
from provider.capi import infra, measures, observe, status
from provider.capi.desired import brought, secrets, tenantcontrolplane
from provider.capi.externalcluster import CutOff, Host, Hosts
from provider.capi.status import conditions, transitions
from provider.capi.view import PART, View, is_ours
from provider.cluster.apply import Applier, key_of
from provider.cluster.client import Cluster
from provider.cluster.errors import Conflict, Forbidden, Refused, Unreachable
from provider.cluster.events import Recorder
from provider.manifest import Manifest, mergepatch, meta

log = logging.getLogger(__name__)

Key = tuple[str, str]
CHECK_DELETING = 5.0  # seconds; events of the TenantControlPlane wake us sooner
CHECK_FORBIDDEN = 60.0  # seconds; nothing tells when a right, a quota or a policy changes
ENDPOINT_MANAGER = f"{names.CAPI_MANAGER}-endpoint"
STATUS_MANAGER = f"{names.CAPI_MANAGER}-status"
PAUSED_BY_US = "cluster-api"
"""Value of the hosting room's paused annotation when it is ours to take away: any value pauses there."""

OURS = (names.FINALIZER_CONTROL_PLANE, names.FINALIZER_EXTERNAL)

Step = Callable[[View], Awaitable[View]]


@dataclass
class Walk:
    """The steps of one pass: the view as it folds forward, and which went wrong and why, by their conditions."""

    view: View
    problems: dict[str, Exception] = field(default_factory=dict)
    again: float | None = None

    async def take(self, condition: str, step: Step) -> None:
        """One step. What goes wrong is kept for the status, unless there is nobody left to tell it to."""
        try:
            self.view = await step(self.view)
        except (Unreachable, CutOff):
            raise
        except (Refused, Forbidden) as error:
            self.problems[condition] = Invalid("RefusedByManagementCluster", str(error))
            self.again = CHECK_FORBIDDEN if isinstance(error, Forbidden) else self.again
        except Exception as error:
            self.problems[condition] = error

    @property
    def failed(self) -> Exception | None:
        """The first outage or bug, which has to be tried again."""
        return next((each for each in self.problems.values() if not isinstance(each, Verdict)), None)


@dataclass(kw_only=True)
class ControlPlanePass:
    """What the passes share. `watch_filter`: only objects whose label has this value are ours to look at; empty: all."""

    cluster: Cluster
    applier: Applier
    hosts: Hosts
    clock: Callable[[], datetime]
    events: Recorder
    watch_filter: str = ""

    async def __call__(self, key: Key) -> float | None:
        """One pass. Returns seconds after which to look again, None when events will tell. Raises on outages and bugs."""
        namespace, name = key
        raw = await self.cluster.get(kinds.KAMAJI_CONTROL_PLANE, name, namespace)
        if raw is None:
            await self.hosts.leave(key)
        if raw is None or self._is_anothers(raw):
            measures.gone(key)
            return None
        owner = await observe.owner(self.cluster, raw)
        if owner is None:
            measures.gone(key)
            return await self._without_cluster(raw)
        now = self.clock()
        try:
            host = await self.hosts.of(raw)
            return await self._seen(host, await observe.view(self.cluster, host, raw, owner, now))
        except CutOff as error:
            return await self._cut_off(observe.sketch(raw, owner, now), error)

    async def _seen(self, host: Host, view: View) -> float | None:
        if view.paused:
            return await self._paused(host, view)
        if view.kcp.deleting:
            return await self._deleting(host, view)
        if not view.referred:
            await self._report(view, status.unreferred(view))
            return None
        return await self._serving(host, view)

    async def _cut_off(self, view: View, error: CutOff) -> float | None:
        """The other management cluster cannot be asked: it is said once and clearly, and all stays as it is."""
        if view.paused:
            await self._report(view, status.paused(view))
            return None
        deleting = ""
        if view.kcp.deleting:
            deleting = (
                f"the control plane has to be ended in another management cluster, which cannot be asked: {error.message}; to"
                f" leave it behind, remove the finalizer {names.FINALIZER_CONTROL_PLANE}"
            )
        elif not view.referred:
            await self._report(view, status.unreferred(view))
            return None
        await self._report(view, status.cut_off(view, error, deleting=deleting))
        return error.again

    def _is_anothers(self, raw: Manifest) -> bool:
        """Whether another instance of the provider looks after it."""
        return bool(self.watch_filter) and meta.labels_of(raw).get(names.LABEL_WATCH_FILTER) != self.watch_filter

    async def _serving(self, host: Host, view: View) -> float | None:
        await self._hold(view.raw)
        walk = Walk(view)
        await walk.take(conditions.TENANT, partial(self._asked, host))
        await walk.take(conditions.CERTIFICATES, self._handed_out)
        await walk.take(conditions.ENDPOINT, self._told)
        await walk.take(conditions.INFRASTRUCTURE, self._infrastructure_told)
        await self._report(walk.view, status.of(walk.view, walk.problems))
        if walk.failed:
            raise walk.failed
        return _sooner(walk.again, _until_rollout(view))

    async def _asked(self, host: Host, view: View) -> View:
        """The TenantControlPlane as the KamajiControlPlane wants it, and going on if it was paused with us."""
        wanted = tenantcontrolplane.build(view)
        for each in brought.pairs(view):
            await self._bring(host, each)
        if view.tcp and meta.annotations_of(view.tcp).get(names.ANNOTATION_PAUSED) == PAUSED_BY_US:
            await self._annotate(host, view.tcp, names.ANNOTATION_PAUSED, None)
        live = {key_of(each): each for each in (view.tcp,) if each is not None}
        with host.writing():
            (tcp,) = await host.applier.apply({}, PART, [wanted], live)
        return view.asking(tcp)

    async def _bring(self, host: Host, pair: Manifest) -> None:
        """Made, never changed: what is there already is the user's, and the hosting room's to judge."""
        try:
            with host.writing():
                await host.cluster.create(pair)
        except Conflict:
            return

    async def _handed_out(self, view: View) -> View:
        """The Cluster's Secrets: core reads them once the status says initialized."""
        live = {key_of(each): each for each in view.secrets.values()}
        return view.holding(*await self.applier.apply({}, "secrets", list(secrets.build(view)), live))

    async def _told(self, view: View) -> View:
        """Write `spec.controlPlaneEndpoint` and own nothing else of the spec: the topology controller owns the rest."""
        if view.endpoint is None:
            raise NotReady("WaitingForEndpoint", "waiting for the TenantControlPlane's address")
        if view.told == view.endpoint:
            return view
        host, port = view.endpoint
        said = meta.new(kinds.KAMAJI_CONTROL_PLANE, view.name, view.namespace)
        said["metadata"]["uid"] = view.kcp.metadata.uid
        said["spec"] = {"controlPlaneEndpoint": {"host": host, "port": port}}
        return view.telling(await self.cluster.apply(said, manager=ENDPOINT_MANAGER))

    async def _infrastructure_told(self, view: View) -> View:
        """The endpoint into the infrastructure object and, where nobody else does, that it is provisioned."""
        reference = view.cluster.spec.infrastructure_ref
        if reference is None or view.infrastructure.object is None:
            return view
        kind = await self.cluster.discover(reference.api_group, reference.kind)
        merge = partial(self.cluster.merge, kind, reference.name, view.namespace, manager=names.CAPI_MANAGER)
        if patch := infra.patch(view):
            view = view.seeing(infra.taken(view, await merge(patch)))
        if mark := infra.mark(view):
            await merge({"status": mark}, subresource="status")
        return view

    async def _paused(self, host: Host, view: View) -> float | None:
        """Nothing moves, here and in the hosting room; the condition says why."""
        if view.tcp and names.ANNOTATION_PAUSED not in meta.annotations_of(view.tcp):
            await self._annotate(host, view.tcp, names.ANNOTATION_PAUSED, PAUSED_BY_US)
        await self._report(view, status.paused(view))
        return None

    async def _annotate(self, host: Host, tcp: Manifest, annotation: str, value: str | None) -> None:
        """Set or take away what we say to the hosting room beside the spec."""
        patch = {"metadata": {"annotations": {annotation: value}}}
        name, namespace = tcp["metadata"]["name"], tcp["metadata"]["namespace"]
        with host.writing():
            await host.cluster.merge(kinds.TENANT_CONTROL_PLANE, name, namespace, patch, manager=names.CAPI_MANAGER)

    async def _deleting(self, host: Host, view: View) -> float | None:
        """The TenantControlPlane first; the finalizer goes when it is gone, so that core waits for it."""
        if view.tcp is not None and await self._ended(host, view.raw, view.tcp):
            message = f"waiting for {view.place} to be gone"
            await self._report(view, status.of(view, {}, deleting=message))
            return CHECK_DELETING
        await self._release(view.raw)
        return None

    async def _ended(self, host: Host, raw: Manifest, tcp: Manifest) -> bool:
        """Ask for the end of our own TenantControlPlane; whether it has to be waited for.

        An object that has moved to another management cluster goes without its data: the hosting room is told so, for garbage
        collection ends what the move left behind. What is hosted elsewhere did not move, and runs on.
        """
        if not is_ours(raw, tcp):
            return False
        if (moved := names.ANNOTATION_DELETE_FOR_MOVE) in meta.annotations_of(raw):
            if moved not in meta.annotations_of(tcp) and not host.place.elsewhere:
                await self._annotate(host, tcp, moved, "")
            return False
        if not tcp["metadata"].get("deletionTimestamp"):
            namespace, name = tcp["metadata"]["namespace"], tcp["metadata"]["name"]
            with host.reading():
                await host.cluster.delete(kinds.TENANT_CONTROL_PLANE, name, namespace, uid=tcp["metadata"]["uid"])
        return True

    async def _without_cluster(self, raw: Manifest) -> float | None:
        """Before a Cluster owns it nothing happens; when the Cluster is gone, deletion still ends."""
        paused = names.ANNOTATION_CAPI_PAUSED in meta.annotations_of(raw)
        if paused or not raw["metadata"].get("deletionTimestamp"):
            return None
        try:
            host = await self.hosts.of(raw)
            if host.tcp is not None and await self._ended(host, raw, host.tcp):
                return CHECK_DELETING
        except CutOff as error:
            log.warning("%s/%s: %s", raw["metadata"]["namespace"], raw["metadata"]["name"], error)
            return error.again
        await self._release(raw)
        return None

    async def _hold(self, raw: Manifest) -> None:
        finalizers = raw["metadata"].get("finalizers") or []
        if names.FINALIZER_CONTROL_PLANE not in finalizers:
            await self._finalizers(raw, [*finalizers, names.FINALIZER_CONTROL_PLANE])

    async def _release(self, raw: Manifest) -> None:
        finalizers = raw["metadata"].get("finalizers") or []
        kept = [each for each in finalizers if each not in OURS]
        if kept != finalizers:
            await self._finalizers(raw, kept)

    async def _finalizers(self, raw: Manifest, wanted: list[str]) -> None:
        metadata = raw["metadata"]
        patch = {"metadata": {"finalizers": wanted, "resourceVersion": metadata["resourceVersion"]}}
        await self.cluster.merge(
            kinds.KAMAJI_CONTROL_PLANE, metadata["name"], metadata["namespace"], patch, manager=names.CAPI_MANAGER
        )

    async def _report(self, view: View, wanted: dict[str, Any]) -> None:
        """One status patch, only when it says something new, and Events for what people want to know of it."""
        if patch := mergepatch.between(view.status, wanted):
            await self.cluster.merge(
                kinds.KAMAJI_CONTROL_PLANE,
                view.name,
                view.namespace,
                {"status": patch},
                subresource="status",
                manager=STATUS_MANAGER,
            )
            await self.events.record(view.raw, transitions.of(view.status, wanted))
        measures.control_plane(view, wanted)


def _until_rollout(view: View) -> float | None:
    """Seconds until `spec.rollout.after`; None when there is none to come."""
    try:
        due = tenantcontrolplane.rollout_due(view)
    except Invalid:
        return None  # a condition says so
    return (due - view.now).total_seconds() + 1 if due and due > view.now else None


def _sooner(*seconds: float | None) -> float | None:
    return min((each for each in seconds if each is not None), default=None)
