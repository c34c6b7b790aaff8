"""Status of a KubeconfigGenerator: how many tenants are meant, who has no kubeconfig and why, in one condition and a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from provider.api.verdict import Verdict
from provider.manifest import Manifest, mergepatch
from provider.manifest.condition import Condition, merged

READY = "Ready"
LISTED = 500  # errors; an object may not grow without end
Failures = Mapping[str, str]
"""`namespace/name` of a tenant → why it has no kubeconfig."""


def of(raw: Manifest, targets: int, failures: Failures, now: datetime) -> dict[str, Any]:
    """The whole wanted `.status`, laid over the one that stands. `targets`: how many tenants are selected."""
    errors = [{"resource": each, "message": message} for each, message in sorted(failures.items())]
    counts = {"resources": targets, "availableResources": targets - len(failures)}
    return _with(raw, {**counts, "errors": errors[:LISTED] or None}, _ready(targets, errors), now)


def refused(raw: Manifest, verdict: Verdict, now: datetime) -> dict[str, Any]:
    """Of a generator that cannot be acted on: nothing is counted, for nobody was looked at; what it made stays."""
    counts = {"resources": 0, "availableResources": 0, "errors": None}
    return _with(
        raw, counts, Condition(type=READY, status="False", reason=verdict.reason, message=verdict.message), now
    )


def _ready(targets: int, errors: Sequence[Mapping[str, str]]) -> Condition:
    if not errors:
        return Condition(type=READY, status="True", reason=READY)
    first = errors[0]
    message = (
        f"{len(errors)} of {targets} tenants have no kubeconfig, see status.errors;"
        f" the first is {first['resource']}: {first['message']}"
    )
    return Condition(type=READY, status="False", reason="KubeconfigsMissing", message=message)


def _with(raw: Manifest, said: Mapping[str, Any], ready: Condition, now: datetime) -> dict[str, Any]:
    before, generation = raw.get("status") or {}, raw["metadata"].get("generation", 0)
    conditions = merged([ready], before.get("conditions"), generation, now)
    return mergepatch.merged(before, said, {"conditions": conditions, "observedGeneration": generation})
