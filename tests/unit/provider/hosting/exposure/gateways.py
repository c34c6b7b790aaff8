"""Gateways and what their controllers say, for the tests beside this."""

from __future__ import annotations

from typing import Any

from provider.api import kinds
from provider.hosting.view import Seen
from provider.manifest import Manifest, meta
from tests.golden import world
from tests.unit.provider.hosting.exposure.worlds import HOST

PARENT = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge", "namespace": "gateways"}
TIME = "2026-11-24T12:00:00Z"
NONE = Seen()
"""Gateway API is served; no Gateway took a route."""


def tenant(*parents: dict[str, Any], konnectivity: bool = False, **gateway: Any) -> Manifest:
    block = {"hostname": HOST, "parentRefs": list(parents or [PARENT]), **gateway}
    addons = {"konnectivity": {}} if konnectivity else {}
    return world.tenant(controlPlane={"gateway": block}, addons=addons)


def listener(name: str = "kube-apiserver", port: int = 6443, **changes: Any) -> dict[str, Any]:
    return {"name": name, "port": port, "protocol": "TLS", "tls": {"mode": "Passthrough"}, **changes}


def gateway(*listeners: dict[str, Any], name: str = "edge", programmed: str = "True") -> Manifest:
    conditions = [
        {"type": "Programmed", "status": programmed, "reason": "x", "message": "", "lastTransitionTime": TIME}
    ]
    spec = {"gatewayClassName": "lab", "listeners": list(listeners or [listener()])}
    return meta.new(kinds.GATEWAY, name, "gateways", spec=spec, status={"conditions": conditions})


def said(parent: dict[str, Any], status: str = "True", reason: str = "Accepted", message: str = "") -> dict[str, Any]:
    """What one controller says of a route."""
    condition = {"type": "Accepted", "status": status, "reason": reason, "message": message, "lastTransitionTime": TIME}
    return {"controllerName": "example.com/gateway", "parentRef": parent, "conditions": [condition]}


def route(*parents: dict[str, Any], name: str = "demo") -> Manifest:
    """An answer to the applied route: its status."""
    return meta.new(kinds.TLS_ROUTE, name, "tenants", status={"parents": list(parents)})


def seen(*gateways: Manifest) -> Seen:
    return Seen().with_objects(*gateways)
