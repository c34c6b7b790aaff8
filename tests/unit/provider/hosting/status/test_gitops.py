"""kstatus: who waits is told whether waiting helps."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api.verdict import Invalid, NotReady, Verdict
from provider.hosting.catalog import Step
from provider.hosting.status import gitops
from provider.hosting.view import View
from provider.manifest.condition import Condition


class Silent:
    """A part that says nothing."""

    def __init__(self, name: str) -> None:
        self.NAME = name

    def build(self, view: View) -> Any:
        return iter(())

    def report(self, view: View) -> dict[str, Any]:
        return {}


STEPS = [Step(Silent("spec"), "Accepted"), Step(Silent("deployment"), "PodsReady"), Step(Silent("coredns"), "Addons")]


def ready(status: Any, reason: str = "Ready") -> list[Condition]:
    return [Condition(type="Ready", status=status, reason=reason, message="said")]


def undone(reason: str) -> list[Condition]:
    return [*ready("True"), Condition(type="Upgraded", status="False", reason=reason, message="back")]


@pytest.mark.parametrize(
    ("said", "declined", "rolling", "expected"),
    [
        (ready("True"), {}, False, None),
        (ready("True"), {}, True, ("Reconciling", "RollingOut")),
        (ready("False", "PodsStarting"), {}, True, ("Reconciling", "PodsStarting")),
        (ready("False", "Sleeping"), {}, True, None),
        (ready("False", "DataStoreGone"), {"spec": NotReady("DataStoreGone", "")}, False, None),
        (ready("False", "VersionTooOld"), {"spec": Invalid("VersionTooOld", "x")}, False, ("Stalled", "VersionTooOld")),
        (ready("True"), {"coredns": Invalid("RefusedByTenant", "x")}, True, ("Stalled", "RefusedByTenant")),
        (undone("UpgradeFailed"), {}, False, ("Stalled", "UpgradeFailed")),
        (undone("KubeletsTooOld"), {}, False, ("Stalled", "KubeletsTooOld")),
        (undone("Upgrading"), {}, True, ("Reconciling", "RollingOut")),
    ],
)
def test_at_most_one_of_the_two_is_there(
    said: list[Condition], declined: dict[str, Verdict], rolling: bool, expected: tuple[str, str] | None
) -> None:
    found = gitops.conditions(STEPS, declined, said, rolling=rolling)
    assert [(each.type, each.reason) for each in found] == ([expected] if expected else [])
    assert all(each.status == "True" for each in found)


@pytest.mark.parametrize("move", ["Stalled", "Reconciling"])
def test_a_move_to_another_datastore_is_waited_for_until_it_is_given_up(move: Any) -> None:
    said = [*ready("True"), Condition(type="Migrated", status="False", reason="Copying", message="said")]
    found = gitops.conditions(STEPS, {}, said, rolling=True, move=move)
    assert [(each.type, each.reason, each.message) for each in found] == [(move, "Copying", "said")]
