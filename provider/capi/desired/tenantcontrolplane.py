"""KamajiControlPlane and Cluster → TenantControlPlane: same name, same namespace, controlled by the KamajiControlPlane.

In another management cluster it has a name of its own, and labels in place of the owner that cannot be there.
Only what somebody said is written, so that the hosting room's defaults stay its own. Mapping as upstream's provider does it.
An object of our name that is somebody else's is never taken over.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from provider.api import kinds, names
from provider.api.model import Model
from provider.api.schema import DNS_SUBDOMAIN
from provider.api.verdict import Invalid
from provider.capi.desired import routes
from provider.capi.model.hosted import Component, HostedControlPlane, Kine
from provider.capi.view import Endpoint, View
from provider.manifest import Manifest, meta

ANNOTATION_ROLLED_OUT = f"{names.EXTENSION_GROUP}/rolled-out-after"
HANDED_DOWN = (names.KAMAJI_GROUP, names.EXTENSION_GROUP)
"""Prefixes of the annotations that are meant for the hosting room."""


def build(view: View) -> Manifest:
    """The whole object. Invalid when its name is taken."""
    if view.taken:
        raise Invalid(
            "NameTaken",
            f"{view.place} belongs to {view.taken} and is left alone: delete it,"
            " or make this control plane under another name",
        )
    labels = {names.LABEL_CLUSTER_NAME: view.cluster_name}
    own = meta.annotations_of(view.raw)
    annotations = {key: value for key, value in own.items() if key.rpartition("/")[0] in HANDED_DOWN}
    if view.place.elsewhere:
        labels[names.LABEL_CONTROL_PLANE] = names.control_plane_digest(view.namespace, view.name)
        labels[names.LABEL_CONTROL_PLANE_UID] = view.kcp.uid
    body = meta.new(
        kinds.TENANT_CONTROL_PLANE,
        view.place.name,
        view.place.namespace,
        labels=labels,
        annotations=annotations,
        spec=_spec(view),
    )
    return body if view.place.elsewhere else meta.owned(body, view.raw)


def rollout_due(view: View) -> datetime | None:
    """When `spec.rollout.after` asks for a restart; None when it asks for none. Invalid when it is no time."""
    after = view.kcp.spec.rollout.after if view.kcp.spec.rollout else None
    if after is None:
        return None
    if (due := _moment(after)) is None:
        raise Invalid("RolloutTimeUnreadable", "spec.rollout.after is no time such as 2026-01-31T22:00:00Z: correct it")
    return due


def preset(view: View) -> Endpoint | None:
    """The endpoint that is settled before the control plane has one: by the user on the Cluster, or by the infrastructure.

    Then the control plane is asked to be reached there. One that core has from us (`spec.controlPlaneEndpoint`) is no wish;
    one that comes after the control plane has its own cannot be followed any more.
    """
    said, network = view.agreed or view.infrastructure.endpoint, view.kcp.spec.network
    if said is None or not _is_host(said[0]) or network.ingress or network.gateway:
        return None  # where a route leads is the route's to say
    followed = (view.asked.get("networkProfile") or {}).get("address")
    return said if followed or (view.endpoint is None and view.told != said) else None


def _spec(view: View) -> dict[str, Any]:
    spec = view.kcp.spec
    said = {
        "kubernetes": _kubernetes(view),
        "controlPlane": {"deployment": _deployment(view), "service": _service(spec), **routes.of(spec.network)},
        "networkProfile": _network(view),
        "addons": _addons(spec),
        "dataStore": spec.data_store_name,
        "dataStoreSchema": spec.data_store_schema,
        "dataStoreUsername": spec.data_store_username,
        "dataStoreOverrides": [each.manifest() for each in spec.data_store_overrides],
    }
    return _said(said)


def _kubernetes(view: View) -> dict[str, Any]:
    spec = view.kcp.spec
    version = spec.version if spec.version.startswith("v") else f"v{spec.version}"
    # The defaults that the API server put into the KamajiControlPlane are the user's word by now.
    kubelet = (view.raw["spec"].get("kubelet")) or spec.kubelet.manifest()
    return _said({"version": version, "kubelet": kubelet, "admissionControllers": list(spec.admission_controllers)})


def _network(view: View) -> dict[str, Any]:
    network, ranges = view.kcp.spec.network, view.cluster.spec.cluster_network
    balancer = network.load_balancer_config
    host, port = preset(view) or (None, None)
    dns = network.dns_service_ips or (
        view.kcp.spec.addons.core_dns.dns_service_ips if view.kcp.spec.addons.core_dns else ()
    )
    return _said(
        {
            "address": network.service_address or host,
            "advertiseAddress": network.advertise_address,
            "port": ranges.api_server_port or port,
            "certSANs": _names(view),
            "clusterDomain": ranges.service_domain,
            "serviceCidrs": list(ranges.services.cidr_blocks),
            "podCidrs": list(ranges.pods.cidr_blocks),
            "dnsServiceIPs": list(dns),
            "loadBalancerClass": balancer.load_balancer_class if balancer else None,
            "loadBalancerSourceRanges": list(balancer.load_balancer_source_ranges) if balancer else [],
        }
    )


def _names(view: View) -> list[str]:
    """More names of the API server. Workers dial the Cluster's endpoint, so the certificate has to cover it in any case."""
    said, agreed = routes.certificate_names(view.kcp.spec.network), view.agreed
    if agreed and view.endpoint and agreed[0] != view.endpoint[0] and _is_host(agreed[0]):
        said += [agreed[0]] if agreed[0] not in said else []
    return said


