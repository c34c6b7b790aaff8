"""The pass over one TenantBackup or TenantRestore: a Job that does it, and what came of it. Called by the room's queues.

The Job runs beside the provider, where the volume and the stores' Secrets are, so it cannot be owned by the object: a finalizer
ends it first. When a restore is done, its tenant gets its pods back.
"""

from __future__ import annotations

from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.api.verdict import Invalid
from provider.hosting.backupview import TaskView, is_over, job_name, restores
from provider.hosting.desired import task as desired
from provider.hosting.observe import task as observe
from provider.hosting.reconcile import finalizer, stating
from provider.hosting.reconcile.context import Context
from provider.hosting.reconcile.pacing import Key
from provider.hosting.status import task as status
from provider.manifest import Manifest

CHECK = 10.0  # seconds until what hinders it is looked at again


async def task(context: Context, kind: Kind, key: Key) -> float | None:
    """One pass. Returns seconds after which to look again, None when events will tell."""
    namespace, name = key
    raw = await context.cluster.get(kind, name, namespace)
    if raw is None:
        return None
    if raw["metadata"].get("deletionTimestamp"):
        return await _ended(context, raw)
    if is_over(raw):
        return None
    raw = await finalizer.held(context.cluster, raw, names.FINALIZER_TASK)
    now = context.clock()
    try:
        view = await observe.view(context.cluster, raw, settings=context.settings, now=now)
    except Invalid as verdict:
        await stating.wanted(context.cluster, raw, status.laid(raw, {}, status.refused(verdict), now))
        return None
    hindrance = None
    if view.job is None and (hindrance := status.hindrance(view)) is None:
        for each in desired.build(view):
            await context.applier.apply({}, desired.NAME, [each], {})
    if view.ended("Complete"):
        await _awoken(context, view)
    await stating.wanted(context.cluster, raw, status.of(view, hindrance))
    return CHECK if hindrance else None


async def _awoken(context: Context, view: TaskView) -> None:
    """The tenant of a restore that is done."""
    if view.tenant is None or view.is_drill or not restores(view.raw, view.tenant):
        return
    metadata = view.tenant["metadata"]
    patch = {"metadata": {"annotations": {names.ANNOTATION_RESTORING: None}}}
    await context.cluster.merge(
        kinds.TENANT_CONTROL_PLANE, metadata["name"], metadata["namespace"], patch, manager=names.HOSTING_MANAGER
    )


async def _ended(context: Context, raw: Manifest) -> float | None:
    """Its Job ends before it does, pods and all. What a restore has put to sleep stays so: its keys may not be whole."""
    where, name = context.settings.namespace, job_name(raw)
    if await context.cluster.get(kinds.JOB, name, where) is not None:
        await context.cluster.delete(kinds.JOB, name, where, propagation="Foreground")
        return 1.0
    await finalizer.released(context.cluster, raw, names.FINALIZER_TASK)
    return None
