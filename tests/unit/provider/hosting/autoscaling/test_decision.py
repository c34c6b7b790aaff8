"""The next request: within its bounds, enough for the load, and still while the load is."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from provider.hosting.autoscaling.decision import AIM, HIGH, LOW, PATIENCE, History, Load, Range, decided

AMOUNTS = st.integers(0, 10**7)
BOUNDS = st.tuples(st.integers(1, 10**6), st.integers(0, 10**6)).map(lambda two: Range(least=two[0], most=sum(two)))
GRAINS = st.integers(1, 100)
PLENTY = Range(least=10, most=10**9)


@st.composite
def loads(draw: st.DrawFn) -> Load:
    now = draw(AMOUNTS)
    return Load(now=now, peak=draw(st.none() | st.integers(now, 2 * now + 100)))


def settled(asked: int, load: Load, bounds: Range, grain: int) -> int:
    for _ in range(60):
        asked = decided(asked, load, bounds, grain)
    return asked


@given(AMOUNTS, loads(), BOUNDS, GRAINS)
def test_it_is_within_its_bounds_whatever_is_asked_and_taken(asked: int, load: Load, bounds: Range, grain: int) -> None:
    assert bounds.least <= decided(asked, load, bounds, grain) <= bounds.most


@given(AMOUNTS, AMOUNTS, BOUNDS, GRAINS)
def test_a_load_that_stays_as_it_is_changes_a_request_once_and_no_more(
    asked: int, taken: int, bounds: Range, grain: int
) -> None:
    load = Load(now=taken, peak=taken)
    first = decided(asked, load, bounds, grain)
    assert decided(first, load, bounds, grain) == first


@given(AMOUNTS, AMOUNTS, GRAINS)
def test_what_is_asked_for_in_the_end_is_enough_for_the_load(asked: int, taken: int, grain: int) -> None:
    found = settled(asked, Load(now=taken, peak=taken), PLENTY, grain)
    assert taken * 100 <= found * HIGH


@given(AMOUNTS, st.integers(100, 10**7), st.integers(1, 10))
def test_a_load_that_wavers_a_little_around_what_a_request_was_made_for_leaves_it(
    asked: int, taken: int, grain: int
) -> None:
    found = settled(asked, Load(now=taken, peak=taken), PLENTY, grain)
    assume(found > PLENTY.least)
    assume(taken * 100 >= found * (AIM - 5) and taken * 100 <= found * (AIM + 5))
    for share in (75, 85, 115, 125):
        other = taken * share // 100
        assert decided(found, Load(now=other, peak=other), PLENTY, grain) == found


@given(AMOUNTS, AMOUNTS, AMOUNTS, BOUNDS, GRAINS)
def test_who_takes_more_never_gets_less(asked: int, one: int, other: int, bounds: Range, grain: int) -> None:
    less, more = sorted((one, other))
    assert decided(asked, Load(now=less), bounds, grain) <= decided(asked, Load(now=more), bounds, grain)


@given(AMOUNTS, AMOUNTS, BOUNDS, GRAINS)
def test_nothing_is_lowered_before_the_load_is_known_for_long_enough(
    asked: int, taken: int, bounds: Range, grain: int
) -> None:
    assert decided(asked, Load(now=taken), bounds, grain) >= bounds.clamped(asked)


def test_who_starves_on_what_it_is_given_has_more_at_each_look() -> None:
    """A container that shares a busy node takes no more than its share, so what it takes says not how much it needs."""
    bounds, asked, steps = Range(least=35, most=2000), 35, 0
    while asked < bounds.most:
        asked, steps = decided(asked, Load(now=asked), bounds, 10), steps + 1
    assert steps <= 10


def test_a_start_alone_raises_nothing_and_one_quiet_moment_lowers_nothing() -> None:
    history = History()
    assert history.seen(0, 900) == Load(now=0)
    assert history.seen(30, 20) == Load(now=20)
    assert history.seen(60, 900) == Load(now=20)
    assert history.seen(90, 800) == Load(now=800)
    assert decided(100, history.seen(120, 10), PLENTY, 10) == 100


def test_little_is_in_use_when_it_was_so_for_ten_minutes_and_the_most_of_them_counts() -> None:
    history, asked = History(), 1000
    history.seen(0, 900)
    for at in range(30, int(PATIENCE), 30):
        assert history.seen(at, 30 + at % 7).peak is None
    assert history.seen(PATIENCE, 30).peak == 900
    load = history.seen(PATIENCE + 30, 30)
    assert load.peak is not None and load.peak < 1000 * LOW // 100
    assert decided(asked, load, PLENTY, 10) == 60


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=80))
def test_what_lies_longer_back_than_that_is_not_kept(values: list[int]) -> None:
    history = History()
    for number, value in enumerate(values):
        load = history.seen(number * 30.0, value)
        assert load.now <= value
        assert load.peak is None or load.peak >= value
    assert len(history.taken) <= PATIENCE / 30 + 1
