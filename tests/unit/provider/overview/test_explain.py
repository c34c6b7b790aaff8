"""What is said of a tenant, by what stands in its object."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from docs import fields
from provider.manifest import Manifest
from provider.overview import explain, runbook
from provider.overview.explain import Explanation

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def tenant(*conditions: dict[str, Any], status: dict[str, Any] | None = None, **metadata: Any) -> Manifest:
    """One that was made an hour ago, with these conditions."""
    return {
        "apiVersion": "kamaji.clastix.io/v1alpha1",
        "kind": "TenantControlPlane",
        "metadata": {
            "name": "demo",
            "namespace": "team",
            "generation": 2,
            "creationTimestamp": "2026-03-01T11:00:00Z",
            **metadata,
        },
        "spec": {"kubernetes": {"version": "v1.36.3"}},
        "status": {
            "observedGeneration": 2,
            "controlPlaneEndpoint": "10.0.0.1:6443",
            "kubernetesResources": {"version": {"version": "v1.36.3", "status": "Ready"}},
            "conditions": [{"lastTransitionTime": "2026-03-01T11:30:00Z", **each} for each in conditions],
            **(status or {}),
        },
    }


def condition(kind: str, status: str = "False", reason: str = "", message: str = "") -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason or kind, "message": message}


READY = condition("Ready", "True")


def said(found: Manifest, *events: Manifest, later: timedelta = timedelta()) -> Explanation:
    return explain.tenant(found, events, NOW + later)


def test_of_a_ready_tenant_nothing_is_to_be_done() -> None:
    found = said(tenant(READY, condition("Accepted", "True")))
    assert (found.ready, found.findings) == (True, ())
    assert found.headline.startswith("team/demo is ready: v1.36.3 at 10.0.0.1:6443")


def test_the_cause_comes_before_what_waits_for_it_and_ready_is_no_finding() -> None:
    found = said(
        tenant(
            condition("Ready", reason="DataStoreNotReady"),
            condition("Joinable", reason="WaitingForPart", message="waiting for deployment"),
            condition("PodsReady", reason="WaitingForPart", message="waiting for datastore"),
            condition("StorageReady", reason="DataStoreNotReady", message="DataStore slow is not ready"),
            status={"storage": {"dataStoreName": "slow"}},
        )
    )
    assert [each.what for each in found.findings] == ["StorageReady"]
    assert found.findings[0].since == "30m"
    assert "kubectl describe datastore slow" in found.findings[0].advice.look


def test_a_tenant_that_serves_and_does_not_do_all_that_is_asked_is_told_as_both() -> None:
    found = said(tenant(READY, condition("Upgraded", reason="KubeletsTooOld", message="node one runs v1.33")))
    assert not found.ready
    assert "serves v1.36.3" in found.headline
    assert found.findings[0].reason == "KubeletsTooOld"


def test_sleep_is_the_only_thing_said_of_one_that_sleeps() -> None:
    asleep = tenant(
        condition("Ready", reason="Sleeping"),
        condition("PodsReady", reason="Sleeping"),
        condition("Joinable", reason="ApiServerStarting"),
        status={"kubernetesResources": {"version": {"status": "Sleeping"}}},
    )
    found = said(asleep)
    assert found.headline == "team/demo sleeps."
    assert [each.reason for each in found.findings] == ["Sleeping"]
    assert found.findings[0].advice.look == ("kamaji wake team/demo",)


def test_one_that_nobody_looks_at_is_found_out_after_a_minute_and_not_before() -> None:
    fresh = tenant(creationTimestamp="2026-03-01T11:59:30Z")
    fresh["status"] = {}
    assert said(fresh).findings == ()
    found = said(fresh, later=timedelta(minutes=2))
    assert found.findings[0].reason == "NotObserved"
    assert "kamaji doctor" in found.findings[0].advice.look


def test_a_change_that_nobody_has_seen_counts_from_the_change() -> None:
    changed = tenant(READY, generation=3, managedFields=[{"time": "2026-03-01T11:59:30Z"}])
    assert said(changed).ready
    assert "its spec was last changed" in said(changed, later=timedelta(minutes=2)).findings[0].message


def test_of_one_that_is_being_deleted_it_is_told_what_holds_it() -> None:
    going = tenant(READY, deletionTimestamp="2026-03-01T11:50:00Z", finalizers=["finalizer.kamaji.clastix.io"])
    found = said(going)
    assert "is being deleted" in found.headline
    assert "finalizer.kamaji.clastix.io" in found.findings[0].message


def test_a_pause_is_told_also_where_all_is_well() -> None:
    found = said(tenant(READY, annotations={"kamaji.clastix.io/paused": ""}))
    assert [each.reason for each in found.findings] == ["Paused"]


def event(name: str, reason: str, note: str, when: str, kind: str = "Pod") -> Manifest:
    return {
        "type": "Warning",
        "reason": reason,
        "note": note,
        "metadata": {"creationTimestamp": when},
        "deprecatedLastTimestamp": when,
        "regarding": {"kind": kind, "name": name},
    }


def test_warnings_are_of_this_tenant_the_newest_first_each_once() -> None:
    found = said(
        tenant(READY),
        event("demo-abc", "BackOff", "old", "2026-03-01T11:00:00Z"),
        event("demo-def", "BackOff", "new", "2026-03-01T11:58:00Z"),
        event("demolition-abc", "BackOff", "another tenant's", "2026-03-01T11:59:00Z"),
        event("demo", "Refused", "a\x1b[31mred", "2026-03-01T11:59:30Z", kind="TenantControlPlane"),
    )
    assert found.warnings == (
        "30s ago, TenantControlPlane demo: Refused: a[31mred",
        "2m ago, Pod demo-def: BackOff: new",
    )


@pytest.mark.parametrize("kind", ["ExpiringSoon", "RolloutLoop"])
def test_what_is_worse_when_it_is_true_is_told_also_where_all_else_is_well(kind: str) -> None:
    found = said(tenant(READY, condition(kind, "True", "Within7Days")))
    assert [each.what for each in found.findings] == [kind]
    assert not found.ready


def asking(spec: dict[str, Any], *conditions: dict[str, Any], **more: Any) -> Manifest:
    """A tenant with a whole spec."""
    found = tenant(READY, *conditions, **more)
    found["spec"] |= {
        "kubernetes": {"version": "v1.36.3", "kubelet": {}},
        "controlPlane": {"service": {"serviceType": "ClusterIP"}},
        **deepcopy(spec),
    }
    return found


FLAGGED = {
    "controlPlane": {
        "service": {"serviceType": "ClusterIP"},
        "deployment": {"extraArgs": {"apiServer": ["--no-such-flag=1"]}, "registrySettings": {"registry": "x"}},
    }
}
HELD = condition("RolledOut", reason="ContainerFails", message="container kube-apiserver does not start")


def test_what_is_set_and_may_be_the_cause_is_taken_back_by_a_command_and_nothing_else_is() -> None:
    (finding,) = said(asking(FLAGGED, HELD)).findings
    assert finding.advice.mend == (
        "kubectl -n team patch tenantcontrolplane demo --type=merge"
        """ -p '{"spec":{"controlPlane":{"deployment":{"extraArgs":null}}}}'""",
    )
    assert said(asking({}, HELD)).findings[0].advice.mend == (), "nothing of it is set"
    foreign = asking(FLAGGED, HELD)
    foreign["spec"]["controlPlane"]["deployment"]["replicas"] = "many"
    assert said(foreign).findings[0].advice.mend == (), "it cannot be read"


def test_what_cluster_api_asks_for_is_mended_where_it_is_asked_for() -> None:
    version = "controlplane.cluster.x-k8s.io/v1alpha2"
    owner = {"apiVersion": version, "kind": "KamajiControlPlane", "name": "asks", "uid": "u", "controller": True}
    (finding,) = said(asking(FLAGGED, HELD, ownerReferences=[owner])).findings
    assert [each.partition("   #")[0] for each in finding.advice.mend] == [
        "kubectl -n team edit kamajicontrolplane asks"
    ]
    (finding,) = said(asking({}, condition("Accepted", reason="VersionTooOld"), ownerReferences=[owner])).findings
    assert "kamajicontrolplane asks" in finding.advice.mend[0]
    assert not finding.advice.look


def test_a_move_that_does_not_begin_is_called_off_by_a_command() -> None:
    moving = asking({"dataStore": "nowhere"}, condition("Migrated", reason="DataStoreNotFound"))
    moving["status"]["storage"] = {"dataStoreName": "home"}
    (finding,) = said(moving).findings
    assert finding.advice.mend == ("kamaji move team/demo home",)
    assert "kubectl describe datastore nowhere" in finding.advice.look
    moving["status"]["storage"]["migration"] = {"phase": "Copying"}
    assert said(moving).findings[0].advice.mend == (), "it goes on by itself"


def test_fields_of_the_runbook_are_there() -> None:
    paths = {f"spec.{each}" for _, advice in runbook.groups() for each in advice.fields}
    assert paths
    assert paths <= {each.path for each in fields.of("TenantControlPlane")}


@pytest.mark.parametrize(
    ("kind", "status", "word"),
    [
        ("Ready", "True", "ok"),
        ("Ready", "False", "bad"),
        ("Ready", "Unknown", "waiting"),
        ("Reconciling", "True", "waiting"),
        ("Paused", "True", "waiting"),
        ("Stalled", "True", "bad"),
        ("Placed", "True", "ok"),
        ("ExpiringSoon", "True", "bad"),
        ("RolledOut", "False", "bad"),
    ],
)
def test_a_condition_has_the_health_that_people_read_out_of_it(kind: str, status: str, word: str) -> None:
    assert explain.health(kind, status) == word
