"""Resources as users name them (`secrets`, `widgets.example.com`), and where kube-apiserver keeps their objects. Pure.

Kubernetes' own lie under their plural, whatever their group, but for some that are older than that rule; everybody else's under
group and plural. It is compiled into kube-apiserver, and no API tells of it.
"""

from __future__ import annotations

import re
from typing import Final

SHAPE: Final = re.compile(r"[a-z0-9]+(\.[a-z0-9]([a-z0-9.-]*[a-z0-9])?)?")
REFUSED: Final = frozenset({"apiserveripinfo", "serviceipallocations", "servicenodeportallocations"})
"""What kube-apiserver itself refuses to encrypt."""
OLDER: Final = {
    "endpoints": "services/endpoints",
    "ingresses.networking.k8s.io": "ingress",
    "nodes": "minions",
    "replicationcontrollers": "controllers",
    "services": "services/specs",
}
UNDER_PLURAL: Final = frozenset(
    {"apps", "autoscaling", "batch", "policy"}
    | {
        f"{each}.k8s.io"
        for each in (
            *("admissionregistration", "authentication", "authorization", "certificates", "coordination", "discovery"),
            *("events", "flowcontrol.apiserver", "internal.apiserver", "networking", "node", "rbac.authorization"),
            *("resource", "scheduling", "storage", "storagemigration"),
        )
    }
)


def split(resource: str) -> tuple[str, str]:
    """(group, plural)."""
    plural, _, group = resource.partition(".")
    return group, plural


def folder(resource: str) -> str:
    """Where its objects lie, below the tenant's range: with a slash at its end, and namespace and name, or name, after it."""
    group, plural = split(resource)
    if found := OLDER.get(resource):
        return f"{found}/"
    return f"{plural}/" if not group or group in UNDER_PLURAL else f"{group}/{plural}/"


def override(resource: str) -> str:
    """As spec.dataStoreOverrides names it."""
    group, plural = split(resource)
    return f"{group}/{plural}"
