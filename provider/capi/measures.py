"""What passes tell metrics of KamajiControlPlanes: read off the status that a pass wrote, nothing is asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from provider import telemetry
from provider.capi.view import View
from provider.manifest.condition import find, holds, seconds_until
from provider.telemetry import subjects, table

Key = tuple[str, str]
"""(namespace, name) of a KamajiControlPlane."""


def control_plane(view: View, wanted: Mapping[str, Any]) -> None:
    """After a pass over it: `wanted` is the status that it came to."""
    key, conditions = (view.namespace, view.name), wanted["conditions"]
    available = holds(conditions, "Available")
    subjects.show(table.CONTROL_PLANE_AVAILABLE, key, {(): float(available)})
    why = None if available else find(conditions, "Available")
    subjects.show(table.CONTROL_PLANE_HINDRANCE, key, {(str(why.get("reason")),): 1.0} if why else {})
    hosted = "elsewhere" if view.place.elsewhere else "here"
    subjects.show(table.CONTROL_PLANE_INFO, key, {(str(wanted.get("version") or ""), hosted): 1.0})
    subjects.show(table.CONTROL_PLANE_PAUSED, key, {(): float(holds(conditions, "Paused"))})
    if wanted.get("initialized") and not view.initialized:
        _birth(view, conditions, key)


def gone(key: Key) -> None:
    """It is deleted, or nobody of ours."""
    subjects.hide("controlplane", key)


def _birth(view: View, conditions: list[Mapping[str, Any]], key: Key) -> None:
    """Once, in the pass that finds it initialized for the first time."""
    created = datetime.fromisoformat(view.raw["metadata"]["creationTimestamp"])
    phases = seconds_until(conditions, table.CONTROL_PLANE_PHASES, created)
    telemetry.show_birth(table.CONTROL_PLANE_BIRTH, telemetry.CONTROL_PLANE_BIRTHS, key, phases)
