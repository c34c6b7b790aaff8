"""The table of parts: a wrong order fails when it is made, not in the third pass."""

from __future__ import annotations

import re
from typing import Any

import pytest

from provider.hosting.catalog import Step, catalog
from provider.hosting.parts import PARTS
from provider.hosting.status.tenant import ORDER


class Part:
    def __init__(self, name: str) -> None:
        self.NAME = name

    def build(self, view: Any) -> Any:
        yield from ()

    def report(self, view: Any) -> dict[str, Any]:
        return {}


def step(name: str, *needs: str) -> Step:
    return Step(Part(name), "Ready", needs=needs)


def test_steps_stay_in_the_order_they_were_written() -> None:
    assert [each.name for each in catalog([step("a"), step("b", "a"), step("c")])] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "steps",
    [[step("a", "b")], [step("a", "b"), step("b")], [step("a", "a")]],
    ids=["unknown", "comes later", "itself"],
)
def test_a_need_that_no_earlier_part_meets_is_named(steps: list[Step]) -> None:
    need = steps[0].needs[0]
    with pytest.raises(ValueError, match=f"part a needs {need}, which no earlier part is called"):
        catalog(steps)


def test_two_parts_of_one_name_would_prune_each_others_objects() -> None:
    with pytest.raises(ValueError, match="two parts are called a"):
        catalog([step("a"), step("a")])


def test_a_parts_name_can_be_the_value_of_a_label() -> None:
    for each in PARTS:
        assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", each.name)


def test_a_part_inside_the_tenant_is_needed_by_none_outside() -> None:
    inside = {each.name for each in PARTS if each.target == "tenant"}
    for each in PARTS:
        if each.target == "management":
            assert not inside & set(each.needs)


def test_every_condition_of_ready_is_some_parts() -> None:
    assert set(ORDER) <= {each.condition for each in PARTS}
