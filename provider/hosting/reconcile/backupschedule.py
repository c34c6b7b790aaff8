"""The pass over one TenantBackupSchedule: makes a TenantBackup when it is time, and ends those that are not kept.

Files are thinned by the Jobs themselves (`archiving.taking`), so an object that is deleted never takes a file along. Of those
that were due while the provider was away, or while one was at work, the last is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from provider.api import kinds, names
from provider.api.backup import TenantBackupSchedule
from provider.api.verdict import Invalid
from provider.cluster.errors import Conflict
from provider.hosting.backup import cron
from provider.hosting.backupview import is_over
from provider.hosting.reconcile import drill, measures, stating
from provider.hosting.reconcile.context import Context
from provider.hosting.reconcile.pacing import Key
from provider.hosting.status import backupschedule as status
from provider.hosting.status import task as task_status
from provider.manifest import Manifest, meta
from provider.manifest.condition import timestamp

LONGEST = 3600.0  # seconds; a timer of days is no use on a clock that may be set


async def schedule(context: Context, key: Key) -> float | None:
    """One pass. Returns seconds after which to look again."""
    namespace, name = key
    raw = await context.cluster.get(kinds.TENANT_BACKUP_SCHEDULE, name, namespace)
    if raw is None or raw["metadata"].get("deletionTimestamp"):
        measures.schedule_gone(key)
        return None
    now = context.clock()
    try:
        parsed = TenantBackupSchedule.parse(raw)
        times = cron.parsed(parsed.spec.schedule)
        following = times.after(now)
        asked = parsed.spec.drill
        drills = cron.parsed(asked.schedule, "spec.drill.schedule") if asked else None
        next_drill = drills.after(now) if drills else following
    except Invalid as verdict:
        await stating.wanted(context.cluster, raw, task_status.laid(raw, {}, task_status.refused(verdict), now))
        return None
    backups = await _backups(context, raw)
    due = None if parsed.spec.suspend else times.latest(_since(raw), now)
    if due is not None and all(map(is_over, backups)):
        await _made(context, parsed, raw, due)
        backups = await _backups(context, raw)
        last = {"last": timestamp(due)}
        await stating.laid(context.cluster, raw, last)  # at once: whatever becomes of this pass, it is not made twice
        raw = {**raw, "status": {**(raw.get("status") or {}), **last}}
    backups = await _thinned(context, backups, parsed.spec.keep)
    raw, proven = await drill.drilled(context, parsed, raw, backups, drills)
    told = status.of(raw, backups, None if parsed.spec.suspend else following, now, proven)
    await stating.wanted(context.cluster, raw, told)
    overdue = None if parsed.spec.suspend else times.after(_whole_since(raw, told))
    measures.schedule(key, told, backup=overdue, drill=drill.following(parsed, raw, drills))
    return min(LONGEST, max(1.0, (min(following, next_drill) - now).total_seconds()))


def _since(raw: Manifest) -> datetime:
    """When the last one was made that was due; at first, when the schedule was."""
    return datetime.fromisoformat((raw.get("status") or {}).get("last") or raw["metadata"]["creationTimestamp"])


def _whole_since(raw: Manifest, told: Mapping[str, Any]) -> datetime:
    """The moment that the newest whole backup shows; before the first, when the schedule was made."""
    return datetime.fromisoformat(told.get("lastSuccessful") or raw["metadata"]["creationTimestamp"])


async def _backups(context: Context, raw: Manifest) -> list[Manifest]:
    """Those of the schedule, the newest last: their names end with the minute for which they were made."""
    metadata = raw["metadata"]
    labels = {names.LABEL_SCHEDULE: metadata["name"]}
    found = await context.cluster.list(kinds.TENANT_BACKUP, metadata["namespace"], labels=labels)
    ours = [each for each in found if meta.is_controlled(each, raw)]
    return sorted(ours, key=lambda each: str(each["metadata"]["name"]))


async def _made(context: Context, parsed: TenantBackupSchedule, raw: Manifest, due: datetime) -> None:
    """One that is there already was made by a pass that died before it could say so."""
    spec = {
        "tenantControlPlaneName": parsed.spec.tenant_control_plane_name,
        "encryptionSecretName": parsed.spec.encryption_secret_name,
        "destination": raw["spec"]["destination"],
    }
    name, labels = f"{parsed.name}-{due:%Y%m%d%H%M}", {names.LABEL_SCHEDULE: parsed.name}
    made = meta.owned(meta.new(kinds.TENANT_BACKUP, name, parsed.namespace, labels=labels, spec=spec), raw)
    try:
        await context.cluster.create(made, manager=names.HOSTING_MANAGER)
    except Conflict:
        return


async def _thinned(context: Context, backups: list[Manifest], keep: int) -> list[Manifest]:
    """Those that stay."""
    over = [each for each in backups if is_over(each)]
    for each in over[:-keep]:
        metadata = each["metadata"]
        await context.cluster.delete(kinds.TENANT_BACKUP, metadata["name"], metadata["namespace"], uid=metadata["uid"])
    return [each for each in backups if each not in over[:-keep]]
