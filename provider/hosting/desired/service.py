"""The Service in front of a tenant's API servers. What address it gives is `provider.hosting.endpoint`'s to judge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provider.api import kinds, names
from provider.hosting import endpoint
from provider.hosting.desired.konnectivity import sidecar
from provider.hosting.migration import standby
from provider.hosting.view import View
from provider.manifest import Manifest, meta

NAME = "service"


def build(view: View) -> Iterator[Manifest]:
    """One Service, called like the tenant.

    A NodePort asks for the node port that equals `networkProfile.port`; whether that is free and in the management
    cluster's range only its API server knows.
    """
    extra = view.tcp.service.additional_metadata
    labels = {**extra.labels, **names.tenant_labels(view.name, NAME)}
    annotations = dict(extra.annotations)
    manifest = meta.new(
        kinds.SERVICE, view.name, view.namespace, labels=labels, annotations=annotations, spec=_spec(view)
    )
    yield meta.owned(manifest, view.raw)


def report(view: View) -> dict[str, Any]:
    """`kubernetesResources.service`: where it is and what its load balancer gave."""
    service = view.seen.get(kinds.SERVICE, view.name, view.namespace)
    if service is None:
        return {}
    before = (view.status.get("kubernetesResources") or {}).get("service") or {}
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    # The ports of an entry are left out as upstream does; they say nothing that the Service's own ports do not.
    said = [{key: value for key, value in each.items() if key != "ports"} for each in ingress]
    block: dict[str, Any] = {"name": view.name, "namespace": view.namespace, "port": view.tcp.network.port}
    if conditions := (service.get("status") or {}).get("conditions"):
        block["conditions"] = conditions
    if said or "loadBalancer" in before:
        block["loadBalancer"] = {"ingress": said}
    return {"kubernetesResources": {"service": block}}


def _spec(view: View) -> dict[str, Any]:
    network, kind = view.tcp.network, view.tcp.service.service_type
    spec: dict[str, Any] = {"type": kind, "selector": {names.LABEL_NAME: view.name}, "ports": _ports(view)}
    if _awaited(view):
        # It answers up to two seconds before it counts as ready, and until then nobody else does.
        spec["publishNotReadyAddresses"] = True
    if len(network.service_cidrs) > 1:
        # A dual-stack tenant wants both families; on a single-stack management cluster it gets the one there is.
        spec["ipFamilyPolicy"] = "PreferDualStack"
    if kind == "LoadBalancer":
        spec["allocateLoadBalancerNodePorts"] = view.tcp.service.allocate_load_balancer_node_ports is not False
        if network.load_balancer_class:
            spec["loadBalancerClass"] = network.load_balancer_class
        if network.load_balancer_source_ranges:
            spec["loadBalancerSourceRanges"] = list(network.load_balancer_source_ranges)
    elif network.allow_address_as_external_ip and network.address and endpoint.is_address(network.address):
        spec["externalIPs"] = [network.address]
    return spec


def _awaited(view: View) -> bool:
    """From birth, or from a sleep, to the first API server that serves; not when all stop serving for another reason."""
    if view.serving or standby.asked(view):  # what stands by is not ready, and may not be sent anything
        return False
    service = view.seen.get(kinds.SERVICE, view.name, view.namespace)
    sleeping = view.deployment is None or not view.deployment["spec"].get("replicas")
    return sleeping or bool(service and service["spec"].get("publishNotReadyAddresses"))


def _ports(view: View) -> list[dict[str, Any]]:
    port, service = view.tcp.network.port, view.tcp.service
    first: dict[str, Any] = {"name": "kube-apiserver", "protocol": "TCP", "port": port, "targetPort": port}
    if service.service_type == "NodePort":
        first["nodePort"] = port
    ports = [first, *sidecar.service_ports(view)]
    for each in service.additional_ports:
        said = {"name": each.name, "protocol": each.protocol, "port": each.port, "targetPort": each.target_port}
        ports.append({**said, **({"appProtocol": each.app_protocol} if each.app_protocol else {})})
    if service.service_type == "LoadBalancer" and service.allocate_load_balancer_node_ports is False:
        # Those that were allocated before stay unless they are taken back by name.
        return [{**each, "nodePort": 0} for each in ports]
    return ports
