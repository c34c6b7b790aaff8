"""`make bench` fails when a goal is missed, and names which."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from lab.bench import reasons, report
from lab.bench.report import Part
from lab.bench.table import Row

GOOD = Row("one: joinable", (5.0, 6.0, 9.0), 1.5)
LATE = Row("five at once", (40.0,), 8.0)
HEAVY = Row("resident memory", (160.0,), None, 150, "MiB")


@pytest.mark.parametrize(
    ("rows", "restarts", "below"),
    [
        ([GOOD], 0, []),
        ([LATE, GOOD, HEAVY], 0, ["five at once", "resident memory"]),
        ([GOOD], 2, [f"{report.PARTS['births']}: restarts of control-plane containers: 2 (goal 0)"]),
    ],
)
def test_a_missed_goal_is_named_and_is_the_exit_status(
    rows: list[Row], restarts: int, below: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def measured(*_: object, **__: object) -> report.Parts:
        return {"births": Part((4.0,), tuple(rows), restarts)}

    said = io.StringIO()
    monkeypatch.setattr(report, "measure", measured)
    monkeypatch.setattr(report, "Console", lambda: Console(file=said, width=300))
    monkeypatch.setattr(report, "DOCS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["report", "births", "--docs"])
    assert report.main() == (1 if below else 0)
    named = [each.removeprefix("goal missed: ") for each in said.getvalue().splitlines() if "missed" in each]
    assert [each.removesuffix(f": {reasons.NO_REASON}") for each in named] == below
    assert (tmp_path / "figures.json").exists(), "what was measured is kept all the same"


def test_a_part_that_is_measured_anew_takes_its_own_place_and_the_others_stay_with_the_floor_of_their_run(
    tmp_path: Path,
) -> None:
    report.keep(tmp_path, {"births": Part((4.0, 4.5), (GOOD,)), "weight": Part((4.0, 4.5), (HEAVY,))})
    report.keep(tmp_path, {"weight": Part((2.0,), (Row("resident memory", (100.0,), None, 150, "MiB"),))})
    assert report.kept(tmp_path) == {
        "births": Part((4.0, 4.5), (GOOD,)),
        "weight": Part((2.0,), (Row("resident memory", (100.0,), None, 150, "MiB"),)),
    }
    page = (tmp_path / "README.md").read_text()
    assert page.count(report.FLOOR) == 2 and "resident memory" in page
    assert report.NOT_MET not in page
    assert {each.name for each in tmp_path.glob("*.svg")} == {"one-joinable.svg", "resident-memory.svg"}


def test_a_part_that_there_is_not_is_refused_with_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["report", "speed"])
    with pytest.raises(SystemExit) as ended:
        report.main()
    assert ended.value.code == 2
    assert "no part speed" in capsys.readouterr().err
