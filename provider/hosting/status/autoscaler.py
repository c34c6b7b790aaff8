"""Status of a TenantAutoscaler: what the pods shall ask for, and whether that follows what they take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from provider.api.verdict import NotReady, Verdict
from provider.hosting.autoscaling import requests
from provider.hosting.autoscaling.requests import Amounts
from provider.hosting.status import task
from provider.manifest import Manifest
from provider.manifest.condition import Condition, timestamp

FOLLOWING = "Following"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a pass."""

    asked: Mapping[str, Amounts]  # by container: what it shall ask for
    most: Mapping[str, Amounts]  # by container: what it may
    unmeasured: tuple[str, ...] = ()  # containers with bounds, of which nobody says what they take
    hindrance: str = ""  # why pods cannot be resized as they run
    refusal: str = ""  # what an API server said about it


def of(raw: Manifest, outcome: Outcome, now: datetime) -> dict[str, Any]:
    """The whole wanted `.status`."""
    before = raw.get("status") or {}
    said = requests.said(outcome.asked)
    changed = before.get("changed") if said == (before.get("requests") or {}) else timestamp(now)
    rest = {**before, "requests": said}
    return task.laid({**raw, "status": rest}, {"changed": changed}, [_following(outcome)], now)


def stopped(raw: Manifest, verdict: Verdict, now: datetime) -> dict[str, Any]:
    """The same where nothing can be decided."""
    condition = Condition(type=FOLLOWING, status="False", reason=verdict.reason, message=verdict.message)
    return task.laid(raw, {}, [condition], now)


def absent(namespace: str, name: str) -> Verdict:
    """There is no tenant of that name."""
    message = f"there is no TenantControlPlane {namespace}/{name}: a TenantAutoscaler has the name of its tenant"
    return NotReady("TenantNotFound", message)


def asleep() -> Verdict:
    """It has no pods."""
    return NotReady("TenantAsleep", "the control plane has no pods: what they ask for stays as it was")


def _following(outcome: Outcome) -> Condition:
    if outcome.refusal:
        message = f"pods could not be resized: {outcome.refusal}"
        return Condition(type=FOLLOWING, status="False", reason="ResizeRefused", message=message)
    if outcome.unmeasured:
        message = (
            f"nobody says what {' and '.join(outcome.unmeasured)} take: install a metrics server (metrics.k8s.io)"
            " in the management cluster, or take their bounds away; without one kube-apiserver alone is measured"
        )
        return Condition(type=FOLLOWING, status="False", reason="LoadUnknown", message=message)
    full = [
        requests.path_to_most(container, name)
        for container, amounts in outcome.asked.items()
        for name, value in amounts.items()
        if value >= outcome.most[container][name]
    ]
    if full:
        message = f"the pods ask for all they may: when it is too little, raise {', '.join(full)}"
        return Condition(type=FOLLOWING, status="True", reason="AtMost", message=message)
    if outcome.hindrance:
        message = (
            f"pods are made anew when what they ask for changes, once in a quarter of an hour: {outcome.hindrance}"
        )
        return Condition(type=FOLLOWING, status="True", reason="ByRollout", message=message)
    return Condition(type=FOLLOWING, status="True", reason="InPlace", message="pods that run are resized as they are")
