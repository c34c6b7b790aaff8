"""Status of a TenantBackupSchedule: the last backup and the next, and whether the last one is whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from provider.hosting.backupview import READY, is_done, is_over
from provider.hosting.status import task
from provider.manifest import Manifest
from provider.manifest.condition import Condition, find, timestamp

PROVEN = "RestoreProven"


def of(
    raw: Manifest,
    backups: Sequence[Manifest],
    following: datetime | None,
    now: datetime,
    drill: Condition | None = None,
) -> dict[str, Any]:
    """`backups`: those of the schedule, the newest last; `following`: when the next is due, None while it is suspended."""
    told: dict[str, Any] = {"next": timestamp(following) if following else None}
    if taken := [each["status"]["taken"] for each in backups if is_done(each) and each["status"].get("taken")]:
        told["lastSuccessful"] = max(taken)
    conditions = [_ready(backups, suspended=following is None)]
    if drill is None:
        told["lastDrill"] = None
    return task.laid(raw, told, [*conditions, drill] if drill else conditions, now)


def proven(raw: Manifest, restores: Sequence[Manifest]) -> Condition:
    """What drills say. `restores`: those that are not over."""
    last = (raw.get("status") or {}).get("lastDrill")
    for each in restores:
        why = find((each.get("status") or {}).get("conditions"), READY)
        if why and why.get("reason") != "Running":
            message = f"TenantRestore {each['metadata']['name']}: {why.get('message')}"
            return Condition(type=PROVEN, status="False", reason="DrillWaiting", message=message)
    if last is None:
        message = "no backup was restored yet to see whether it can be"
        return Condition(type=PROVEN, status="Unknown", reason="NoneYet", message=message)
    if not last.get("proven"):
        return Condition(
            type=PROVEN, status="False", reason="DrillFailed", message=f"{last['file']}: {last['message']}"
        )
    message = f"{last['file']} was restored into a tenant of its own, and its {last.get('keys')} keys compared"
    return Condition(type=PROVEN, status="True", reason=PROVEN, message=message)


def _ready(backups: Sequence[Manifest], *, suspended: bool) -> Condition:
    over = [each for each in backups if is_over(each)]
    if over and not is_done(over[-1]):
        said = find(over[-1]["status"]["conditions"], READY) or {}
        message = f"TenantBackup {over[-1]['metadata']['name']}: {said.get('message')}"
        return Condition(type=READY, status="False", reason="BackupFailed", message=message)
    if suspended:
        message = "spec.suspend is true: no backup is made"
        return Condition(type=READY, status="True", reason="Suspended", message=message)
    waiting = [each for each in backups if not is_over(each)]
    why = find((waiting[-1].get("status") or {}).get("conditions"), READY) if waiting else None
    if why and why.get("reason") != "Running":
        message = f"TenantBackup {waiting[-1]['metadata']['name']}: {why.get('message')}"
        return Condition(type=READY, status="False", reason="BackupWaiting", message=message)
    return Condition(type=READY, status="True", reason="Scheduled", message="" if over else "no backup was due yet")
