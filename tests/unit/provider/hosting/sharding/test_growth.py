"""A pool makes a further store before it is full, never more than it may, and never takes one away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.hosting.sharding import growth
from provider.hosting.sharding.room import Room, Stock
from tests.unit.provider.hosting.sharding.fleets import pool

FRESH = Room(name="", made=True, max_tenants=10)


def room(tenants: int, name: str = "default", **also: object) -> Room:
    return Room(name=name, made=True, max_tenants=10, tenants=tenants, **also)  # type: ignore[arg-type]


@pytest.mark.fields("DataStorePool", "spec.minStores")
def test_as_many_as_are_asked_for_are_made_at_once() -> None:
    assert growth.wanted(pool(minStores=3), [], 0, FRESH, 0) == 3
    assert growth.wanted(pool(minStores=0), [], 0, FRESH, 0) == 0


@pytest.mark.fields("DataStorePool", "spec.maxStores", "spec.headroomPercent")
@pytest.mark.parametrize(("tenants", "stores"), [(7, 1), (8, 1), (9, 2), (10, 2)])
def test_when_less_than_the_headroom_is_free_then_a_further_one_is_made(tenants: int, stores: int) -> None:
    asked = pool(maxStores=2, headroomPercent=20)
    assert growth.wanted(asked, [room(tenants)], 1, FRESH, 0) == stores
    assert growth.wanted(pool(headroomPercent=20), [room(tenants)], 1, FRESH, 0) == 1
    assert growth.wanted(pool(maxStores=2, headroomPercent=0), [room(tenants)], 1, FRESH, 0) == 1


def test_one_that_is_on_its_way_counts_so_that_no_second_is_made_for_the_same_want() -> None:
    assert growth.wanted(pool(maxStores=5), [room(10)], 2, FRESH, 2) == 2


def test_who_waits_counts_so_that_a_burst_gets_as_many_as_it_needs() -> None:
    assert growth.wanted(pool(maxStores=50, headroomPercent=0), [room(10)], 1, FRESH, 35) == 5


def test_limits_that_let_nobody_in_do_not_make_stores_without_end() -> None:
    closed = Room(name="", made=True, bytes=Stock(each=11, most=10))
    assert growth.wanted(pool(maxStores=50), [], 1, closed, 5) == 1


def test_a_store_that_is_down_still_counts_and_one_without_weight_does_not() -> None:
    down = room(2, hindrance="it is not ready")
    assert growth.wanted(pool(maxStores=5), [down], 1, FRESH, 0) == 1
    closed = room(2, hindrance="its weight is 0", weight=0)
    assert growth.wanted(pool(maxStores=5), [closed], 1, FRESH, 0) == 2


def test_a_pool_that_is_short_of_writes_makes_a_further_store_although_there_is_room_for_bytes() -> None:
    writes = Stock(each=100, measured=900, most=1000)
    fresh = Room(name="", made=True, max_tenants=10, writes=Stock(each=100, most=1000))
    assert growth.wanted(pool(maxStores=2), [room(1, writes=writes)], 1, fresh, 0) == 2


def test_names_go_on_from_the_pools_own_and_leave_out_those_of_others() -> None:
    assert growth.stores(pool(), [], [], 1) == ("default",)
    assert growth.stores(pool(), ["default"], ["default-2"], 3) == ("default", "default-3", "default-4")
    assert growth.stores(pool(), ["default", "default-3"], [], 3) == ("default", "default-2", "default-3")
    assert growth.stores(pool(), ["default", "default-2"], [], 1) == ("default", "default-2")


@given(
    tenants=st.lists(st.integers(0, 10), max_size=6),
    waiting=st.integers(0, 80),
    most=st.integers(1, 9),
    headroom=st.integers(0, 90),
)
def test_it_never_makes_more_than_it_may_and_stops_when_all_fit(
    tenants: list[int], waiting: int, most: int, headroom: int
) -> None:
    found = [room(count, name=f"s{number}") for number, count in enumerate(tenants)]
    asked = pool(minStores=1, maxStores=most, headroomPercent=headroom)
    count = growth.wanted(asked, found, len(found), FRESH, waiting)
    assert max(len(found), 1) <= count <= max(len(found), most, 1)
    free = sum(10 - each for each in tenants) + (count - len(found)) * 10
    if count < most:
        assert free >= waiting
        assert not headroom or free - waiting >= 1
        assert not headroom or (free - waiting) * 100 >= headroom * count * 10
    if count > max(len(found), 1):
        less = free - 10
        assert less <= waiting or (less - waiting) * 100 < headroom * (count - 1) * 10
