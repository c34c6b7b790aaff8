"""Probes: quick to see a start, patient with a busy machine. The user may change any number, for all or for one component.

A start is looked at every second, for five minutes, so that control planes that share cores are not killed while they
start. Liveness gives a hung process more than a minute, and never blames it for an etcd that is away: to restart every
tenant's API server would not bring it back.
"""

from __future__ import annotations

from typing import Any

from provider.api.deployment import Probes, ProbeSet, ProbeSpec
from provider.manifest import pod

Numbers = dict[str, int]

STARTUP: Numbers = {"periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 300, "successThreshold": 1}
READINESS: Numbers = {"periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 3, "successThreshold": 1}
LIVENESS: Numbers = {"periodSeconds": 10, "timeoutSeconds": 15, "failureThreshold": 6, "successThreshold": 1}
API_SERVER_PATHS = {"startup": "/livez", "readiness": "/readyz", "liveness": "/livez?exclude=etcd"}
HEALTHZ_PATHS = {"startup": "/healthz", "readiness": "/healthz", "liveness": "/healthz"}


def of(user: Probes, component: ProbeSet | None, paths: dict[str, str], port: int) -> dict[str, Any]:
    """`startupProbe`, `readinessProbe` and `livenessProbe` of a container; the component's numbers win over the general."""
    defaults = {"startup": STARTUP, "readiness": READINESS, "liveness": LIVENESS}
    found = {}
    for kind, numbers in defaults.items():
        wanted = numbers | _written(getattr(user, kind)) | _written(getattr(component, kind, None))
        found[f"{kind}Probe"] = pod.http_probe(paths[kind], port, "HTTPS", wanted)
    return found


def _written(spec: ProbeSpec | None) -> Numbers:
    return spec.model_dump(by_alias=True, exclude_none=True) if spec else {}
