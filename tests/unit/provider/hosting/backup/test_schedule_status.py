"""A schedule is Ready while its last backup is whole, and says what became of it, or what it waits for, when it is not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from provider.api import kinds
from provider.hosting.status import backupschedule as status
from provider.manifest import Manifest, meta

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
NEXT = datetime(2026, 3, 5, 3, tzinfo=UTC)


def schedule(**said: Any) -> Manifest:
    found = meta.new(kinds.TENANT_BACKUP_SCHEDULE, "nightly", "tenants", status=said)
    found["metadata"]["generation"] = 3
    return found


def backup(name: str, ready: str, reason: str, *more: str, taken: str = "") -> Manifest:
    conditions = [{"type": "Ready", "status": ready, "reason": reason, "message": f"why {name}"}]
    conditions += [{"type": each, "status": "True"} for each in more]
    said = {"conditions": conditions} | ({"taken": taken} if taken else {})
    return meta.new(kinds.TENANT_BACKUP, name, "tenants", status=said)


WHOLE = backup("a", "True", "Done", taken="2026-03-03T03:00:01Z")
LATER = backup("b", "True", "Done", taken="2026-03-04T03:00:01Z")


@pytest.mark.parametrize(
    ("backups", "following", "expected"),
    [
        ([], NEXT, ("True", "Scheduled", "no backup was due yet")),
        ([WHOLE, LATER], NEXT, ("True", "Scheduled", "")),
        ([WHOLE, backup("c", "False", "Failed", "Stalled")], NEXT, ("False", "BackupFailed", "TenantBackup c: why c")),
        ([backup("c", "False", "Failed", "Stalled"), LATER], NEXT, ("True", "Scheduled", "")),
        ([WHOLE, backup("c", "False", "KeyMissing")], NEXT, ("False", "BackupWaiting", "TenantBackup c: why c")),
        ([WHOLE, backup("c", "False", "Running")], NEXT, ("True", "Scheduled", "")),
        ([WHOLE], None, ("True", "Suspended", "spec.suspend is true: no backup is made")),
    ],
)
def test_ready_tells_of_the_last_backup(
    backups: list[Manifest], following: datetime | None, expected: tuple[str, str, str]
) -> None:
    (ready,) = status.of(schedule(), backups, following, NOW)["conditions"]
    assert (ready["status"], ready["reason"], ready["message"]) == expected


def test_the_last_whole_backup_is_remembered_when_its_object_is_gone() -> None:
    found = status.of(schedule(), [WHOLE, LATER], NEXT, NOW)
    assert (found["lastSuccessful"], found["next"]) == ("2026-03-04T03:00:01Z", "2026-03-05T03:00:00Z")
    kept = status.of(schedule(lastSuccessful="2026-03-04T03:00:01Z"), [], NEXT, NOW)
    assert kept["lastSuccessful"] == "2026-03-04T03:00:01Z"


LAST = {"file": "a/b", "proven": True, "keys": 7, "message": "said"}


@pytest.mark.parametrize(
    ("last", "waiting", "expected"),
    [
        (None, [], ("Unknown", "NoneYet", "no backup was restored yet to see whether it can be")),
        (LAST, [], ("True", "RestoreProven", "a/b was restored into a tenant of its own, and its 7 keys compared")),
        (LAST | {"proven": False}, [], ("False", "DrillFailed", "a/b: said")),
        (LAST, [backup("c", "False", "KeyMissing")], ("False", "DrillWaiting", "TenantRestore c: why c")),
        (LAST | {"proven": False}, [backup("c", "False", "Running")], ("False", "DrillFailed", "a/b: said")),
    ],
)
def test_a_schedule_with_drills_says_whether_the_last_one_was_whole(
    last: dict[str, Any] | None, waiting: list[Manifest], expected: tuple[str, str, str]
) -> None:
    found = status.proven(schedule(lastDrill=last), waiting)
    assert (found.status, found.reason, found.message) == expected


def test_who_asks_for_no_drill_is_told_of_none() -> None:
    found = status.of(schedule(lastDrill=LAST), [WHOLE], NEXT, NOW)
    assert ([each["type"] for each in found["conditions"]], "lastDrill" in found) == (["Ready"], False)


def test_what_is_suspended_has_no_next_time() -> None:
    assert "next" not in status.of(schedule(next="2026-03-05T03:00:00Z"), [], None, NOW)
