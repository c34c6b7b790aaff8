"""A goal that is not met is told with its reason, or with the wish for one."""

from __future__ import annotations

from lab.bench import reasons
from lab.bench.reasons import Reason
from lab.bench.table import Row

MET, MISSED, ASKED_NOTHING = Row("met", (1.0,), 1.5), Row("missed", (9.0,), 1.5), Row("nothing is asked of it", (9.0,))


def test_of_a_goal_that_is_not_met_the_reason_and_the_next_idea_are_told(tmp_path, monkeypatch) -> None:
    file = tmp_path / "reasons.toml"
    file.write_text('[missed]\nseen = "It waits."\nnext = "to wait less."\n')
    monkeypatch.setattr(reasons, "FILE", file)
    (found,) = reasons.missed([MET, MISSED, ASKED_NOTHING], 4.0)
    assert found.why == Reason("It waits.", "to wait less.")
    assert str(found) == "missed: It waits. Next: to wait less."


def test_a_reason_that_nobody_knows_is_asked_for(tmp_path, monkeypatch) -> None:
    (file := tmp_path / "reasons.toml").touch()
    monkeypatch.setattr(reasons, "FILE", file)
    (found,) = reasons.missed([MISSED], 4.0)
    assert found.why is None and reasons.NO_REASON in str(found)
