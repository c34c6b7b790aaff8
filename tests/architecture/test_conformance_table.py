"""docs/conformance.md is not stale, every row of the acceptance list has a test named after it, what it names exists, and green
is what a run has said."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

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


# --- what a run said


def run(when: str, **words: str) -> dict[str, Any]:
    return {"when": when, "tests": words}


def written(folder: Path, *, choice: str = "", **cases: tuple[str, ...]) -> Path:
    """As pytest writes it: cases of one test by what befell each."""
    suite = ElementTree.Element("testsuite", timestamp="2026-12-01T04:00:00")
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (("choice", choice), ("commit", "abc"), ("cluster-api", "v1"), ("kubernetes", "v2")):
        ElementTree.SubElement(properties, "property", name=name, value=value)
    for name, befell in cases.items():
        for number, each in enumerate(befell):
            case = ElementTree.SubElement(suite, "testcase", classname="tests.conformance.t", name=f"{name}[{number}]")
            if each:
                ElementTree.SubElement(case, each)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    file = folder / "run.xml"
    file.write_bytes(ElementTree.tostring(root))
    return file


def test_a_row_is_green_when_each_of_its_tests_has_passed_and_never_otherwise() -> None:
    assert MADE.verdict(["a", "b"], {"a": "passed", "b": "passed"}) == "green"
    for other in ("failed", "skipped"):
        assert MADE.verdict(["a", "b"], {"a": "passed", "b": other}) == f"open: 1 {other}"
    assert MADE.verdict(["a", "b"], {"a": "passed"}) == "open: 1 not run"
    assert MADE.verdict([], {}) == "open: no test"


def test_the_last_run_has_the_last_word_and_a_test_that_is_gone_has_none() -> None:
    runs = MADE.merged([run("2", a="failed")], [run("1", a="passed", b="passed", gone="passed")], ["a", "b"])
    assert runs == [run("2", a="failed"), run("1", b="passed")]
    assert MADE.outcomes(runs) == {"a": "failed", "b": "passed"}
    assert MADE.merged([run("3", a="passed")], runs, ["a", "b"])[0] == run("3", a="passed")


def test_of_the_cases_of_a_test_the_worst_counts(tmp_path: Path) -> None:
    file = written(tmp_path, good=("", ""), bad=("", "failure", "skipped"), broken=("error",), left=("", "skipped"))
    found = MADE.read(file)
    words = {each.partition("::")[2]: word for each, word in found["tests"].items()}
    assert words == {"good": "passed", "bad": "failed", "broken": "failed", "left": "skipped"}
    assert {each.partition("::")[0] for each in found["tests"]} == {"tests/conformance/t.py"}
    assert (found["when"], found["commit"]) == ("2026-12-01T04:00:00", "abc")


def test_a_run_of_chosen_tests_is_not_recorded(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="record whole files"):
        MADE.read(written(tmp_path, choice="-k one", good=("",)))


def test_what_is_recorded_is_of_tests_of_the_list() -> None:
    wanted = {test for row in ROWS for test in MADE.all_of(row)}
    assert set(MADE.outcomes(MADE.recorded())) <= wanted, "run `make recorded`"
