"""Which backup is made, where to, and what is said of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from provider.api.backup import TenantBackup, TenantRestore
from provider.cli import backups
from provider.cli.backups import Place, on_volume
from provider.cli.trouble import Trouble
from provider.manifest import Manifest

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TENANT: Manifest = {"metadata": {"namespace": "team", "name": "demo"}}


def taken(
    name: str = "b", *, tenant: str = "demo", claim: str = "backups", made: str = "2026-03-01", **status: Any
) -> Manifest:
    return {
        "apiVersion": "x.kamaji.clastix.io/v1alpha1",
        "kind": "TenantBackup",
        "metadata": {"namespace": "team", "name": name, "creationTimestamp": f"{made}T10:00:00Z"},
        "spec": {
            "tenantControlPlaneName": tenant,
            "encryptionSecretName": "sealed",
            "destination": {"volume": {"claimName": claim}},
        },
        "status": status,
    }


def whole(**more: Any) -> Manifest:
    ready = {"type": "Ready", "status": "True", "reason": "Done", "message": "read back"}
    said = {"taken": "2026-03-01T11:00:00Z", "keys": 12, "fileSize": 3 * 2**20, "file": "team/demo/b.kamaji-backup"}
    return taken(conditions=[ready], **said, **more)


def test_it_goes_where_the_schedule_says_else_where_the_last_one_went() -> None:
    older, newer, others = (
        taken(claim="old"),
        taken(claim="new", made="2026-03-02"),
        taken(tenant="x", claim="x", made="2026-04-01"),
    )
    schedule = taken(claim="nightly")
    assert backups.usual("demo", [], [newer, older, others]) == Place(destination=on_volume("new"), key="sealed")
    assert backups.usual("demo", [schedule], [newer]) == Place(destination=on_volume("nightly"), key="sealed")
    assert backups.usual("demo", [], [others]) == Place()


def test_what_the_user_says_comes_first_and_what_nobody_says_is_asked_for() -> None:
    place = Place(destination=on_volume("mine")).filled(Place(destination=on_volume("nightly"), key="sealed"))
    made = backups.backup(TENANT, "demo-1", place)
    assert str(TenantBackup.parse(made).spec.destination) == "volume mine"
    assert made["spec"]["encryptionSecretName"] == "sealed"
    with pytest.raises(Trouble, match="say --volume and --key") as caught:
        backups.backup(TENANT, "demo-1", Place())
    assert caught.value.status == 2


def test_a_restore_is_of_the_file_that_the_backup_says_and_in_place_only_when_that_is_said() -> None:
    place = backups.place(whole())
    made = backups.restore(("team", "demo"), "demo-1", place, in_place=True)
    assert TenantRestore.parse(made).spec.source.file == "team/demo/b.kamaji-backup"
    assert made["spec"]["inPlace"] is True
    assert "inPlace" not in backups.restore(("team", "next"), "next-1", place, in_place=False)["spec"]


def test_a_bucket_is_taken_over_whole_and_called_by_its_name() -> None:
    bucket = {"s3": {"bucket": "nightly", "secretName": "s3-keys"}}
    found = whole()
    found["spec"]["destination"] = bucket
    assert backups.backup(TENANT, "demo-1", backups.usual("demo", [], [found]))["spec"]["destination"] == bucket
    made = backups.restore(("team", "next"), "next-1", backups.place(found), in_place=False)
    assert made["spec"]["source"] == {**bucket, "file": found["status"]["file"]}
    assert backups.row(found)["where"] == "bucket nightly"
    assert "of bucket nightly:" in backups.done(found)


def test_nothing_is_restored_from_a_backup_that_is_not_whole() -> None:
    running = taken(
        conditions=[{"type": "Ready", "status": "False", "reason": "Running", "message": "its Job is at work"}]
    )
    for found, words in ((running, "Running: its Job is at work"), (taken(), "has yet to look at it")):
        with pytest.raises(Trouble, match=words) as caught:
            backups.place(found)
        assert caught.value.status == 1


def test_it_is_over_when_it_is_ready_or_stalled_and_told_meanwhile() -> None:
    conditions = [{"type": "Ready", "status": "False", "reason": "KeyMissing", "message": "make one"}]
    waits = backups.judged(taken(conditions=conditions))
    assert (waits.words, waits.done, waits.failed) == ("KeyMissing: make one", False, False)
    assert backups.judged(taken(conditions=[*conditions, {"type": "Stalled", "status": "True"}])).failed
    assert backups.judged(whole()).done


def test_backups_are_listed_the_newest_first_with_numbers_as_data_and_words_in_a_table() -> None:
    rows = backups.rows([taken("a"), whole(name="b", made="2026-03-02"), taken("c", tenant="other")], "demo")
    assert [each["name"] for each in rows] == ["b", "a"]
    assert (rows[0]["size"], rows[0]["state"], rows[1]["state"]) == (3 * 2**20, "Done", "New")
    line = backups.shown(rows, NOW)[0]
    assert (line["size"], line["taken"]) == ("3Mi", "60m ago")


def test_the_end_is_a_sentence_with_where_it_is() -> None:
    assert backups.done(whole()) == (
        "team/demo is in team/demo/b.kamaji-backup of volume backups: 12 keys as of 2026-03-01T11:00:00Z"
    )
    assert "its pods come up" in backups.done({**whole(), "kind": "TenantRestore"})
