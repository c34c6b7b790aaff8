"""docs/conformance.md is not stale, every row of the acceptance list has a test named after it, and what it names exists."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def maker() -> Any:
    spec = importlib.util.spec_from_file_location("conformance", ROOT / "config" / "conformance.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MADE = maker()
ROWS = [f"A{number}" for number in range(1, 24)]  # the contract's to A18, then our own


def test_the_page_is_what_rows_and_tests_make() -> None:
    assert MADE.PAGE.read_text() == MADE.page(), "run `make generate`"


def test_the_list_has_every_row_and_no_test_is_named_after_another() -> None:
    assert list(MADE.rows()) == ROWS
    assert set(MADE.tests()) <= set(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_a_test_named_after_it(row: str) -> None:
    assert MADE.tests().get(row), f"no test is called test_{row.lower()}_…"


@pytest.mark.parametrize("row", ROWS)
def test_what_a_row_names_elsewhere_exists(row: str) -> None:
    said = MADE.rows()[row]
    assert set(said) <= {"what", "elsewhere", "open"}
    for each in said.get("elsewhere", ()):
        file, _, function = each.partition("::")
        assert function in MADE.functions(ROOT / file), each
