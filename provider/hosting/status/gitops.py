"""Two conditions for tools that wait (kstatus: kubectl, Flux, Argo CD): Stalled and Reconciling. There only while True.

Stalled: nothing moves until somebody changes the spec or what it names, so waiting is over now. Reconciling: something moves.
A control plane that sleeps, or whose store is away, is neither: it is simply not Ready.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from provider.api.verdict import Invalid, Verdict
from provider.hosting.catalog import Step
from provider.hosting.status import migration, rollouts
from provider.manifest.condition import Condition

MOVING = frozenset(
    {
        "ApiServerStarting",
        "ApiServerUnreachable",
        "KeyspaceNotClaimed",
        "LoadBalancerPending",
        "PodsStarting",
        "SecretMissing",
        "WaitingForPart",
        "WaitingForTurn",
    }
)
"""Reasons of conditions that are not True which go away by themselves."""

Move = Literal["Stalled", "Reconciling"]
GIVEN_UP = frozenset({"KubeletsTooNew", "KubeletsTooOld", "UpgradeFailed", "VersionSkipped"})
"""Reasons of an upgrade that goes no further by itself."""


def conditions(
    steps: Sequence[Step],
    declined: Mapping[str, Verdict],
    said: Sequence[Condition],
    *,
    rolling: bool,
    move: Move | None = None,
) -> list[Condition]:
    """At most one of the two. `said` are the other conditions of the same pass, Ready among them; `rolling`: pods change;
    `move`: what a move to another DataStore is worth."""
    for step in steps:
        verdict = declined.get(step.name)
        if isinstance(verdict, Invalid):
            return [Condition(type="Stalled", status="True", reason=verdict.reason, message=verdict.message)]
    for each in said:
        if (each.type == "Upgraded" and each.reason in GIVEN_UP) or each.type == rollouts.TYPE:
            return [Condition(type="Stalled", status="True", reason=each.reason, message=each.message)]
    if move is not None:
        told = next(each for each in said if each.type == migration.TYPE)
        return [Condition(type=move, status="True", reason=told.reason, message=told.message)]
    ready = next(each for each in said if each.type == "Ready")
    if ready.status != "True" and ready.reason in MOVING:
        return [Condition(type="Reconciling", status="True", reason=ready.reason, message=ready.message)]
    if ready.status == "True" and rolling:
        message = "pods of the new revision take the place of the old ones, which serve on"
        return [Condition(type="Reconciling", status="True", reason="RollingOut", message=message)]
    return []
