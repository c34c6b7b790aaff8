"""How much of its store a tenant may take up: limits from its annotations, what it takes up from its status. Pure.

Also whether a tenant is held back for having filled its store (`reconcile.throttling`), which its status records.

What is compared is the size of the objects that stand (keys and values, history left out): it goes down when they
are deleted. Read by `desired.writepermissions`, which enforces the hard limit, by `status.quota`, and by the sampling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from provider.api import names
from provider.api.verdict import Invalid
from provider.manifest import Manifest, meta, quantity

State = Literal["unlimited", "unknown", "within", "soft", "hard"]


@dataclass(frozen=True, kw_only=True)
class Quota:
    """Bytes; None: no such limit, or not measured yet."""

    soft: int | None
    hard: int | None
    used: int | None

    @property
    def state(self) -> State:
        """Which limit is reached."""
        if self.soft is None and self.hard is None:
            return "unlimited"
        if self.used is None:
            return "unknown"
        if self.hard is not None and self.used >= self.hard:
            return "hard"
        return "soft" if self.soft is not None and self.used >= self.soft else "within"


@dataclass(frozen=True, kw_only=True)
class Throttle:
    """A tenant that is held back in the store that it is in. Times are as the status says them, which sort as they follow."""

    store: str
    since: str
    until: str
    closed_until: str  # empty: etcd lets it write, and its API server refuses what is made or changed
    reason: str

    @property
    def closed(self) -> bool:
        """Whether etcd itself refuses what it writes, deletions too."""
        return bool(self.closed_until)


def throttle(raw: Manifest) -> Throttle | None:
    """Of a TenantControlPlane as it stands. What was recorded in another store than it is in now holds it no more."""
    found = recorded(raw)
    if not found or found.get("dataStore") != ((raw.get("status") or {}).get("storage") or {}).get("dataStoreName"):
        return None
    return Throttle(
        store=str(found["dataStore"]),
        since=str(found.get("since") or ""),
        until=str(found.get("until") or ""),
        closed_until=str(found.get("closedUntil") or ""),
        reason=str(found.get("reason") or ""),
    )


def recorded(raw: Manifest) -> Mapping[str, Any]:
    """The record as it is, whatever store it is of; empty without one."""
    found: Mapping[str, Any] = ((raw.get("status") or {}).get("storage") or {}).get("throttled") or {}
    return found


def of(raw: Manifest) -> Quota:
    """Of a TenantControlPlane as it stands. Invalid names an annotation that is no limit."""
    annotations = meta.annotations_of(raw)
    usage = ((raw.get("status") or {}).get("storage") or {}).get("usage") or {}
    found = Quota(
        soft=_limit(annotations, names.ANNOTATION_STORAGE_SOFT_LIMIT),
        hard=_limit(annotations, names.ANNOTATION_STORAGE_HARD_LIMIT),
        used=usage.get("bytes"),
    )
    if found.soft is not None and found.hard is not None and found.soft > found.hard:
        raise Invalid(
            "AnnotationInvalid",
            f"annotation {names.ANNOTATION_STORAGE_SOFT_LIMIT} is above {names.ANNOTATION_STORAGE_HARD_LIMIT}, so it would warn"
            " too late: lower it, or remove it",
        )
    return found


def words(size: int) -> str:
    """Bytes as people read them: rounded up to Mi."""
    return f"{-(-size // 2**20)}Mi"


def _limit(annotations: Mapping[str, str], name: str) -> int | None:
    text = annotations.get(name)
    if text is None:
        return None
    try:
        size = quantity.whole(text)
    except ValueError:
        size = 0
    if size <= 0:
        raise Invalid(
            "AnnotationInvalid", f"annotation {name} {text!r} is no size: write one such as 200Mi, or remove it"
        )
    return size
