"""Every part of the catalog has its golden file in every case, and no file is left of a part that is gone."""

from __future__ import annotations

import pytest

from provider.hosting.parts import PARTS
from tests.golden.cases import CASES, Case

WANTED = {f"{each.name}.yaml" for each in PARTS} | {"status.yaml"}


def test_there_are_cases() -> None:
    assert len(CASES) >= 8


@pytest.mark.parametrize("case", CASES, ids=lambda each: each.folder.name)
def test_each_case_shows_every_part(case: Case) -> None:
    assert {each.name for each in case.expected.iterdir()} == WANTED


def test_every_part_that_can_say_something_says_it_in_some_case() -> None:
    silent = {"spec.yaml", "endpoint.yaml", "released.yaml", "status.yaml"}  # they judge or report, and yield nothing
    for name in sorted(WANTED - silent):
        shown = [case for case in CASES if "apiVersion" in (case.expected / name).read_text()]
        assert shown, f"{name}: switch it on in some case's input.yaml"
