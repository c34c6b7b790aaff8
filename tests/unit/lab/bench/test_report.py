"""`make bench` fails when a goal is missed, and names which."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from lab.bench import reasons, report
from lab.bench.report import Measured
from lab.bench.table import Row

FLOOR = Row("the floor", (4.0,))
GOOD = Row("one: joinable", (5.0, 6.0, 9.0), 1.5)
LATE = Row("five at once", (40.0,), 8.0)
HEAVY = Row("resident memory", (160.0,), None, 150, "MiB")


@pytest.mark.parametrize(
    ("rows", "restarts", "below"),
    [
        ([FLOOR, GOOD], 0, []),
        ([FLOOR, LATE, GOOD, HEAVY], 0, ["five at once", "resident memory"]),
        ([GOOD], 2, ["restarts of control-plane containers in these runs: 2 (goal 0)"]),
    ],
)
def test_a_missed_goal_is_named_and_is_the_exit_status(
    rows: list[Row], restarts: int, below: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def measured(*_: object, **__: object) -> Measured:
        return Measured(4.0, rows, restarts)

    said = io.StringIO()
    monkeypatch.setattr(report, "measure", measured)
    monkeypatch.setattr(report, "Console", lambda: Console(file=said, width=300))
    monkeypatch.setattr(report, "DOCS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["report", "stores", "--docs"])
    assert report.main() == (1 if below else 0)
    named = [each.removeprefix("goal missed: ") for each in said.getvalue().splitlines() if "missed" in each]
    assert [each.removesuffix(f": {reasons.NO_REASON}") for each in named] == below
    assert (tmp_path / "figures.json").exists(), "what was measured is kept all the same"
