"""A schedule is due when cron would say so, in UTC, and one that means nothing says which field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.api.verdict import Invalid
from provider.hosting.backup import cron

THEN = datetime(2026, 3, 31, 12, 34, 56, tzinfo=UTC)  # a Tuesday


@pytest.mark.parametrize(
    ("schedule", "following"),
    [
        ("* * * * *", "2026-03-31T12:35"),
        ("*/15 * * * *", "2026-03-31T12:45"),
        ("34 12 * * *", "2026-04-01T12:34"),
        ("0 3 * * *", "2026-04-01T03:00"),
        ("0 3,15 * * *", "2026-03-31T15:00"),
        ("30 1 1 * *", "2026-04-01T01:30"),
        ("0 0 31 * *", "2026-05-31T00:00"),
        ("0 0 29 2 *", "2028-02-29T00:00"),
        ("0 4 * * SUN", "2026-04-05T04:00"),
        ("0 4 * * 7", "2026-04-05T04:00"),
        ("0 4 * * 1-5", "2026-04-01T04:00"),
        ("0 4 * JAN mon", "2027-01-04T04:00"),
        ("0 0 13 * FRI", "2026-04-03T00:00"),
        ("5-59/20 * * * *", "2026-03-31T12:45"),
    ],
)
def test_the_next_time_is_crons(schedule: str, following: str) -> None:
    assert cron.parsed(schedule).after(THEN).strftime("%Y-%m-%dT%H:%M") == following


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("0 3 * *", "has 4 fields"),
        ("60 * * * *", "bad minute"),
        ("0 24 * * *", "bad hour"),
        ("0 0 0 * *", "bad day-of-month"),
        ("0 0 * 13 *", "bad month"),
        ("0 0 * * 8", "bad day-of-week"),
        ("0 9-8 * * *", "bad hour"),
        ("*/0 * * * *", "bad minute"),
        ("a * * * *", "bad minute"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("@daily", "has 1 fields"),
        ("1,,2 * * * *", "bad minute"),
    ],
)
def test_what_means_nothing_is_named(schedule: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        cron.parsed(schedule)


@given(st.integers(0, 40 * 24 * 60))
def test_the_last_time_is_the_one_before_now_however_long_nobody_looked(minutes: int) -> None:
    times, now = cron.parsed("7 */6 * * *"), THEN + timedelta(minutes=minutes)
    found = times.latest(THEN, now)
    if found is None:
        assert times.after(THEN) > now
    else:
        assert THEN < found <= now < times.after(found)


def test_a_time_that_was_looked_at_is_not_due_again() -> None:
    times = cron.parsed("*/10 * * * *")
    due = times.latest(THEN, THEN + timedelta(minutes=10))
    assert due is not None
    assert times.latest(due, THEN + timedelta(minutes=10)) is None
