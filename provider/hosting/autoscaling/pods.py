"""What a pod that runs can be made to ask for without being started again, and what hinders that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from provider.hosting.autoscaling.requests import RESOURCES, Amounts
from provider.manifest import Manifest
from provider.manifest.condition import find

PENDING = "PodResizePending"
DEFERRED, INFEASIBLE = "Deferred", "Infeasible"
PATIENCE = timedelta(minutes=2)  # for room on a pod's node; after that it is made anew where there is some


def hindered(pods: Sequence[Manifest], now: datetime) -> str:
    """Why these pods cannot be resized as they run; empty when they can."""
    return next((why for each in pods if (why := _hindrance(each, now))), "")


def in_place(resources: Mapping[str, Any], wanted: Amounts) -> dict[str, int]:
    """Without what a program reads at its start only: Go's runtime has its own word of a limit of memory."""
    limited = resources.get("limits") or {}
    return {name: value for name, value in wanted.items() if name != "memory" or name not in limited}


def resizes(pod: Manifest, wanted: Mapping[str, Manifest]) -> list[Manifest]:
    """Containers, with what of `wanted` (name → resources) they do not ask for yet; none when the pod is as it should be."""
    return [
        {"name": each["name"], "resources": lacking}
        for each in pod["spec"]["containers"]
        if each["name"] in wanted and (lacking := _lacking(each.get("resources") or {}, wanted[each["name"]]))
    ]


def running(pods: Sequence[Manifest]) -> list[Manifest]:
    """Those that are not about to end or ended."""
    return [
        each
        for each in pods
        if not each["metadata"].get("deletionTimestamp")
        and (each.get("status") or {}).get("phase") in (None, "Pending", "Running")
    ]


def _hindrance(pod: Manifest, now: datetime) -> str:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    pending = find(status.get("conditions"), PENDING) or {}
    if pending.get("status") == "True":
        since = pending.get("lastTransitionTime")
        waited = since is None or now - datetime.fromisoformat(since) > PATIENCE
        if pending.get("reason") == INFEASIBLE or waited:
            return f"the node of pod {name} cannot give it what it shall ask for ({pending.get('reason')})"
    started = [each for each in status.get("containerStatuses") or () if "running" in (each.get("state") or {})]
    if any(each.get("resources") is None for each in started):
        return f"the kubelet of pod {name} is too old to resize pods that run (before 1.33)"
    return ""


def _lacking(live: Mapping[str, Any], wanted: Manifest) -> Manifest:
    return {
        group: wanted[group] for group in ("requests", "limits") if any(_differing(live.get(group), wanted.get(group)))
    }


def _differing(live: Mapping[str, str] | None, wanted: Mapping[str, str] | None) -> Iterator[bool]:
    for name, value in (wanted or {}).items():
        read = RESOURCES[name].read
        yield name not in (live or {}) or read((live or {})[name]) != read(value)
