"""Every field of a KamajiControlPlane that a user can set, with a value and the place where the TenantControlPlane has it.

`leaves` walks the model: a field that is added there and not here fails the tests. Used here and in the conformance ring,
which asks a real API server whether it takes them all.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from docs import fields as documented
from provider.api.model import Model, camel
from provider.api.schema import NotYet


@dataclass(frozen=True)
class Field:
    """Where a value goes: dotted path in the TenantControlPlane's spec, and the value."""

    to: str
    value: Any


PROBE = {
    "initialDelaySeconds": 1,
    "periodSeconds": 2,
    "timeoutSeconds": 3,
    "successThreshold": 1,
    "failureThreshold": 5,
}
RESOURCES = {"requests": {"cpu": "123m"}}
DEPLOYMENT = "controlPlane.deployment"


def _probes(where: str, to: str) -> dict[str, Field]:
    return {
        f"{where}.{probe}.{number}": Field(f"{to}.{probe}.{number}", value)
        for probe in ("liveness", "readiness", "startup")
        for number, value in PROBE.items()
    }


def _component(name: str) -> dict[str, Field]:
    mount = {"name": "extra", "mountPath": f"/{name.lower()}"}
    return {
        f"{name}.extraArgs": Field(f"{DEPLOYMENT}.extraArgs.{name}", ["--v=3"]),
        f"{name}.extraVolumeMounts": Field(f"{DEPLOYMENT}.additionalVolumeMounts.{name}", [mount]),
        f"{name}.resources": Field(f"{DEPLOYMENT}.resources.{name}", RESOURCES),
        f"{name}.containerImageName": Field(f"{DEPLOYMENT}.registrySettings.{name}Image", f"my-{name}".lower()),
        **_probes(f"{name}.probes", f"{DEPLOYMENT}.probes.{name}"),
    }


PORT = {"name": "extra", "port": 8132, "targetPort": "agent", "protocol": "TCP", "appProtocol": "https"}
PATCH = {"op": "replace", "path": "/podPidsLimit", "value": 100, "from": "/maxPods"}
CONTAINER = {"name": "extra", "image": "example/extra:v1"}
TERM = {"matchExpressions": [{"key": "pool", "operator": "Exists"}]}
AFFINITY = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [TERM]}}}
SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
INIT_CONTAINER = {"name": "first", "image": "example/first:v1"}

KONNECTIVITY = {
    f"addons.konnectivity.{path}": Field(f"addons.konnectivity.{path}", value)
    for path, value in {
        "server.port": 8232,
        "server.image": "registry.example/server",
        "server.version": "v0.36.0",
        "server.extraArgs": ["--v=2"],
        "server.resources": RESOURCES,
        "server.securityContext": {"runAsUser": 7},
        "agent.image": "registry.example/agent",
        "agent.version": "v0.36.0",
        "agent.mode": "Deployment",
        "agent.replicas": 3,
        "agent.hostNetwork": True,
        "agent.tolerations": [{"operator": "Exists"}],
        "agent.extraArgs": ["--v=4"],
    }.items()
}

