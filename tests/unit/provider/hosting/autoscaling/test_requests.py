"""What a TenantAutoscaler says of containers: bounds, what was decided last, and limits that keep their share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from provider.api.autoscaler import TenantAutoscaler
from provider.hosting.autoscaling import pods, requests
from provider.hosting.autoscaling.decision import Load, Range
from provider.hosting.autoscaling.plan import Situation
from provider.manifest import Manifest

API_SERVER = "kube-apiserver"
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
FIELDS = {"apiServer": API_SERVER, "controllerManager": "kube-controller-manager", "scheduler": "kube-scheduler"}
OWN = {
    API_SERVER: {"requests": {"cpu": "35m", "memory": "160Mi"}},
    "kube-controller-manager": {"requests": {"cpu": "10m", "memory": "40Mi"}},
    "kube-scheduler": {"requests": {"cpu": "5m", "memory": "20Mi"}},
}


def autoscaler(spec: Manifest, last: Manifest | None = None, changed: datetime | None = None) -> TenantAutoscaler:
    status: dict[str, Any] = {"requests": last or {}} | ({"changed": changed.isoformat()} if changed else {})
    return TenantAutoscaler.parse({"metadata": {"name": "t"}, "spec": spec, "status": status})


def situation(found: TenantAutoscaler, taken: int, hindrance: str = "", own: Manifest | None = None) -> Situation:
    loads = {API_SERVER: {"cpu": Load(now=taken, peak=taken)}}
    return Situation(
        autoscaler=found, own=OWN | ({API_SERVER: own} if own else {}), loads=loads, hindrance=hindrance, now=NOW
    )


@pytest.mark.fields(
    "TenantAutoscaler",
    *("spec.apiServer.cpu.min", "spec.apiServer.cpu.max", "spec.apiServer.memory.min", "spec.apiServer.memory.max"),
    *("spec.controllerManager.cpu.min", "spec.controllerManager.cpu.max"),
    *("spec.controllerManager.memory.min", "spec.controllerManager.memory.max"),
    *("spec.scheduler.cpu.min", "spec.scheduler.cpu.max", "spec.scheduler.memory.min", "spec.scheduler.memory.max"),
)
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    ("resource", "least", "most", "found"),
    [("cpu", "50m", "2", Range(least=50, most=2000)), ("memory", "64Mi", "1Gi", Range(least=2**26, most=2**30))],
)
def test_each_container_has_bounds_of_its_own(field: str, resource: str, least: str, most: str, found: Range) -> None:
    said = autoscaler({field: {resource: {"min": least, "max": most}}})
    for name, container in FIELDS.items():
        assert requests.ranges(said, container, OWN[container]) == ({resource: found} if name == field else {})


def test_without_a_least_it_is_what_the_container_asks_for_by_itself_a_limit_where_that_is_all_there_is() -> None:
    said = autoscaler({"apiServer": {"cpu": {"max": "1"}}})
    assert requests.ranges(said, API_SERVER, OWN[API_SERVER])["cpu"].least == 35
    assert requests.ranges(said, API_SERVER, {"limits": {"cpu": "300m"}})["cpu"].least == 300
    assert requests.ranges(said, API_SERVER, {})["cpu"].least == 1
    assert requests.ranges(said, API_SERVER, {"requests": {"cpu": "4"}})["cpu"] == Range(least=1000, most=1000)


def test_what_was_decided_last_is_asked_for_within_the_bounds_of_today() -> None:
    spec = {"apiServer": {"cpu": {"max": "1"}}}
    assert requests.targets(autoscaler(spec), API_SERVER, OWN[API_SERVER]) == {"cpu": 35}
    assert requests.targets(autoscaler(spec, {"apiServer": {"cpu": "700m"}}), API_SERVER, OWN[API_SERVER]) == {
        "cpu": 700
    }
    assert requests.targets(autoscaler(spec, {"apiServer": {"cpu": "3"}}), API_SERVER, OWN[API_SERVER]) == {"cpu": 1000}


def test_a_limit_keeps_its_share_above_the_request_and_what_has_no_bounds_stays() -> None:
    own = {"requests": {"cpu": "100m", "memory": "160Mi"}, "limits": {"cpu": "250m", "memory": "1Gi"}}
    assert requests.overlaid(own, {"cpu": 400}) == {
        "requests": {"cpu": "400m", "memory": "160Mi"},
        "limits": {"cpu": "1", "memory": "1Gi"},
    }
    assert requests.overlaid({"limits": {"cpu": "250m"}}, {"cpu": 500}) == {
        "requests": {"cpu": "500m"},
        "limits": {"cpu": "500m"},
    }
    assert requests.overlaid({}, {"memory": 2**28}) == {"requests": {"memory": "256Mi"}}


def test_what_has_room_moves_and_what_nobody_measured_stays_and_is_told() -> None:
    found = autoscaler({"apiServer": {"cpu": {"max": "1"}}, "scheduler": {"cpu": {"max": "1"}}})
    asked = situation(found, taken=90)
    assert asked.planned() == {API_SERVER: {"cpu": 150}, "kube-controller-manager": {}, "kube-scheduler": {"cpu": 5}}
    assert asked.unmeasured() == ("kube-scheduler",)


def test_what_would_make_pods_anew_rests_for_a_quarter_of_an_hour() -> None:
    spec = {"apiServer": {"cpu": {"max": "1"}, "memory": {"max": "4Gi"}}}
    lately, before = NOW - timedelta(minutes=5), NOW - timedelta(minutes=16)
    assert situation(autoscaler(spec, changed=lately), 90).planned()[API_SERVER]["cpu"] == 150
    assert situation(autoscaler(spec, changed=lately), 90, "no room").planned()[API_SERVER]["cpu"] == 35
    assert situation(autoscaler(spec, changed=before), 90, "no room").planned()[API_SERVER]["cpu"] == 150


def test_memory_that_is_limited_is_not_moved_in_a_pod_that_runs_for_gos_runtime_would_not_know() -> None:
    own = {"requests": {"cpu": "35m", "memory": "160Mi"}, "limits": {"memory": "320Mi"}}
    said = autoscaler({"apiServer": {"cpu": {"max": "1"}, "memory": {"max": "4Gi"}}})
    found = situation(said, 90, own=own)
    assert found.in_place({**{each: {} for each in OWN}, API_SERVER: {"cpu": 150, "memory": 2**30}})[API_SERVER] == {
        "requests": {"cpu": "150m"},
        "limits": {},
    }


def pod(resources: Manifest, *conditions: Manifest, reported: bool = True) -> Manifest:
    container = {"name": API_SERVER, "resources": resources}
    told = {"name": API_SERVER, "state": {"running": {}}} | ({"resources": resources} if reported else {})
    return {
        "metadata": {"name": "t-1"},
        "spec": {"containers": [container, {"name": "other"}]},
        "status": {"phase": "Running", "containerStatuses": [told], "conditions": list(conditions)},
    }


def pending(reason: str, since: datetime = NOW) -> Manifest:
    return {"type": "PodResizePending", "status": "True", "reason": reason, "lastTransitionTime": since.isoformat()}


def test_a_pod_is_resized_when_it_asks_for_something_else_however_that_is_written() -> None:
    live = pod({"requests": {"cpu": "1", "memory": "160Mi"}})
    assert pods.resizes(live, {API_SERVER: {"requests": {"cpu": "1000m"}}}) == []
    assert pods.resizes(live, {API_SERVER: {"requests": {"cpu": "2"}}}) == [
        {"name": API_SERVER, "resources": {"requests": {"cpu": "2"}}}
    ]
    assert pods.resizes(live, {"kube-scheduler": {"requests": {"cpu": "2"}}}) == []


def test_pods_are_made_anew_where_a_node_has_no_room_or_a_kubelet_cannot() -> None:
    asked: Manifest = {"requests": {"cpu": "1"}}
    assert pods.hindered([pod(asked)], NOW) == ""
    assert "no" not in pods.hindered([], NOW)
    assert "cannot give it" in pods.hindered([pod(asked, pending("Infeasible"))], NOW)
    assert pods.hindered([pod(asked, pending("Deferred", NOW - timedelta(seconds=90)))], NOW) == ""
    assert "(Deferred)" in pods.hindered([pod(asked, pending("Deferred", NOW - timedelta(minutes=3)))], NOW)
    assert "too old" in pods.hindered([pod(asked, reported=False)], NOW)


def test_pods_that_end_are_left_alone() -> None:
    ending, over = pod({}), pod({})
    ending["metadata"]["deletionTimestamp"] = NOW.isoformat()
    over["status"]["phase"] = "Failed"
    assert pods.running([ending, over, pod({})]) == [pod({})]
