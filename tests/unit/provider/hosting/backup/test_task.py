"""The Job of a backup or a restore says what its object says, and its status what came of it and what to do."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from provider.api import kinds, names
from provider.api.backup import TenantBackup, TenantRestore
from provider.hosting.backupview import OFFERED, TaskView, is_over
from provider.hosting.desired import task as desired
from provider.hosting.status import task as status
from provider.manifest import Manifest, meta
from provider.settings import Settings

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
CLAIM = meta.new(kinds.PERSISTENT_VOLUME_CLAIM, "vault", "kamaji-system", labels={OFFERED: "true"})
TENANT = meta.new(kinds.TENANT_CONTROL_PLANE, "demo", "tenants")
S3 = ("bucket", "prefix", "region", "endpoint", "secretName")
IN_BUCKET: dict[str, Any] = {"destination": {"s3": {"bucket": "abc", "secretName": "keys"}}}
UID = "0a1b2c3d-1111-2222-3333-444455556666"


def backup(labels: dict[str, str] | None = None, **spec: Any) -> TaskView:
    base = {
        "tenantControlPlaneName": "demo",
        "encryptionSecretName": "sealed",
        "destination": {"volume": {"claimName": "vault"}},
    }
    raw = meta.new(kinds.TENANT_BACKUP, "daily", "tenants", labels=labels, spec=base | spec)
    return _view(raw, TenantBackup.parse)


def restore(**spec: Any) -> TaskView:
    base = {
        "tenantControlPlaneName": "demo",
        "encryptionSecretName": "sealed",
        "source": {"volume": {"claimName": "vault"}, "file": "tenants/demo/x.kamaji-backup"},
    }
    return _view(meta.new(kinds.TENANT_RESTORE, "back", "tenants", spec=base | spec), TenantRestore.parse)


def _view(raw: Manifest, parse: Any) -> TaskView:
    raw["metadata"] |= {"uid": UID, "generation": 1}
    given = {"tenant": TENANT, "claim": CLAIM, "key": True, "job": None, "image": "provider:1"}
    return TaskView(task=parse(raw), raw=raw, settings=Settings(), now=NOW, **given)


def job(view: TaskView) -> Manifest:
    (found,) = desired.build(view)
    return found


def words(view: TaskView) -> list[str]:
    return list(job(view)["spec"]["template"]["spec"]["containers"][0]["args"])


def ended(view: TaskView, condition: str, *pods: tuple[int, str]) -> TaskView:
    said = {"status": {"conditions": [{"type": condition, "status": "True"}]}}
    return replace(view, job=job(view) | said, pods=tuple(_pod(*each) for each in pods))


def _pod(code: int, message: str) -> Manifest:
    terminated = {"exitCode": code, "message": message}
    return {"metadata": {}, "status": {"containerStatuses": [{"state": {"terminated": terminated}}]}}


def told(found: Manifest) -> list[tuple[str, str, str]]:
    return [(each["type"], each["status"], each["reason"]) for each in found["conditions"]]


@pytest.mark.fields("TenantBackup", "spec.tenantControlPlaneName", "spec.encryptionSecretName")
def test_a_backup_is_of_the_tenant_and_sealed_with_the_key_that_it_names() -> None:
    found = words(backup(tenantControlPlaneName="other", encryptionSecretName="mine"))
    assert found[:3] == ["backup", "--tenant=tenants/other", "--key-secret=mine"]
    assert "--output=/backups/tenants/other/daily-0a1b2c3d.kamaji-backup" in found


@pytest.mark.fields("TenantBackup", "spec.destination.volume.claimName")
@pytest.mark.fields("TenantRestore", "spec.source.volume.claimName")
def test_the_volume_is_the_one_that_is_named() -> None:
    place = {"volume": {"claimName": "attic"}}
    for view in (backup(destination=place), restore(source={**place, "file": "x"})):
        volume = job(view)["spec"]["template"]["spec"]["volumes"][0]
        assert volume["persistentVolumeClaim"] == {"claimName": "attic"}


@pytest.mark.fields(
    "TenantRestore",
    *("spec.tenantControlPlaneName", "spec.encryptionSecretName", "spec.source.file", "spec.dataStore", "spec.inPlace"),
)
def test_a_restore_is_what_its_object_says() -> None:
    source = {"volume": {"claimName": "vault"}, "file": "a/b"}
    found = words(restore(tenantControlPlaneName="other", encryptionSecretName="mine", source=source, dataStore="new"))
    assert found == [
        *("restore", "--tenant=tenants/other", "--key-secret=mine", "--input=/backups/a/b", f"--token={UID}"),
        *("--data-store=new", "--report=/dev/termination-log"),
    ]
    assert "--in-place" in words(restore(inPlace=True))
    assert not [each for each in words(restore()) if each.startswith(("--in-place", "--data-store"))]


@pytest.mark.fields("TenantRestore", "spec.drill")
def test_a_drill_says_so_to_its_job_and_tells_nobody_to_restore_once_more() -> None:
    view = restore(drill=True)
    assert "--drill=back" in words(view)
    assert not [each for each in words(restore()) if each.startswith("--drill")]
    assert "compared; it goes with" in status.of(ended(view, "Complete", (0, "{}")), None)["conditions"][0]["message"]
    assert status.of(ended(view, "Failed", (2, "it is bad")), None)["conditions"][0]["message"] == "it is bad."


def test_a_restore_cannot_write_the_volume_and_no_job_has_a_privilege() -> None:
    for view in (backup(), restore()):
        pod = job(view)["spec"]["template"]["spec"]
        assert pod["serviceAccountName"] == "kamaji-backup"
        assert pod["securityContext"]["runAsNonRoot"] is True
        (container,) = pod["containers"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["volumeMounts"][0].get("readOnly", False) is (view.raw["kind"] == "TenantRestore")


@pytest.mark.fields("TenantBackup", *(f"spec.destination.s3.{each}" for each in S3))
@pytest.mark.fields("TenantRestore", *(f"spec.source.s3.{each}" for each in S3))
def test_a_bucket_is_told_by_flags_and_its_keys_by_the_name_of_a_secret() -> None:
    s3 = {"bucket": "abc", "prefix": "a/b", "region": "eu", "endpoint": "https://s3.example", "secretName": "keys"}
    expected = ["--bucket=abc", "--prefix=a/b", "--region=eu", "--s3-secret=keys", "--s3-endpoint=https://s3.example"]
    for view, file in (
        (backup(destination={"s3": s3}), "--output=tenants/demo/daily-0a1b2c3d.kamaji-backup"),
        (restore(source={"s3": s3, "file": "a/b"}), "--input=a/b"),
    ):
        found = words(view)
        assert [each for each in found if each in expected] == expected
        assert {file, "--scratch=/scratch"} <= set(found)
    assert "--s3-endpoint" not in " ".join(words(backup(**IN_BUCKET)))


def test_a_job_with_a_bucket_has_a_scratch_volume_and_mounts_no_claim_and_no_secret() -> None:
    for view in (backup(**IN_BUCKET), restore(source={**IN_BUCKET["destination"], "file": "x"})):
        pod = job(view)["spec"]["template"]["spec"]
        assert [each["name"] for each in pod["volumes"]] == ["scratch", "tmp"]
        assert "emptyDir" in pod["volumes"][0]
        (container,) = pod["containers"]
        assert container["volumeMounts"][0] == {"name": "scratch", "mountPath": "/scratch"}


def test_keys_of_access_that_are_missing_are_told_and_waited_for() -> None:
    view = replace(backup(**IN_BUCKET), claim=None)
    found = status.hindrance(view)
    assert found is not None
    assert found.reason == "CredentialsMissing"
    assert "Secret tenants/keys has no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: put" in found.message
    assert not is_over({"status": status.of(view, found)})
    assert status.hindrance(replace(view, credentials=True)) is None


def test_backups_of_a_schedule_have_a_folder_in_which_they_are_thinned() -> None:
    view = replace(backup(labels={names.LABEL_SCHEDULE: "nightly"}), keep=5)
    assert "--output=/backups/tenants/demo/nightly/daily-0a1b2c3d.kamaji-backup" in words(view)
    assert "--keep=5" in words(view)
    assert "--keep=0" in words(backup())


@pytest.mark.parametrize(
    ("change", "reason", "said"),
    [
        ({"claim": None}, "ClaimNotFound", "create it"),
        ({"claim": meta.new(kinds.PERSISTENT_VOLUME_CLAIM, "vault")}, "ClaimNotOffered", f"label it {OFFERED}=true"),
        ({"key": False}, "KeyMissing", "head -c 32 /dev/urandom"),
        ({"tenant": None}, "TenantNotFound", "tenants/demo does not exist"),
        ({"image": ""}, "ImageUnknown", "set KAMAJI_IMAGE"),
        ({"before": "elder"}, "WaitingForTurn", "TenantRestore elder"),
    ],
)
def test_what_is_in_the_way_is_told_with_what_to_do(change: dict[str, Any], reason: str, said: str) -> None:
    view = replace(backup(), **change)
    found = status.hindrance(view)
    assert found is not None
    assert (found.reason, said in found.message) == (reason, True)
    assert told(status.of(view, found)) == [("Ready", "False", reason)]


def test_nothing_is_in_the_way_of_a_restore_of_a_tenant_that_is_not_there() -> None:
    assert status.hindrance(replace(restore(), tenant=None)) is None


def test_a_job_at_work_is_reconciling_and_says_what_the_last_try_said() -> None:
    view = backup()
    assert told(status.of(replace(view, job=job(view)), None)) == [
        ("Ready", "False", "Running"),
        ("Reconciling", "True", "Running"),
    ]
    tried = replace(view, job=job(view), pods=(_pod(1, "nobody answers\n"),))
    assert "nobody answers" in status.of(tried, None)["conditions"][0]["message"]


def test_a_backup_that_is_done_tells_what_it_is() -> None:
    report = {"revision": 7, "keys": 3, "size": 20, "fileSize": 400, "digest": "d", "taken": "t", "other": 1}
    found = status.of(ended(backup(), "Complete", (1, "no"), (0, json.dumps(report))), None)
    assert told(found) == [("Ready", "True", "Done")]
    assert {key: found[key] for key in report if key != "other"} == {k: v for k, v in report.items() if k != "other"}
    assert "other" not in found
    assert found["file"] == "tenants/demo/daily-0a1b2c3d.kamaji-backup"
    assert is_over({"status": found})


def test_a_failure_that_the_job_has_a_reason_for_is_told_with_that() -> None:
    words = json.dumps({"reason": "BucketDenied", "message": "bucket b does not let us"})
    found = status.of(ended(backup(**IN_BUCKET), "Failed", (1, words)), None)
    assert told(found) == [("Ready", "False", "BucketDenied"), ("Stalled", "True", "BucketDenied")]
    assert found["conditions"][0]["message"].startswith("bucket b does not let us. ")
    view = backup(**IN_BUCKET)
    tried = status.of(replace(view, job=job(view), pods=(_pod(1, words),)), None)["conditions"][0]
    assert (tried["reason"], tried["message"].endswith("is tried again: bucket b does not let us")) == ("Running", True)


def test_what_has_failed_is_stalled_with_the_words_of_its_last_pod() -> None:
    found = status.of(ended(restore(), "Failed", (2, "it was sealed with another key")), None)
    assert told(found) == [("Ready", "False", "Failed"), ("Stalled", "True", "Failed")]
    assert "it was sealed with another key" in found["conditions"][0]["message"]
    assert "restore in place once more" in found["conditions"][0]["message"]
    assert is_over({"status": found})


def test_a_status_that_stands_is_said_again_to_the_letter() -> None:
    view = ended(backup(), "Complete", (0, '{"keys": 3}'))
    view.raw["status"] = status.of(view, None)
    assert status.of(replace(view, now=NOW.replace(hour=9)), None) == view.raw["status"]
