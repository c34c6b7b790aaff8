"""Where the pods run and as whom: what the user wrote, and what we add where he wrote nothing."""

from __future__ import annotations

from typing import Any

from provider.api import names
from provider.hosting.view import View
from provider.manifest import Manifest, pod

FIRST_FREE_PORT = 1024


def of(view: View) -> dict[str, Any]:
    """Fields of the pod's spec."""
    deployment = view.tcp.deployment
    fields: dict[str, Any] = {
        "automountServiceAccountToken": deployment.automount_service_account_token or False,
        "enableServiceLinks": False,
        "securityContext": _security(view),
        "serviceAccountName": deployment.service_account_name,
    }
    optional = {
        "affinity": deployment.affinity,
        "nodeSelector": deployment.node_selector,
        "runtimeClassName": deployment.runtime_class_name,
        "tolerations": list(deployment.tolerations),
        "topologySpreadConstraints": _spread(view),
    }
    return fields | {key: value for key, value in optional.items() if value}


def _security(view: View) -> Manifest:
    """The restricted Pod Security Standard. What a user wrote replaces it whole: half of each would be nobody's choice."""
    if (written := view.tcp.deployment.pod_security_context) is not None:
        return written
    context: Manifest = {
        "runAsGroup": pod.NOBODY,
        "runAsNonRoot": True,
        "runAsUser": pod.NOBODY,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if view.tcp.network.port < FIRST_FREE_PORT:
        context["sysctls"] = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    return context


def _spread(view: View) -> list[Manifest]:
    """The user's constraints, else replicas apart from each other where nodes allow it."""
    deployment = view.tcp.deployment
    selector = {"matchLabels": {names.LABEL_NAME: view.name}}
    if deployment.topology_spread_constraints:
        return [
            each if each.get("labelSelector") is not None else {**each, "labelSelector": selector}
            for each in deployment.topology_spread_constraints
        ]
    if deployment.replicas < 2 or deployment.affinity:
        return []
    return [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": selector,
            "matchLabelKeys": ["pod-template-hash"],  # the pods a rollout replaces do not count
        }
    ]
