"""A long run tells what fails as soon as it does, in one line."""

from __future__ import annotations

import io
from typing import Any

import pytest
from _pytest.config import Config, create_terminal_writer
from _pytest.terminal import TerminalReporter

from tests.telling import LONGEST, Telling, reason

GROUP = """  | ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: first
    +---------------- 2 ----------------
    | AssertionError: the pods run: not within 300 s
    +------------------------------------
"""


def report(test: str, words: Any = None, when: Any = "call", worker: str = "gw0") -> pytest.TestReport:
    outcome: Any = "failed" if words else "passed"
    made = pytest.TestReport(test, ("", None, ""), {}, outcome, words, when, duration=2.0)
    made.worker_id = worker
    return made


def told(config: Config, *reports: pytest.TestReport) -> list[str]:
    output = io.StringIO()
    terminal = TerminalReporter(config, output)
    terminal._tw = create_terminal_writer(config, output)
    telling = Telling(terminal, files=True)
    for each in reports:
        telling.pytest_runtest_logreport(each)
    telling.pytest_sessionfinish()
    return output.getvalue().splitlines()


def test_a_failure_is_told_at_once_and_a_file_when_the_next_one_begins(pytestconfig: Config) -> None:
    lines = told(
        pytestconfig,
        report("a.py::one"),
        report("a.py::two", "E   OSError: gone\nE   or so", "setup"),
        report("b.py::one"),
    )
    assert lines[0] == "ERROR in setup of a.py::two after 2 s [gw0]: OSError: gone"
    assert [each.rpartition(",")[0] for each in lines[1:]] == ["a.py [gw0]: 2 tests, 1 failed", "b.py [gw0]: 1 tests"]


def test_a_test_that_runs_for_long_is_told_of_once(pytestconfig: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.StringIO()
    terminal = TerminalReporter(pytestconfig, output)
    telling = Telling(terminal, files=False)
    telling.pytest_runtest_logstart("a.py::long")
    monkeypatch.setattr("tests.telling.LONG", -1.0)
    for _ in range(2):
        telling.pytest_runtest_logreport(report("b.py::one"))
    assert output.getvalue().count("a.py::long still runs") == 1


def test_a_reason_is_one_line_also_of_a_group_and_not_too_long() -> None:
    assert reason(report("a.py::one", f"E {GROUP}")) == "AssertionError: the pods run: not within 300 s"
    assert len(reason(report("a.py::one", f"E   {'x' * 2 * LONGEST}"))) == LONGEST + 1
    assert reason(report("a.py::one", "worker 'gw0' crashed\nlater")) == "worker 'gw0' crashed"
