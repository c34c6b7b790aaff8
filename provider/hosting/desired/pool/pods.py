"""What is to be read off a member's pod."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from provider.manifest.condition import find


def stays(pod: Mapping[str, Any] | None) -> bool:
    """Whether a pod is ready and not about to go: one that ends answers until it has ended."""
    return pod is not None and not pod["metadata"].get("deletionTimestamp") and down_since(pod) is None


def down_since(pod: Mapping[str, Any] | None) -> datetime | None:
    """Since when a pod is not ready; None of one that is, or is not there, or is about to go."""
    if pod is None or pod["metadata"].get("deletionTimestamp"):
        return None
    ready = find((pod.get("status") or {}).get("conditions"), "Ready") or {}
    if ready.get("status") == "True":
        return None
    since = ready.get("lastTransitionTime") or pod["metadata"].get("creationTimestamp")
    return datetime.fromisoformat(since) if since else None
