"""The table of `make bench`: medians, ratios and goals; and its pictures, which say the same."""

from __future__ import annotations

from xml.etree import ElementTree

from lab.bench import picture
from lab.bench.table import Row, markdown, percentile

BASE = 4.0
BORN = Row("one: joinable", (5.0, 6.0, 9.0), 1.5)
HEAVY = Row("provider at 100 tenants: resident memory", (160.0,), None, 150, "MiB", "pods")
LIGHT = Row("provider at 10 tenants: resident memory", (100.0,), None, None, "MiB", "pods")


def test_a_goal_is_a_ratio_to_the_floor_and_a_limit_a_figure() -> None:
    assert BORN.ratio(BASE) == 1.5 and BORN.met(BASE) is True and BORN.bound(BASE) == 6.0
    assert BORN.met(3.9) is False
    assert HEAVY.ratio(BASE) is None and HEAVY.met(BASE) is False and HEAVY.bound(BASE) == 150
    assert LIGHT.met(BASE) is None and LIGHT.bound(BASE) is None


def test_a_limit_of_nothing_is_met_by_nothing_only() -> None:
    assert Row("writes", (0,), limit=0, unit="writes").met(BASE) is True
    assert Row("writes", (1,), limit=0, unit="writes").met(BASE) is False


def test_a_line_says_median_spread_number_goal_and_what_is_not_real() -> None:
    born, heavy = markdown([BORN, HEAVY], BASE).splitlines()[2:]
    assert born == "| one: joinable | 6 s | 5 to 9 | 3 | 1.50 | ≤ 1.5 × floor | yes |  |"
    assert heavy == f"| {HEAVY.what} | 160 MiB | 160 to 160 | 1 |  | ≤ 150 MiB | no | pods |"


def test_a_percentile_is_one_of_the_figures() -> None:
    assert percentile(range(1, 101), 0.99) == 99
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0


def test_what_has_a_goal_is_drawn_and_what_was_taken_at_several_sizes_as_growth() -> None:
    made = picture.drawn([BORN, LIGHT, HEAVY], BASE)
    assert set(made) == {
        "one-joinable.svg",
        "provider-at-100-tenants-resident-memory.svg",
        "growth-resident-memory.svg",
    }
    for content in made.values():
        ElementTree.fromstring(content)
    assert "goal 6 s" in made["one-joinable.svg"] and picture.GOOD in made["one-joinable.svg"]
    assert picture.BAD in made["provider-at-100-tenants-resident-memory.svg"]
    assert "not real in it: pods" in made["provider-at-100-tenants-resident-memory.svg"]