MAPPED: dict[str, Field] = {
    "version": Field("kubernetes.version", "v1.36.3"),
    "replicas": Field(f"{DEPLOYMENT}.replicas", 3),
    "registry": Field(f"{DEPLOYMENT}.registrySettings.registry", "registry.example"),
    "dataStoreName": Field("dataStore", "shared"),
    "dataStoreSchema": Field("dataStoreSchema", "my_schema"),
    "dataStoreUsername": Field("dataStoreUsername", "my_user"),
    "dataStoreOverrides": Field("dataStoreOverrides", [{"resource": "/events", "dataStore": "events"}]),
    "admissionControllers": Field("kubernetes.admissionControllers", ["AlwaysPullImages"]),
    "addons.coreDNS.imageRepository": Field("addons.coreDNS.imageRepository", "registry.example/dns"),
    "addons.coreDNS.imageTag": Field("addons.coreDNS.imageTag", "v1"),
    "addons.coreDNS.dnsServiceIPs": Field("networkProfile.dnsServiceIPs", ["10.96.0.11"]),
    "addons.kubeProxy.imageRepository": Field("addons.kubeProxy.imageRepository", "registry.example/proxy"),
    "addons.kubeProxy.imageTag": Field("addons.kubeProxy.imageTag", "v2"),
    **KONNECTIVITY,
    **_component("apiServer"),
    **_component("controllerManager"),
    **_component("scheduler"),
    "kine.extraArgs": Field("controlPlane.deployment.extraArgs.kine", ["--debug"]),
    "kine.resources": Field("controlPlane.deployment.resources.kine", {"limits": {"memory": "1Gi"}}),
    "kubelet.cgroupfs": Field("kubernetes.kubelet.cgroupfs", "cgroupfs"),
    "kubelet.preferredAddressTypes": Field("kubernetes.kubelet.preferredAddressTypes", ["Hostname"]),
    "kubelet.configurationJSONPatches": Field("kubernetes.kubelet.configurationJSONPatches", [PATCH]),
    "network.serviceType": Field("controlPlane.service.serviceType", "LoadBalancer"),
    "network.serviceAddress": Field("networkProfile.address", "10.0.0.7"),
    "network.advertiseAddress": Field("networkProfile.advertiseAddress", "10.0.0.8"),
    "network.serviceLabels": Field("controlPlane.service.additionalMetadata.labels", {"a": "b"}),
    "network.serviceAnnotations": Field("controlPlane.service.additionalMetadata.annotations", {"c": "d"}),
    "network.additionalServicePorts": Field("controlPlane.service.additionalPorts", [PORT]),
    "network.loadBalancerConfig.loadBalancerSourceRanges": Field(
        "networkProfile.loadBalancerSourceRanges", ["192.0.2.0/24"]
    ),
    "network.loadBalancerConfig.loadBalancerClass": Field("networkProfile.loadBalancerClass", "example.com/class"),
    "network.certSANs": Field("networkProfile.certSANs", ["api.example.com"]),
    "network.dnsServiceIPs": Field("networkProfile.dnsServiceIPs", ["10.96.0.12"]),
    "deployment.nodeSelector": Field(f"{DEPLOYMENT}.nodeSelector", {"pool": "system"}),
    "deployment.runtimeClassName": Field(f"{DEPLOYMENT}.runtimeClassName", "gvisor"),
    "deployment.serviceAccountName": Field(f"{DEPLOYMENT}.serviceAccountName", "pods"),
    "deployment.strategy": Field(f"{DEPLOYMENT}.strategy", {"type": "Recreate"}),
    "deployment.affinity": Field(f"{DEPLOYMENT}.affinity", AFFINITY),
    "deployment.tolerations": Field(f"{DEPLOYMENT}.tolerations", [{"operator": "Exists"}]),
    "deployment.topologySpreadConstraints": Field(f"{DEPLOYMENT}.topologySpreadConstraints", [SPREAD]),
    "deployment.additionalMetadata.labels": Field(f"{DEPLOYMENT}.additionalMetadata.labels", {"e": "f"}),
    "deployment.additionalMetadata.annotations": Field(f"{DEPLOYMENT}.additionalMetadata.annotations", {"g": "h"}),
    "deployment.podAdditionalMetadata.labels": Field(f"{DEPLOYMENT}.podAdditionalMetadata.labels", {"i": "j"}),
    "deployment.podAdditionalMetadata.annotations": Field(
        f"{DEPLOYMENT}.podAdditionalMetadata.annotations", {"k": "l"}
    ),
    "deployment.extraInitContainers": Field(f"{DEPLOYMENT}.additionalInitContainers", [INIT_CONTAINER]),
    "deployment.extraContainers": Field(f"{DEPLOYMENT}.additionalContainers", [CONTAINER]),
    "deployment.extraVolumes": Field(f"{DEPLOYMENT}.additionalVolumes", [{"name": "extra", "emptyDir": {}}]),
    **_probes("deployment.probes", f"{DEPLOYMENT}.probes"),
}
"""By the field's dotted path in the KamajiControlPlane's spec."""

REQUIRED_BESIDE = {"addons.konnectivity.server": ("addons.konnectivity.server.port",)}
"""What a block has to say with any of its fields."""

NOT_MAPPED = {
    "controlPlaneEndpoint.host": "ours to write",
    "controlPlaneEndpoint.port": "ours to write",
    # Says where the whole control plane is: test_external_cluster.
    **{
        f"deployment.externalClusterReference.{each}": "a place"
        for each in ("kubeconfigSecretName", "kubeconfigSecretKey", "kubeconfigSecretNamespace", "deploymentNamespace")
    },
    "rollout.after": "a time, which becomes an annotation of the pods once it has passed",
    # Asked for as a whole, and one without the other: test_routes.
    **{f"network.ingress.{each}": "a route" for each in ("hostname", "className", "extraLabels", "extraAnnotations")},
    **{
        f"network.gateway.{each}": "a route"
        for each in ("name", "namespace", "hostname", "sectionName", "port", "extraLabels", "extraAnnotations")
    },
}


def said() -> Iterator[str]:
    """The fields that the values set to something else than their default, as docs/fields.md spells them."""
    defaults = {each.path: each.schema.get("default") for each in documented.of("KamajiControlPlane")}
    for path, field in MAPPED.items():
        if field.value != defaults.get(f"spec.{path}"):
            yield from documented.written("KamajiControlPlane", f"spec.{path}", field.value)


def leaves(model: type[Model], prefix: str = "") -> Iterator[str]:
    """Dotted paths of the fields that are acted on. Lists, maps and foreign types are one field each."""
    for name, field in model.model_fields.items():
        if any(isinstance(each, NotYet) for each in field.metadata):
            continue
        path = prefix + (field.alias or camel(name))
        inner = _model(field.annotation)
        if inner is None:
            yield path
        else:
            yield from leaves(inner, f"{path}.")


def _model(annotation: Any) -> type[Model] | None:
    """The model that a field holds, also when it may be absent; None for anything else."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _model(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        (annotation,) = (each for each in typing.get_args(annotation) if each is not type(None))
        return _model(annotation)
    return annotation if isinstance(annotation, type) and issubclass(annotation, Model) else None


def at(document: Any, path: str) -> Any:
    """The value at a dotted path, None when it is not there."""
    for key in path.split("."):
        document = document.get(key) if isinstance(document, dict) else None
    return document


def put(document: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a dotted path."""
    *parents, last = path.split(".")
    for key in parents:
        document = document.setdefault(key, {})
    document[last] = value


def everything() -> dict[str, Any]:
    """A spec in which every field is set."""
    spec: dict[str, Any] = {}
    for path, field in MAPPED.items():
        put(spec, path, field.value)
    return spec
