"""Documents are held to the tree: decisions have their shape and no gap, ARCHITECTURE.md names only what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provider.api import names
from provider.hosting.rotation import age
from tests.samples import DATABASES, FOLDER, SAMPLES, TOLD

ROOT = Path(__file__).parents[2]
DECISIONS = sorted((ROOT / "docs" / "decisions").iterdir())
ROWS = [line for line in (ROOT / "ARCHITECTURE.md").read_text().splitlines() if line.startswith("|")]
NAMED = sorted({path for row in ROWS for path in re.findall(r"`([^`]+)`", row) if "/" in path})


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [each.name[:5] for each in DECISIONS] == [f"{number:04}-" for number in range(1, len(DECISIONS) + 1)]


@pytest.mark.parametrize("file", DECISIONS, ids=lambda each: each.name)
def test_a_decision_says_context_decision_and_price_in_this_order(file: Path) -> None:
    text = file.read_text()
    assert re.match(rf"# {file.name[:4]} · \S", text), "its heading is its number and what was decided"
    places = [text.find(f"\n**{each}.**") for each in ("Context", "Decision", "Price")]
    assert -1 not in places
    assert places == sorted(places)


def test_the_table_of_rooms_names_something() -> None:
    assert len(NAMED) > 15


@pytest.mark.parametrize("path", NAMED)
def test_a_path_that_architecture_names_exists(path: str) -> None:
    assert (ROOT / path).exists() or (ROOT / "provider" / path).exists()


def test_the_guide_to_rotations_names_annotations_that_there_are() -> None:
    text = "".join((ROOT / "docs" / each).read_text() for each in ("rotation.md", "encryption.md"))
    found = set(re.findall(rf"{names.EXTENSION_GROUP}/[a-z-]+", text))
    spoken = {each.removesuffix(age.AFTER) for each in found}
    assert (len(found), len(spoken)) == (10, 8)
    assert spoken <= {each for each in vars(names).values() if isinstance(each, str)}


def test_every_sample_is_described_and_every_description_has_its_sample() -> None:
    assert len(SAMPLES) > 12
    assert sorted(re.findall(r"^\| `([^`]+)`", TOLD.read_text(), re.MULTILINE)) == sorted(
        str(each.relative_to(FOLDER)) for each in [*SAMPLES, *DATABASES]
    )
