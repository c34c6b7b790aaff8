"""What a long run tells while it lasts: each failure at once, with its reason; each file once it is over; a test that is long.

Dots tell nothing of a run that is ended before its end. Registered by tests/conftest.py, in the process that reports.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

import pytest
from _pytest.terminal import TerminalReporter

LONGEST = 400  # letters of a reason
LONG = 300.0  # seconds after which a test that still runs is told of
INSIDE = re.compile(
    r"^E?\s*\|\s+(\S*(?:Error|Exception|Expired|Failed)\b.*)$", re.MULTILINE
)  # of a group of exceptions


@dataclass
class Stretch:
    """Tests of one file that ran one after another in one worker."""

    file: str
    began: float = field(default_factory=time.monotonic)
    tests: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)


class Telling:
    """Lines between the dots. Files are told of where several workers share them: only there it is not seen anyway."""

    def __init__(self, terminal: TerminalReporter, *, files: bool) -> None:
        self._terminal = terminal
        self._files = files
        self._stretches: dict[str, Stretch] = {}
        self._running: dict[str, float] = {}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._running[nodeid] = time.monotonic()

    @pytest.hookimpl(trylast=True)  # after the letter of the test
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        where = str(getattr(report, "worker_id", ""))
        if self._files:
            self._follow(where, report)
        if report.failed:
            self._say(f"{failure(report)}{f' [{where}]' if where else ''}: {reason(report)}")
        if report.when == "teardown":
            self._running.pop(report.nodeid, None)
        long = [test for test, began in self._running.items() if time.monotonic() - began > LONG]
        for each in (test for test in long if test != report.nodeid):
            del self._running[each]  # told once
            self._say(f"{each} still runs after {LONG:.0f} s")

    def pytest_sessionfinish(self) -> None:
        for where in list(self._stretches):
            self._over(where)

    def _follow(self, where: str, report: pytest.TestReport) -> None:
        file = report.nodeid.partition("::")[0]
        if where in self._stretches and self._stretches[where].file != file:
            self._over(where)
        stretch = self._stretches.setdefault(where, Stretch(file, time.monotonic() - report.duration))
        stretch.tests.add(report.nodeid)
        if report.failed:
            stretch.failed.add(report.nodeid)

    def _over(self, where: str) -> None:
        done = self._stretches.pop(where)
        counted = f"{len(done.tests)} tests" + (f", {len(done.failed)} failed" if done.failed else "")
        self._say(f"{done.file} [{where}]: {counted}, {time.monotonic() - done.began:.0f} s")

    def _say(self, line: str) -> None:
        if self._terminal._tw.width_of_current_line:
            self._terminal.write_line("")
        self._terminal.write_line(line)
        self._terminal.flush()


def failure(report: pytest.TestReport) -> str:
    """In the words of pytest's summary, with the seconds that it took."""
    word = "FAILED" if report.when == "call" else f"ERROR in {report.when} of"
    return f"{word} {report.nodeid} after {report.duration:.0f} s"


def reason(report: pytest.TestReport) -> str:
    """The first line of what was raised."""
    crash = getattr(report.longrepr, "reprcrash", None)
    marked = [each[1:] for each in report.longreprtext.splitlines() if each.startswith("E  ")]
    words = str(crash.message).splitlines() if crash is not None else marked or report.longreprtext.splitlines()
    first = next((each.strip() for each in words if each.strip()), "it gives no reason")
    if "sub-exception" in first and (inside := INSIDE.findall(report.longreprtext)):
        first = inside[-1]
    return first if len(first) <= LONGEST else f"{first[:LONGEST]}…"
