"""Conditions (metav1.Condition); the transition time is kept while the status stays. Called by every status."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

Truth = Literal["True", "False", "Unknown"]


LONGEST = 4096  # characters: some messages are other API servers' words, a tenant's among them


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition before it has a time. `reason` is stable CamelCase; `message` says what to do."""

    type: str
    status: Truth
    reason: str
    message: str = ""


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as metav1.Time writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def merged(
    wanted: Iterable[Condition], before: Iterable[Mapping[str, Any]] | None, generation: int, now: datetime
) -> list[dict[str, Any]]:
    """The list for `.status.conditions`: `lastTransitionTime` moves only when a condition's status does."""
    known = {each.get("type"): each for each in before or ()}
    result = []
    for each in wanted:
        old = known.get(each.type)
        same = old is not None and old.get("status") == each.status and old.get("lastTransitionTime")
        result.append(
            {
                "type": each.type,
                "status": each.status,
                "reason": each.reason,
                "message": each.message[:LONGEST],
                "observedGeneration": generation,
                "lastTransitionTime": old["lastTransitionTime"] if old and same else timestamp(now),
            }
        )
    return result


def find(conditions: Iterable[Mapping[str, Any]] | None, kind: str) -> Mapping[str, Any] | None:
    """The condition of that type, or None."""
    return next((each for each in conditions or () if each.get("type") == kind), None)


def seconds_until(conditions: Iterable[Mapping[str, Any]], kinds: Container[str], since: datetime) -> dict[str, float]:
    """Seconds until each of these held. Both times are told in whole seconds, so that one errs by a second, many do not."""
    return {
        each["type"]: max(0.0, (datetime.fromisoformat(each["lastTransitionTime"]) - since).total_seconds())
        for each in conditions
        if each["type"] in kinds and each["status"] == "True"
    }


def holds(conditions: Iterable[Mapping[str, Any]] | None, kind: str) -> bool:
    """Whether there is a condition of that type, and it is True."""
    return (find(conditions, kind) or {}).get("status") == "True"
