"""docs/conditions.md names the conditions that there are, and no others."""

from __future__ import annotations

import re
from typing import Any

import pytest

from docs.evidence import ROOT
from provider.hosting.parts import PARTS
from tests.golden.cases import CASES, reported

PAGE = (ROOT / "docs" / "conditions.md").read_text()
SOURCES = "\n".join(each.read_text() for each in sorted((ROOT / "provider").rglob("*.py")))
TYPE = r'Condition\(\s*type="([A-Z]\w+)"|_condition\(\s*"([A-Z]\w+)"|_(?:true|false|better_false)\("([A-Z]\w+)"'


def named(section: str) -> set[str]:
    """Conditions of the tables of a section."""
    (text,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    cells = [cell for line in text.splitlines() if line.startswith("|") for cell in line.split("|")[1:-2]]
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


ALL = sorted({word for section in re.findall(r"^## (.*)$", PAGE, re.MULTILINE) for word in named(section)})


@pytest.mark.parametrize("case", CASES, ids=lambda each: each.folder.name)
def test_whatever_a_tenant_has_is_on_the_page(case: Any) -> None:
    assert {each["type"] for each in reported(case.walked())["conditions"]} <= named("TenantControlPlane")


def test_the_condition_of_each_part_is_on_the_page() -> None:
    assert {each.condition for each in PARTS} <= named("TenantControlPlane")


def test_what_the_sources_call_a_condition_is_on_the_page() -> None:
    found = {word for words in re.findall(TYPE, SOURCES) for word in words if word}
    assert len(found) > 20
    assert not {each for each in found - {"True", "False", "Unknown"} if each not in ALL}


@pytest.mark.parametrize("name", ALL)
def test_what_is_on_the_page_is_a_word_of_the_sources(name: str) -> None:
    assert f'"{name}"' in SOURCES or f'/{name.rpartition("/")[2]}"' in SOURCES
