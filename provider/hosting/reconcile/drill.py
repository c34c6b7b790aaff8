"""By the clock, the newest backup of a schedule is restored, to see whether it can be. Called by the pass over the schedule.

A TenantRestore that is a drill makes a tenant without pods, whose keys its Job compares with the backup's (`copying.pouring`).
What came of it goes into the schedule's status; then it is deleted, the garbage collector takes its tenant along, and the end
of that one its keys. So the provider needs no right to delete tenants.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from provider.api import kinds, names
from provider.api.backup import Drill, TenantBackupSchedule
from provider.cluster.errors import Conflict
from provider.hosting.backup.cron import Cron
from provider.hosting.backupview import READY, is_done, is_over
from provider.hosting.reconcile import stating
from provider.hosting.reconcile.context import Context
from provider.hosting.status import backupschedule as status
from provider.manifest import Manifest, meta
from provider.manifest.condition import Condition, find, timestamp

MINUTE = "%Y%m%d%H%M"
DIGITS = 12


async def drilled(
    context: Context, parsed: TenantBackupSchedule, raw: Manifest, backups: list[Manifest], times: Cron | None
) -> tuple[Manifest, Condition | None]:
    """The schedule as it stands then, and what there is to say; None where none is asked for. `times`: of the drills."""
    restores = await _restores(context, raw)
    for each in filter(is_over, restores):
        if times is not None:
            raw = await _laid(context, raw, _outcome(each, backups))
        metadata = each["metadata"]
        await context.cluster.delete(kinds.TENANT_RESTORE, metadata["name"], metadata["namespace"], uid=metadata["uid"])
    waiting = [each for each in restores if not is_over(each)]
    asked = parsed.spec.drill
    if times is None or asked is None:
        return raw, None
    due = None if parsed.spec.suspend else times.latest(_since(raw), context.clock())
    whole = [each for each in backups if is_done(each)]
    if due is not None and whole and not waiting:
        await _made(context, raw, asked, whole[-1], due)
    return raw, status.proven(raw, waiting)


def following(parsed: TenantBackupSchedule, raw: Manifest, times: Cron | None) -> datetime | None:
    """When the drill after the last is due, also when that is over; None where none will be done."""
    return None if times is None or parsed.spec.suspend else times.after(_since(raw))


def _since(raw: Manifest) -> datetime:
    last = (raw.get("status") or {}).get("lastDrill") or {}
    return datetime.fromisoformat(last.get("time") or raw["metadata"]["creationTimestamp"])


async def _restores(context: Context, raw: Manifest) -> list[Manifest]:
    """Those of the schedule that are not on their way out."""
    metadata = raw["metadata"]
    labels = {names.LABEL_SCHEDULE: metadata["name"]}
    found = await context.cluster.list(kinds.TENANT_RESTORE, metadata["namespace"], labels=labels)
    return [each for each in found if meta.is_controlled(each, raw) and not each["metadata"].get("deletionTimestamp")]


def _outcome(restore: Manifest, backups: list[Manifest]) -> dict[str, Any]:
    """`status.lastDrill`. What is in the file now is held against what was said of it when it was written."""
    file, said = restore["spec"]["source"]["file"], restore["status"]
    ready = find(said.get("conditions"), READY) or {}
    due = datetime.strptime(restore["metadata"]["name"][-DIGITS:], MINUTE).replace(tzinfo=UTC)
    told = {"time": timestamp(due), "file": file, "proven": is_done(restore), "message": ready.get("message", "")}
    told |= {each: said[each] for each in ("taken", "keys") if each in said}
    written = [each["status"] for each in backups if (each.get("status") or {}).get("file") == file]
    if is_done(restore) and any(each.get("digest") != said.get("digest") for each in written):
        told |= {"proven": False, "message": "it is a backup, but not the one that was written: who replaced the file?"}
    return told


async def _laid(context: Context, raw: Manifest, last: dict[str, Any]) -> Manifest:
    """Before it is deleted, for then nobody knows it any more."""
    if (raw.get("status") or {}).get("lastDrill") != last:
        await stating.laid(context.cluster, raw, {"lastDrill": last})
    return {**raw, "status": {**(raw.get("status") or {}), "lastDrill": last}}


async def _made(context: Context, raw: Manifest, asked: Drill, backup: Manifest, due: datetime) -> None:
    """One that is there already was made by a pass that died before it could see it."""
    metadata, wanted = raw["metadata"], backup["spec"]
    name = f"drill-{metadata['uid'][:8]}-{due.strftime(MINUTE)}"  # of the tenant as well: no other has it
    spec = {
        "tenantControlPlaneName": name,
        "encryptionSecretName": wanted["encryptionSecretName"],
        "source": {**wanted["destination"], "file": backup["status"]["file"]},
        "drill": True,
    }
    if asked.data_store:
        spec["dataStore"] = asked.data_store
    labels = {names.LABEL_SCHEDULE: metadata["name"]}
    made = meta.owned(meta.new(kinds.TENANT_RESTORE, name, metadata["namespace"], labels=labels, spec=spec), raw)
    try:
        await context.cluster.create(made, manager=names.HOSTING_MANAGER)
    except Conflict:
        return
