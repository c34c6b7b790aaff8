"""Ingress and Gateway of a KamajiControlPlane as the hosting room is asked for them. Called by `tenantcontrolplane`.

Each carries the port that clients dial, so that kubeconfigs and the Cluster's endpoint agree.
"""

from __future__ import annotations

from typing import Any

from provider.api.exposure import host_and_port
from provider.capi.model.hosted import Gateway, Ingress, Network

INGRESS_PORT = 443  # as upstream's provider tells Cluster API of an Ingress without a port


def of(network: Network) -> dict[str, Any]:
    """`ingress` or `gateway` of the TenantControlPlane's controlPlane; empty when neither is asked for."""
    said: dict[str, Any] = {}
    if network.ingress:
        said["ingress"] = _ingress(network.ingress)
    if network.gateway:
        said["gateway"] = _gateway(network.gateway)
    return said


def certificate_names(network: Network) -> list[str]:
    """The user's names and the hosts of routes, each once: an upstream operator does not add those by itself."""
    routes = [host_and_port(each.hostname)[0] for each in (network.ingress, network.gateway) if each is not None]
    return list(dict.fromkeys([*network.cert_sans, *(each for each in routes if each)]))


def _ingress(wanted: Ingress) -> dict[str, Any]:
    host, port = host_and_port(wanted.hostname)
    said = {
        "hostname": f"{host}:{port or INGRESS_PORT}" if host else wanted.hostname,
        "ingressClassName": wanted.class_name,
    }
    return _given(said) | _metadata(wanted)


def _gateway(wanted: Gateway) -> dict[str, Any]:
    host, port = host_and_port(wanted.hostname)
    parent = {
        "name": wanted.name,
        "namespace": wanted.namespace,
        "sectionName": wanted.section_name,
        "port": wanted.port or port,
    }
    return {"hostname": host or wanted.hostname, "parentRefs": [_given(parent)]} | _metadata(wanted)


def _metadata(wanted: Ingress | Gateway) -> dict[str, Any]:
    metadata = _given({"labels": wanted.extra_labels or None, "annotations": wanted.extra_annotations or None})
    return {"additionalMetadata": metadata} if metadata else {}


def _given(said: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in said.items() if value is not None}
