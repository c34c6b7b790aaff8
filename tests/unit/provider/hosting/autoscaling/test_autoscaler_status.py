"""What a TenantAutoscaler is told: what is asked for and since when, and why it does not follow where it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from provider.api.autoscaler import TenantAutoscaler
from provider.hosting.status import autoscaler as status
from provider.hosting.status.autoscaler import Outcome
from provider.manifest import Manifest

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
OUTCOME = Outcome(asked={"kube-apiserver": {"cpu": 100}}, most={"kube-apiserver": {"cpu": 1000}})


def told(outcome: Outcome, before: Manifest | None = None, now: datetime = NOW) -> dict[str, Any]:
    raw = {"metadata": {"name": "t", "generation": 2}, "status": before or {}}
    return status.of(raw, outcome, now)


def following(outcome: Outcome) -> tuple[str, str, str]:
    (found,) = told(outcome)["conditions"]
    assert found["type"] == "Following"
    return found["status"], found["reason"], found["message"]


def test_it_tells_what_is_asked_for_and_since_when_and_twice_the_same_says_nothing_new() -> None:
    first = told(OUTCOME)
    assert first["requests"] == {"apiServer": {"cpu": "100m"}}
    assert first["changed"] == "2026-11-30T12:00:00Z"
    assert told(OUTCOME, first, LATER) == first
    assert told(Outcome(asked={}, most={}), told(Outcome(asked={}, most={})), LATER).get("changed") is None
    grown = told(replace(OUTCOME, asked={"kube-apiserver": {"cpu": 200}}), first, LATER)
    assert (grown["requests"], grown["changed"]) == ({"apiServer": {"cpu": "200m"}}, "2026-11-30T12:01:00Z")


def test_what_is_told_is_read_again() -> None:
    read = TenantAutoscaler.parse({"metadata": {"name": "t"}, "spec": {}, "status": told(OUTCOME)})
    assert read.status.requests.api_server.cpu == "100m"
    assert read.status.requests.scheduler.cpu is None


def test_it_says_how_pods_follow_and_where_they_are_at_their_most() -> None:
    assert following(OUTCOME)[:2] == ("True", "InPlace")
    assert following(replace(OUTCOME, hindrance="no room"))[:2] == ("True", "ByRollout")
    full = following(replace(OUTCOME, asked={"kube-apiserver": {"cpu": 1000}}))
    assert full[:2] == ("True", "AtMost")
    assert "spec.apiServer.cpu.max" in full[2]


def test_it_says_why_it_does_not_follow() -> None:
    assert following(replace(OUTCOME, refusal="exceeded quota"))[:2] == ("False", "ResizeRefused")
    assert following(replace(OUTCOME, unmeasured=("kube-scheduler",)))[:2] == ("False", "LoadUnknown")
    raw = {"metadata": {"name": "t", "generation": 1}, "status": told(OUTCOME)}
    stopped = status.stopped(raw, status.absent("ns", "t"), LATER)
    assert stopped["requests"] == {"apiServer": {"cpu": "100m"}}, "what was decided is kept"
    assert stopped["conditions"][0]["reason"] == "TenantNotFound"
    assert status.stopped(raw, status.asleep(), LATER)["conditions"][0]["reason"] == "TenantAsleep"
