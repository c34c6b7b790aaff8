"""The Ingress that leads to a tenant's API server by its host name. Whether it passes TLS through, its annotations say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provider.api import kinds, names
from provider.api.exposure import Ingress
from provider.api.verdict import Invalid
from provider.hosting.view import View
from provider.manifest import Manifest, meta

NAME = "ingress"


def build(view: View) -> Iterator[Manifest]:
    """One Ingress, called like the tenant; nothing while `controlPlane.ingress` is absent. Invalid without a host name."""
    if (wanted := view.tcp.spec.control_plane.ingress) is None:
        return
    extra = wanted.additional_metadata
    manifest = meta.new(
        kinds.INGRESS,
        view.name,
        view.namespace,
        labels={**extra.labels, **names.tenant_labels(view.name, NAME)},
        annotations=extra.annotations,
        spec=_spec(view, wanted),
    )
    yield meta.owned(manifest, view.raw)


def report(view: View) -> dict[str, Any]:
    """`kubernetesResources.ingress`: where it is and what its controller said; taken away with the block in the spec."""
    found = view.seen.get(kinds.INGRESS, view.name, view.namespace)
    if view.tcp.spec.control_plane.ingress is None or found is None:
        return {"kubernetesResources": {NAME: None}}
    block: dict[str, Any] = {"name": view.name, "namespace": view.namespace, "loadBalancer": None}
    if balancer := (found.get("status") or {}).get("loadBalancer"):
        block["loadBalancer"] = balancer
    return {"kubernetesResources": {NAME: block}}


def _spec(view: View, wanted: Ingress) -> dict[str, Any]:
    if not wanted.host:
        said = f"{wanted.hostname!r} is no DNS name" if wanted.hostname else "is missing"
        raise Invalid(
            "HostnameInvalid",
            f"spec.controlPlane.ingress.hostname {said}: write the name under which clients reach the API server, such as"
            " demo.example.com, with a port after a colon where it differs from networkProfile.port",
        )
    service = {"name": view.name, "port": {"number": view.tcp.network.port}}
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": service}}
    spec: dict[str, Any] = {"rules": [{"host": wanted.host, "http": {"paths": [path]}}]}
    if wanted.ingress_class_name:
        spec["ingressClassName"] = wanted.ingress_class_name
    return spec
