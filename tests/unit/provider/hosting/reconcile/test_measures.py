"""What passes tell metrics: of the tenant as its status says, once of its birth, and nothing of who is gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from provider.api import kinds
from provider.cluster.errors import ApiError, Forbidden, Unreachable
from provider.hosting.reconcile import availability, measures
from provider.hosting.view import View
from provider.manifest import condition, meta
from provider.manifest.condition import timestamp
from provider.telemetry import table
from provider.telemetry.metric import Metric
from tests.golden.cases import CASES, Case, reported
from tests.golden.world import NOW
from tests.unit.provider import shown

MINIMAL = next(each for each in CASES if each.folder.name == "minimal")
KEY = (MINIMAL.raw["metadata"]["namespace"], MINIMAL.raw["metadata"]["name"])
WHO = {"tcp_namespace": KEY[0], "tcp_name": KEY[1]}


@pytest.fixture(autouse=True)
def nobody_left() -> Iterator[None]:
    yield
    measures.gone(KEY)
    assert not told()


def told() -> dict[tuple[str, ...], float]:
    return shown.told(KEY, "tenant", "credential")


def born(seconds: int = 7) -> tuple[View, dict[str, Any]]:
    """A tenant in the pass that finds it ready, so long after it was made, and its status."""
    walked = Case(MINIMAL.folder).walked()  # of its own: its object is changed here
    created = condition.timestamp(NOW - timedelta(seconds=seconds))
    walked.view.raw["metadata"]["creationTimestamp"] = created
    return walked.view, reported(walked)


def test_a_tenant_that_serves_tells_its_version_store_address_replicas_and_certificates() -> None:
    view, wanted = born()
    measures.tenant(view, wanted)
    found = told()
    version, endpoint = view.version, f"https://{wanted['controlPlaneEndpoint']}"
    assert found["kamaji_tenant_control_plane_info", version, "etcd", "default", endpoint, "service"] == 1
    assert found["kamaji_tenant_control_plane_status", "Ready", "true"] == 1
    assert found["kamaji_tenant_ready",] == 1
    assert found["kamaji_tenant_replicas", "wanted"] == found["kamaji_tenant_replicas", "ready"] == 1
    ends = [key for key in found if key[0] == table.CERTIFICATE_END.name]
    assert len(ends) > 5
    for _, certificate in ends:
        assert found[table.CERTIFICATE_BEGIN.name, certificate] <= NOW.timestamp()
    assert not [key for key in found if key[0] == table.TENANT_HINDRANCE.name]


def test_one_that_does_not_serve_tells_the_reason_and_only_the_one_that_stands() -> None:
    view, wanted = born()
    measures.tenant(view, wanted)
    for reason in ("PodsStarting", "DataStoreNotReady"):
        ready = {"type": "Ready", "status": "False", "reason": reason, "message": "x"}
        others = [each for each in wanted["conditions"] if each["type"] != "Ready"]
        measures.tenant(view, {**wanted, "conditions": [*others, ready]})
        assert [key[1:] for key in told() if key[0] == table.TENANT_HINDRANCE.name] == [(reason,)]
        assert told()["kamaji_tenant_ready",] == 0
        statuses = [key for key in told() if key[0] == table.TENANT_STATUS.name]
        assert statuses == [(table.TENANT_STATUS.name, "Ready", "false")]


def test_a_birth_is_told_by_phase_and_counted_once() -> None:
    def births(phase: str) -> float:
        return REGISTRY.get_sample_value("kamaji_birth_seconds_count", {"phase": phase}) or 0.0

    before = {phase: births(phase) for phase in table.PHASES}
    view, wanted = born(seconds=7)
    measures.tenant(view, wanted)
    stands = replace(view, raw={**view.raw, "status": wanted})
    measures.tenant(stands, wanted)
    assert {phase: births(phase) - before[phase] for phase in table.PHASES} == dict.fromkeys(table.PHASES, 1.0)
    assert {key[1]: value for key, value in told().items() if key[0] == table.TENANT_BIRTH.name} == dict.fromkeys(
        table.PHASES, 7.0
    )


def test_of_one_that_was_born_before_this_process_no_birth_is_made_up() -> None:
    view, wanted = born()
    measures.tenant(replace(view, raw={**view.raw, "status": wanted}), wanted)
    assert not [key for key in told() if key[0] == table.TENANT_BIRTH.name]


def test_one_that_cannot_be_read_is_not_ready() -> None:
    measures.unread(KEY, "Unreadable")
    assert told()["kamaji_tenant_ready",] == 0
    assert told()["kamaji_tenant_hindrance", "Unreadable"] == 1


@pytest.mark.parametrize(
    ("error", "up"),
    [
        (None, 1.0),
        (Forbidden(403, "Forbidden", "no"), 1.0),
        (Unreachable("nobody"), 0.0),
        (ApiError(500, "InternalError", "its etcd is away"), 0.0),
    ],
    ids=["answers", "says no", "does not answer", "fails"],
)
def test_an_api_server_is_up_while_it_answers_whatever_it_says(error: ApiError | None, up: float) -> None:
    try:
        with availability.asked(KEY):
            if error is not None:
                raise error
    except ApiError as raised:
        assert raised is error
    assert told()["kamaji_tenant_api_up",] == up


@pytest.mark.parametrize(
    ("served", "replicas", "up"),
    [(True, 1, 0.0), (False, 1, None), (True, 0, None)],
    ids=["served before", "is being born", "sleeps"],
)
def test_no_pod_that_serves_is_a_failure_only_of_who_served_and_should(
    served: bool, replicas: int, up: float | None
) -> None:
    view, wanted = born()
    deployment = meta.new(kinds.DEPLOYMENT, view.name, view.namespace, spec={"replicas": replicas})
    raw = {**view.raw, "status": wanted if served else {}}
    availability.stands(KEY, up=True)
    availability.silent(KEY, replace(view, raw=raw, seen=view.seen.with_objects(deployment)))
    assert told().get(("kamaji_tenant_api_up",)) == up


def test_a_pool_tells_of_its_room_who_waits_and_what_was_saved() -> None:
    def value(name: str, **labels: str) -> float | None:
        return REGISTRY.get_sample_value(name, labels)

    kept = {"name": "p-1", "takes": False, "lastSnapshot": {"time": "2026-11-24T12:00:00Z"}}
    wanted = {"ready": True, "waiting": 3, "stores": [{"name": "p", "takes": True}, kept]}
    measures.pool("p", wanted)
    assert value("kamaji_datastorepool_stores", datastorepool_name="p", what="all") == 2
    assert value("kamaji_datastorepool_stores", datastorepool_name="p", what="taking") == 1
    assert value("kamaji_datastorepool_waiting_tenants", datastorepool_name="p") == 3
    assert value("kamaji_datastore_last_snapshot_timestamp_seconds", datastore_name="p-1") == NOW.timestamp()
    assert value("kamaji_datastore_last_snapshot_timestamp_seconds", datastore_name="p") is None
    measures.pool_gone("p")
    measures.store_gone("p-1")
    assert value("kamaji_datastorepool_ready", datastorepool_name="p") is None
    assert value("kamaji_datastore_last_snapshot_timestamp_seconds", datastore_name="p-1") is None


def of_schedule(metric: Metric) -> float | None:
    return REGISTRY.get_sample_value(metric.name, {"schedule_namespace": KEY[0], "schedule_name": "nightly"})


def test_a_schedule_tells_when_it_last_had_a_whole_backup_and_when_the_next_is_due() -> None:
    key = (KEY[0], "nightly")
    measures.schedule(key, {}, backup=NOW, drill=None)
    assert (of_schedule(table.BACKUP_TAKEN), of_schedule(table.BACKUP_DUE)) == (None, NOW.timestamp())
    measures.schedule(key, {"lastSuccessful": timestamp(NOW)}, backup=None, drill=None)
    assert (of_schedule(table.BACKUP_TAKEN), of_schedule(table.BACKUP_DUE)) == (NOW.timestamp(), None)
    measures.schedule_gone(key)
    assert of_schedule(table.BACKUP_TAKEN) is None


def test_a_schedule_tells_whether_its_last_drill_was_whole_and_when_the_next_is_due() -> None:
    value, key = of_schedule, (KEY[0], "nightly")
    proven, due = table.DRILL_PROVEN, table.DRILL_DUE
    measures.schedule(key, {}, backup=None, drill=NOW)
    assert (value(proven), value(due)) == (None, NOW.timestamp())
    measures.schedule(key, {"lastDrill": {"proven": True}}, backup=None, drill=NOW)
    assert value(proven) == 1
    measures.schedule(key, {"lastDrill": {"proven": False}}, backup=None, drill=None)
    assert (value(proven), value(due)) == (0, None)
    measures.schedule_gone(key)
    assert value(proven) is None
