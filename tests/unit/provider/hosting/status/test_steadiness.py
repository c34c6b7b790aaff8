"""Numbers that move by themselves are told only when they are far from what was told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provider.hosting.status.steadiness import steady

FLOORS = {"bytes": 100}


def test_what_moves_a_little_is_told_as_before_and_what_moves_far_as_it_is() -> None:
    assert steady({"bytes": 5000}, {"bytes": 5400}, FLOORS) == {"bytes": 5000}
    assert steady({"bytes": 5000}, {"bytes": 5501}, FLOORS) == {"bytes": 5501}
    assert steady({"bytes": 50}, {"bytes": 120}, FLOORS) == {"bytes": 50}


def test_the_first_value_and_one_without_a_floor_are_told_as_they_are() -> None:
    assert steady({}, {"bytes": 7}, FLOORS) == {"bytes": 7}
    assert steady({"tenants": 1}, {"tenants": 2}, FLOORS) == {"tenants": 2}


@given(st.integers(0, 10**12), st.lists(st.integers(-40, 40), max_size=20))
def test_a_value_that_trembles_around_one_is_told_once(value: int, trembling: list[int]) -> None:
    told = {"bytes": value}
    for each in trembling:
        told = steady(told, {"bytes": max(0, value + each)}, FLOORS)
    assert told == {"bytes": value}


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_what_is_told_is_never_further_off_than_the_floor_or_a_tenth(before: int, now: int) -> None:
    told = steady({"bytes": before}, {"bytes": now}, FLOORS)["bytes"]
    assert abs(told - now) <= max(FLOORS["bytes"], told // 10)
