"""Conditions: the time of a transition moves when the status does, and a world that stands is said again to the letter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from provider.manifest.condition import Condition, find, merged, timestamp

NOW = datetime(2026, 11, 24, 12, 0, 0, 999_999, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
FALSE = Condition(type="Ready", status="False", reason="Waiting", message="for x")
TRUE = Condition(type="Ready", status="True", reason="Ready")


def test_a_time_is_utc_in_whole_seconds() -> None:
    assert timestamp(NOW) == "2026-11-24T12:00:00Z"
    assert timestamp(NOW.astimezone(timezone(timedelta(hours=5)))) == "2026-11-24T12:00:00Z"


def test_a_new_condition_has_everything_that_kubernetes_asks_for() -> None:
    assert merged([FALSE], None, 4, NOW) == [
        {
            "type": "Ready",
            "status": "False",
            "reason": "Waiting",
            "message": "for x",
            "observedGeneration": 4,
            "lastTransitionTime": "2026-11-24T12:00:00Z",
        }
    ]


def test_saying_the_same_again_changes_nothing() -> None:
    first = merged([FALSE], None, 4, NOW)
    assert merged([FALSE], first, 4, LATER) == first


def test_another_reason_is_no_transition_and_another_status_is() -> None:
    first = merged([FALSE], None, 4, NOW)
    other = Condition(type="Ready", status="False", reason="Failing", message="y")
    (same,) = merged([other], first, 5, LATER)
    assert (same["reason"], same["observedGeneration"], same["lastTransitionTime"]) == (
        "Failing",
        5,
        first[0]["lastTransitionTime"],
    )
    (turned,) = merged([TRUE], first, 5, LATER)
    assert turned["lastTransitionTime"] == timestamp(LATER)


@pytest.mark.parametrize(
    "before", [[{"type": "Ready", "status": "False"}], [{"type": "Other", "status": "False"}], [{}], []]
)
def test_a_condition_without_a_time_gets_one(before: list[dict[str, str]]) -> None:
    assert merged([FALSE], before, 1, NOW)[0]["lastTransitionTime"] == timestamp(NOW)


def test_what_is_no_longer_said_is_gone_and_the_order_is_ours() -> None:
    first = merged([FALSE, Condition(type="Old", status="True", reason="Old")], None, 1, NOW)
    again = merged([Condition(type="New", status="True", reason="New"), FALSE], first, 1, NOW)
    assert [each["type"] for each in again] == ["New", "Ready"]


def test_a_condition_is_found_by_its_type() -> None:
    conditions = merged([FALSE], None, 1, NOW)
    assert find(conditions, "Ready") == conditions[0]
    assert find(conditions, "Other") is None
    assert find(None, "Ready") is None