def _is_host(text: str) -> bool:
    """Whether a text is an IP address or a DNS name, as certificates take them: others write it, so it may be anything."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= 253 and re.fullmatch(DNS_SUBDOMAIN, text) is not None
    return True


def _service(spec: HostedControlPlane) -> dict[str, Any]:
    network = spec.network
    metadata = _said({"labels": network.service_labels, "annotations": network.service_annotations})
    ports = [each.manifest() for each in network.additional_service_ports]
    return _said({"serviceType": network.service_type, "additionalMetadata": metadata, "additionalPorts": ports})


def _deployment(view: View) -> dict[str, Any]:
    spec, pods = view.kcp.spec, view.kcp.spec.deployment
    components = {
        "apiServer": spec.api_server,
        "controllerManager": spec.controller_manager,
        "scheduler": spec.scheduler,
    }
    shaped: dict[str, Component | Kine] = {**components, "kine": spec.kine}
    return _said(
        {
            "replicas": spec.replicas,
            "registrySettings": _registry(spec, components),
            "extraArgs": {key: list(each.extra_args) for key, each in shaped.items()},
            "resources": {key: each.resources for key, each in shaped.items()},
            "additionalVolumeMounts": {key: list(each.extra_volume_mounts) for key, each in components.items()},
            "probes": {
                **(pods.probes.manifest() if pods.probes else {}),
                **{key: each.probes.manifest() for key, each in components.items() if each.probes},
            },
            "nodeSelector": pods.node_selector,
            "runtimeClassName": pods.runtime_class_name,
            "serviceAccountName": pods.service_account_name,
            "strategy": pods.strategy,
            "affinity": pods.affinity,
            "tolerations": list(pods.tolerations),
            "topologySpreadConstraints": list(pods.topology_spread_constraints),
            "additionalMetadata": pods.additional_metadata.manifest(),
            "podAdditionalMetadata": _pod_metadata(view),
            "additionalInitContainers": list(pods.extra_init_containers),
            "additionalContainers": list(pods.extra_containers),
            "additionalVolumes": list(pods.extra_volumes),
        }
    )


def _registry(spec: HostedControlPlane, components: Mapping[str, Component]) -> dict[str, Any]:
    images = {f"{key}Image": each.container_image_name for key, each in components.items()}
    return {"registry": spec.registry, **images}


def _pod_metadata(view: View) -> dict[str, Any]:
    """Once `rollout.after` has passed, an annotation that stays whatever the field says later: pods are made anew once."""
    said = view.kcp.spec.deployment.pod_additional_metadata.manifest()
    asked = (view.asked.get("controlPlane") or {}).get("deployment") or {}
    stands = ((asked.get("podAdditionalMetadata") or {}).get("annotations") or {}).get(ANNOTATION_ROLLED_OUT)
    before, due = _moment(stands or ""), rollout_due(view)
    if due is not None and due <= view.now and (before is None or before < due):
        stands = due.isoformat()
    if not stands:
        return said
    return {**said, "annotations": {**said.get("annotations", {}), ANNOTATION_ROLLED_OUT: stands}}


def _moment(text: str) -> datetime | None:
    """A time of RFC 3339, None when it is none or says no zone."""
    try:
        found = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return found if found.tzinfo else None


def _addons(spec: HostedControlPlane) -> dict[str, Any]:
    """Presence switches an addon on, so an empty block is said too."""
    addons: dict[str, Any] = {}
    for key, block in (("coreDNS", spec.addons.core_dns), ("kubeProxy", spec.addons.kube_proxy)):
        if block is not None:
            addons[key] = _said({"imageRepository": block.image_repository, "imageTag": block.image_tag})
    if spec.addons.konnectivity is not None:
        addons["konnectivity"] = spec.addons.konnectivity.manifest()
    return addons


def _said(block: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON, without what nobody said: None and empty lists and objects, except where presence itself speaks."""
    found: dict[str, Any] = {}
    for key, value in block.items():
        inner = value.manifest() if isinstance(value, Model) else value
        inner = _said(inner) if isinstance(inner, dict) and key in NESTED else inner
        if inner is None or (inner in ([], {}) and key not in PRESENT):
            continue
        found[key] = inner
    return found


NESTED = {"extraArgs", "resources", "additionalVolumeMounts", "registrySettings", "probes"}
PRESENT = {"addons", "kubelet", "networkProfile", "coreDNS", "kubeProxy"}
