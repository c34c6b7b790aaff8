"""What the CronJob of a store's snapshots is made of, and what is told of its Jobs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from provider.api import kinds
from provider.api.verdict import Invalid
from provider.hosting.desired.pool import configuration, ownership, schedule
from provider.hosting.status import snapshots
from provider.hosting.storeview import PoolView
from provider.manifest import Manifest, meta
from provider.manifest.condition import Condition
from tests.unit.provider.hosting.pool.pool_views import NOW, pool_view

ASKED = {"snapshots": {"to": {"volume": {"claimName": "backups"}}}}
KEPT = '{"name": "20261124T000000Z.db", "time": "2026-11-24T00:00:00Z", "bytes": 8192, "keys": 3, "revision": 9}'


def asking(spec: dict[str, Any] | None = None) -> PoolView:
    return pool_view(ASKED if spec is None else spec, image="provider:tests")


def cron_job(view: PoolView) -> Manifest:
    (made,) = schedule.build(view)
    return made


def pod(view: PoolView) -> dict[str, Any]:
    return dict(cron_job(view)["spec"]["jobTemplate"]["spec"]["template"])


def job(view: PoolView, name: str, ended: str = "", age: int = 0) -> Manifest:
    """A Job of the CronJob that was made so many minutes ago."""
    made = meta.new(kinds.JOB, name, view.namespace, labels=ownership.labels(view))
    made["metadata"] |= {
        "uid": name,
        "creationTimestamp": (NOW - timedelta(minutes=age)).isoformat(),
        "ownerReferences": [{"kind": "CronJob", "name": "default-snapshot", "uid": "c"}],
    }
    return {**made, "status": {"conditions": [{"type": ended, "status": "True"}] if ended else []}}


def pod_of(view: PoolView, name: str, **containers: dict[str, Any]) -> Manifest:
    made = meta.new(kinds.POD, f"{name}-x", view.namespace, labels=pod(view)["metadata"]["labels"])
    made["metadata"]["ownerReferences"] = [{"kind": "Job", "name": name, "uid": name}]
    statuses = [{"name": each, "image": "i", "state": state} for each, state in containers.items()]
    return {**made, "status": {"containerStatuses": statuses}}


def ended(code: int, message: str = "") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "message": message}}


def told(view: PoolView, declined: Invalid | None = None) -> Condition:
    (found,) = snapshots.conditions(view, declined)
    return found


def test_nothing_is_scheduled_or_told_where_none_is_asked_for() -> None:
    view = asking({})
    assert list(schedule.build(view)) == []
    assert list(snapshots.conditions(view, None)) == []


def test_without_the_providers_image_none_is_scheduled_and_that_is_told() -> None:
    view = replace(asking(), image="")
    assert list(schedule.build(view)) == []
    assert told(view).reason == "SnapshotImpossible"


def test_the_members_services_never_lead_to_a_snapshots_pod() -> None:
    view = asking()
    selector = ownership.labels(view)
    assert not selector.items() <= pod(view)["metadata"]["labels"].items()


def test_once_a_day_is_the_rule_and_a_week_of_them_is_kept() -> None:
    made = cron_job(asking())
    assert made["spec"]["schedule"] == "@daily"
    (keep,) = made["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert "--retention=7" in keep["args"]


def test_root_s_certificate_is_in_our_own_containers_only() -> None:
    spec = pod(asking())["spec"]
    mounts = {
        each["name"]: {mount["name"] for mount in each["volumeMounts"]}
        for each in (*spec["initContainers"], *spec["containers"])
    }
    assert {name for name, found in mounts.items() if "root" in found} == {"write", "keep"}
    assert {name for name, found in mounts.items() if "kept" in found} == {"keep"}
    assert spec["automountServiceAccountToken"] is False


def test_the_scratch_holds_two_databases_as_large_as_they_may_become() -> None:
    view = asking()
    scratch = next(each for each in pod(view)["spec"]["volumes"] if each["name"] == "scratch")
    assert int(scratch["emptyDir"]["sizeLimit"]) > 2 * configuration.quota(view.pool.spec.storage.size)


def test_a_bucket_is_told_by_flags_and_its_keys_by_a_secret_that_only_keep_mounts() -> None:
    s3 = {"bucket": "abc", "endpoint": "https://s3.example", "region": "eu", "prefix": "a/b", "secretName": "keys"}
    spec = pod(asking({"snapshots": {"to": {"s3": s3}}}))["spec"]
    (keep,) = spec["containers"]
    assert keep["args"][-5:] == [
        "--bucket=abc",
        "--prefix=a/b/default",
        "--region=eu",
        "--s3-endpoint=https://s3.example",
        "--s3-credentials=/snapshots",
    ]
    assert {"name": "kept", "mountPath": "/snapshots", "readOnly": True} in keep["volumeMounts"]
    assert [each["name"] for each in spec["volumes"] if each.get("secret", {}).get("secretName") == "keys"] == ["kept"]
    assert not any(mount["name"] == "kept" for each in spec["initContainers"] for mount in each["volumeMounts"])


def test_a_bucket_without_a_secret_mounts_nothing_and_is_aws_s() -> None:
    spec = pod(asking({"snapshots": {"to": {"s3": {"bucket": "abc"}}}}))["spec"]
    (keep,) = spec["containers"]
    assert keep["args"][-3:] == ["--bucket=abc", "--prefix=default", "--region=us-east-1"]
    assert [each["name"] for each in spec["volumes"]] == ["scratch", "root", "server", "tmp"]


@pytest.mark.parametrize(
    ("to", "question"),
    [
        ({"volume": {"claimName": "backups"}}, "is PersistentVolumeClaim kamaji-system/backups there, and bound?"),
        ({"s3": {"bucket": "abc", "secretName": "keys"}}, "is Secret kamaji-system/keys there?"),
        ({"s3": {"bucket": "abc"}}, "is there a node with room for it?"),
    ],
)
def test_a_pod_that_waits_for_what_it_mounts_is_told_after_some_minutes(to: dict[str, Any], question: str) -> None:
    view = asking({"snapshots": {"to": to}})
    waiting = {**pod_of(view, "new"), "status": {"phase": "Pending"}}
    young = view.folded(job(view, "new", age=1), waiting)
    assert told(young).reason == "NoneYet"
    found = told(view.folded(job(view, "new", age=4), waiting))
    assert (found.reason, question in found.message) == ("SnapshotPending", True)


def test_its_name_leaves_room_for_those_of_its_jobs() -> None:
    assert len(f"{'a' * 40}-99-snapshot") <= 52


def test_what_a_pod_says_is_the_newest_and_stays_when_the_pod_is_gone() -> None:
    view = asking()
    seen = view.folded(job(view, "a", "Complete"), pod_of(view, "a", keep=ended(0, KEPT)))
    last = snapshots.last(seen)
    assert last == {
        "name": "20261124T000000Z.db",
        "time": "2026-11-24T00:00:00Z",
        "bytes": 8192,
        "keys": 3,
        "revision": 9,
    }
    assert told(seen).status == "True"
    status = {"stores": [{"name": "other"}, {"name": "default", "lastSnapshot": last}]}
    later = replace(view, raw={**view.raw, "status": status})
    assert snapshots.last(later) == last
    assert told(later).status == "True"


def test_words_that_are_no_report_are_none() -> None:
    view = asking()
    assert snapshots.last(view.folded(pod_of(view, "a", keep=ended(0, "done")))) is None


def test_the_newest_job_that_has_ended_is_what_counts() -> None:
    view = asking()
    old = view.folded(job(view, "old", "Complete", age=60), pod_of(view, "old", keep=ended(0, KEPT)))
    failed = old.folded(job(view, "new", "Failed"), pod_of(view, "new", write=ended(2, "x\ncapi-kamaji: why\n")))
    assert told(failed).message == (
        "Job kamaji-system/new failed in container write, why. `kubectl create job -n kamaji-system"
        " --from=cronjob/default-snapshot again` tries again before its time; the newest that is kept is 20261124T000000Z.db"
    )
    assert told(failed.folded(job(view, "newer", age=-1))).reason == "SnapshotFailed", "until the next has ended"


def test_of_a_foreign_programs_last_words_none_are_told() -> None:
    view = asking()
    failed = view.folded(job(view, "new", "Failed"), pod_of(view, "new", restore=ended(1, "anything")))
    assert "container restore, see its log" in told(failed).message


def test_a_pod_that_cannot_start_is_told_before_its_time_is_over() -> None:
    view = asking()
    stuck = pod_of(view, "new", write={"waiting": {"reason": "ErrImagePull"}})
    assert told(view.folded(job(view, "new"), stuck)).reason == "ImageUnavailable"


def test_a_schedule_that_the_cluster_refuses_is_told_in_its_words() -> None:
    refused = Invalid("RefusedByManagementCluster", "spec.schedule: no")
    assert told(asking(), refused).message == "spec.schedule: no"
