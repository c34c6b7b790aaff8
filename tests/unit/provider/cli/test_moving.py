"""How far a tenant is on its way to another DataStore, by its object."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api import names
from provider.cli import moving
from provider.hosting.migration import Phase
from provider.manifest import Manifest


def tenant(
    home: str = "one", asked: str = "two", *, phase: str = "", reason: str = "", seen: int = 2, **more: Any
) -> Manifest:
    """One that is asked to be in `asked` and lives in `home`."""
    move = {"phase": phase, "source": "one", "target": "two", "message": "the copy differs"} if phase else None
    conditions = [{"type": "Migrated", "status": "False", "reason": reason, "message": "words"}] if reason else []
    stalled = [{"type": "Stalled", "status": "True"}] if more.pop("stalled", False) else []
    return {
        "metadata": {"namespace": "team", "name": "demo", "generation": 2, **more},
        "spec": {"dataStore": asked} if asked else {},
        "status": {
            "observedGeneration": seen,
            "conditions": [*conditions, *stalled],
            "storage": {"dataStoreName": home, "migration": move},
        },
    }


@pytest.mark.parametrize("phase", ["Copying", "StandingBy", "Frozen", "Switching", "Returning"])
def test_each_step_is_told_with_its_reason_and_is_neither_end(phase: str) -> None:
    home = "two" if phase == "Switching" else "one"
    found = moving.judged(tenant(home, phase=phase, reason="ItsReason"), "two")
    assert (found.words, found.done, found.failed) == ("ItsReason: words", False, False)


def test_it_is_done_when_the_tenant_lives_there_also_while_what_is_left_is_not_erased_yet() -> None:
    for phase in ("", "Moved"):
        found = moving.judged(tenant("two", phase=phase), "two")
        assert (found.done, found.words) == (True, "team/demo is in DataStore two")


def test_a_move_that_was_given_up_has_failed() -> None:
    found = moving.judged(tenant(phase="Failed", reason="CopyDiffers"), "two")
    assert (found.failed, found.words) == (True, "CopyDiffers: words")


def test_one_that_cannot_begin_until_somebody_acts_has_failed_and_one_that_waits_has_not() -> None:
    assert moving.judged(tenant(reason="DriverCannotMove", stalled=True), "two").failed
    assert not moving.judged(tenant(reason="WaitingForTurn"), "two").failed


def test_what_nobody_has_looked_at_or_is_paused_is_said_so() -> None:
    assert "has yet to look" in moving.judged(tenant(seen=1), "two").words
    assert "is paused" in moving.judged(tenant(annotations={names.ANNOTATION_PAUSED: ""}), "two").words


def test_a_spec_that_another_object_says_is_waited_for() -> None:
    assert "does not say two yet" in moving.judged(tenant(asked="one", reason="Copying"), "two").words


def test_to_call_it_off_is_to_move_back_and_ends_where_it_was() -> None:
    assert moving.judged(tenant("one", "one", phase="Failed", reason="Withdrawn"), "one").done
    assert not moving.judged(tenant("one", "one", phase="Copying", reason="Copying"), "one").done


def test_a_move_of_overrides_alone_is_not_one_of_the_tenant() -> None:
    found = tenant("one", "one", phase="Copying")
    found["status"]["storage"]["migration"]["resources"] = ["events"]
    assert moving.standing(found).is_at("one")


def test_every_phase_is_either_under_way_or_an_end() -> None:
    assert {each for each in Phase if not moving.standing(tenant(phase=each)).under_way} == {Phase.MOVED, Phase.FAILED}
