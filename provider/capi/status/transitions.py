"""What an Event is worth: a KamajiControlPlane that became available or is no longer, moves, is refused. Pure.

Told from two statuses, the one that stood and the one that was written, so a pass that changes nothing tells nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from provider.capi.status import conditions
from provider.manifest.condition import find
from provider.manifest.happening import Happening

Status = Mapping[str, Any]

STEPS = (
    conditions.EXTERNAL,
    conditions.TENANT,
    conditions.CERTIFICATES,
    conditions.ENDPOINT,
    conditions.INFRASTRUCTURE,
)
WAITS = ("Waiting", "NotFound", "KindNotInTable")
"""How reasons begin that are no news: what a birth waits for."""
MOVEMENTS = {
    "RollingOut": Happening("RolledOut", "every pod is as the spec wants it"),
    "ScalingUp": Happening("ScaledUp", "as many pods as wanted are there"),
    "ScalingDown": Happening("ScaledDown", "as few pods as wanted are there"),
    "Paused": Happening("Resumed", "the pause is over"),
}
"""Conditions that are better False → their end."""
ROLLING = ("RollingOut", "Upgrading")
"""Reasons of a roll-out that gets on; others are the hosting room's, of an upgrade that waits or was given up."""


def of(before: Status, after: Status) -> Iterator[Happening]:
    """What happened between two statuses of one KamajiControlPlane."""
    yield from _milestones(before, after)
    yield from _movements(before, after)
    for kind in STEPS:
        now = _condition(after, kind)
        if now.get("status") == "False" and _reason(before, kind) != now["reason"] and not _waits(now):
            yield Happening(str(now["reason"]), str(now["message"]), warning=True)


def _milestones(before: Status, after: Status) -> Iterator[Happening]:
    if after.get("initialized") and not before.get("initialized"):
        yield Happening(
            "Initialized", "the API server answers, and the Cluster's kubeconfig and certificates are there"
        )
    was, now = (_condition(each, "Available") for each in (before, after))
    if now.get("status") == "True" and was.get("status") != "True":
        yield Happening("Available", "the API server answers")
    elif was.get("status") == "True" and now.get("status") != "True":
        yield Happening("Unavailable", f"{now.get('reason')}: {now.get('message')}", warning=True)
    former, version = before.get("version"), after.get("version")
    if former and former != version:
        yield Happening("Upgraded", f"every API server runs {version}; it was {former} before")


def _movements(before: Status, after: Status) -> Iterator[Happening]:
    for kind, end in MOVEMENTS.items():
        was, now = (_condition(each, kind) for each in (before, after))
        if now.get("status") == "True" and was.get("reason") != now.get("reason"):
            stuck = kind == "RollingOut" and now["reason"] not in ROLLING
            yield Happening(str(now["reason"]), str(now["message"]), warning=stuck)
        elif was.get("status") == "True" and now.get("status") == "False":
            yield end
    was, now = (_condition(each, "Deleting") for each in (before, after))
    if now.get("status") == "True" and was.get("status") != "True":
        yield Happening("Deleting", str(now["message"]))


def _waits(condition: Mapping[str, Any]) -> bool:
    return str(condition["reason"]).startswith(WAITS)


def _condition(status: Status, kind: str) -> Mapping[str, Any]:
    return find(status.get("conditions"), kind) or {}


def _reason(status: Status, kind: str) -> str:
    return str(_condition(status, kind).get("reason") or "")
