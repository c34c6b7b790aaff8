"""What is told of a drill: when it was due, and whether the file is still the one that was written."""

from __future__ import annotations

from typing import Any

from provider.api import kinds
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
