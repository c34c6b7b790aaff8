"""What each tenant is made of, to be read by a reviewer. `pytest --update-golden` rewrites the expected files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.golden.cases import CASES, Case, files, reported

every_case = pytest.mark.parametrize("case", CASES, ids=lambda each: each.folder.name)


@every_case
def test_the_manifests_are_those_that_a_reviewer_has_read(case: Case, update_golden: bool) -> None:
    made = files(case.walked())
    if update_golden:
        rewritten(case.expected, made)
    stand = {each.name: each.read_text() for each in case.expected.iterdir()}
    for name in sorted(made.keys() | stand.keys()):
        assert stand.get(name) == made.get(name), f"{name}: if this is right, run pytest --update-golden, read the diff"


@every_case
def test_building_twice_says_the_same_to_the_byte(case: Case) -> None:
    assert json.dumps(case.walked().said) == json.dumps(case.walked().said)


@every_case
def test_a_walk_over_what_stands_changes_nothing(case: Case) -> None:
    first = case.walked()
    again = case.walked_again(first)
    assert again.said == first.said
    assert reported(again) == reported(first)


@every_case
def test_an_input_has_no_field_that_is_passed_over_in_silence(case: Case) -> None:
    assert case.tcp.manifest() == case.raw


def rewritten(folder: Path, made: dict[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    for each in folder.iterdir():
        if each.name not in made:
            each.unlink()
    for name, text in made.items():
        (folder / name).write_text(text)
