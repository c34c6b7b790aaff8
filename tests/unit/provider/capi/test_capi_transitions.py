"""Events tell of what changed between two statuses, and of nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from provider.capi.status import transitions


def status(**conditions: str) -> dict[str, Any]:
    """A status whose conditions have these statuses, or `Status/Reason`."""
    found = []
    for kind, said in conditions.items():
        truth, _, reason = said.partition("/")
        default = kind if truth == "True" else f"Not{kind}"
        found.append({"type": kind, "status": truth, "reason": reason or default, "message": f"about {kind}"})
    return {"conditions": found}


UP, DOWN = status(Available="True"), status(Available="False/PodsStarting")
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "before anything": ({}, status(Available="False", Initialized="False"), []),
    "up": (DOWN, UP, ["Available"]),
    "up at once": ({}, UP, ["Available"]),
    "down": (UP, DOWN, ["Unavailable"]),
    "initialized": ({"initialized": False}, {"initialized": True}, ["Initialized"]),
    "upgraded": ({"version": "v1.35.4"}, {"version": "v1.36.3"}, ["Upgraded"]),
    "the first version": ({}, {"version": "v1.36.3"}, []),
    "a roll-out": (status(RollingOut="False"), status(RollingOut="True"), ["RollingOut"]),
    "a roll-out that got on": (status(RollingOut="True"), status(RollingOut="True/Upgrading"), ["Upgrading"]),
    "a roll-out given up": (status(RollingOut="True"), status(RollingOut="True/UpgradeFailed"), ["UpgradeFailed"]),
    "a roll-out that ended": (status(RollingOut="True"), status(RollingOut="False"), ["RolledOut"]),
    "more": (status(ScalingUp="False"), status(ScalingUp="True"), ["ScalingUp"]),
    "enough": (status(ScalingUp="True"), status(ScalingUp="False/NotScalingUp"), ["ScaledUp"]),
    "fewer": ({}, status(ScalingDown="True"), ["ScalingDown"]),
    "a pause": (status(Paused="False"), status(Paused="True"), ["Paused"]),
    "its end": (status(Paused="True"), status(Paused="False"), ["Resumed"]),
    "the end": (status(Deleting="False"), status(Deleting="True"), ["Deleting"]),
    "a refusal": ({}, status(TenantControlPlaneCreated="False/NameTaken"), ["NameTaken"]),
    "a wait": ({}, status(ControlPlaneEndpointPatched="False/WaitingForEndpoint"), []),
    "an infrastructure to come": ({}, status(InfrastructureClusterPatched="False/NotFound"), []),
    "another secret": (
        status(CertificatesAvailable="True"),
        status(CertificatesAvailable="False/AuthorityMismatch"),
        ["AuthorityMismatch"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_happened_is_told_once(case: str) -> None:
    before, after, reasons = CASES[case]
    assert [each.reason for each in transitions.of(before, after)] == reasons
    assert all(each.note for each in transitions.of(before, after))
    assert list(transitions.of(after, after)) == []


@pytest.mark.parametrize("case", ["down", "a roll-out given up", "a refusal", "another secret"])
def test_what_needs_somebody_is_a_warning_and_says_why(case: str) -> None:
    before, after, _ = CASES[case]
    (told,) = transitions.of(before, after)
    assert told.warning
    assert "about" in told.note


@pytest.mark.parametrize("case", ["up", "a roll-out", "a roll-out that got on", "a roll-out that ended", "the end"])
def test_what_goes_as_it_should_is_none(case: str) -> None:
    before, after, _ = CASES[case]
    (told,) = transitions.of(before, after)
    assert not told.warning
