"""What is told of a drill: when it was due, and whether the file is still the one that was written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from provider.api import kinds
from provider.api.backup import TenantBackupSchedule
from provider.hosting.backup import cron
from provider.hosting.reconcile import drill
from provider.manifest import Manifest, meta


def over(ready: str, **said: Any) -> Manifest:
    conditions = [{"type": "Ready", "status": ready, "message": "words"}]
    spec = {"source": {"file": "a/b"}}
    name = "drill-0a1b2c3d-202603040506"
    return meta.new(kinds.TENANT_RESTORE, name, "tenants", spec=spec, status={"conditions": conditions, **said})


def backup(digest: str) -> Manifest:
    return meta.new(kinds.TENANT_BACKUP, "x", "tenants", status={"file": "a/b", "digest": digest})


def test_one_that_held_what_was_written_is_proven() -> None:
    found = drill._outcome(over("True", digest="d", keys=3, taken="t"), [backup("d")])
    expected = {
        "time": "2026-03-04T05:06:00Z",
        "file": "a/b",
        "proven": True,
        "message": "words",
        "taken": "t",
        "keys": 3,
    }
    assert found == expected


def test_a_whole_backup_in_the_place_of_the_one_that_was_written_is_not() -> None:
    found = drill._outcome(over("True", digest="other"), [backup("d")])
    assert (found["proven"], found["message"].endswith("who replaced the file?")) == (False, True)


def test_one_whose_backup_is_not_there_any_more_is_believed() -> None:
    assert drill._outcome(over("True", digest="d"), [])["proven"]


def test_one_that_failed_is_not_proven_and_says_why() -> None:
    found = drill._outcome(over("False"), [backup("d")])
    assert (found["proven"], found["message"], "keys" in found) == (False, "words", False)


def schedule(last: str, *, suspend: bool) -> Manifest:
    place = {"volume": {"claimName": "backups"}}
    spec = {"schedule": "0 3 * * *", "suspend": suspend, "destination": place, "drill": {"schedule": "5 * * * *"}}
    spec |= {"tenantControlPlaneName": "t", "encryptionSecretName": "key"}
    found = meta.new(kinds.TENANT_BACKUP_SCHEDULE, "nightly", "tenants", spec=spec)
    found["metadata"]["creationTimestamp"] = "2026-03-04T00:10:00Z"
    return {**found, "status": {"lastDrill": {"time": last}}} if last else found


@pytest.mark.parametrize(
    ("last", "suspend", "expected"),
    [
        ("", False, datetime(2026, 3, 4, 1, 5, tzinfo=UTC)),
        ("2026-03-04T07:05:00Z", False, datetime(2026, 3, 4, 8, 5, tzinfo=UTC)),
        ("2026-03-04T07:05:00Z", True, None),
    ],
    ids=["none yet", "one is over", "suspended"],
)
def test_the_drill_after_the_last_is_due_however_long_ago_that_was(
    last: str, suspend: bool, expected: datetime | None
) -> None:
    raw = schedule(last, suspend=suspend)
    parsed = TenantBackupSchedule.parse(raw)
    assert drill.following(parsed, raw, cron.parsed("5 * * * *")) == expected
    assert drill.following(parsed, raw, None) is None
