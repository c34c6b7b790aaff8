"""Types of other API groups that users hand through us to pods and Services.

They are plain JSON here and unknown-fields-preserving objects in the CRD: expanding them would fix our users to one
Kubernetes minor's fields and make each CRD a megabyte. Where the fields are few and settled they are declared all the same.
The API server checks them when the object they end up in is applied.
"""

from __future__ import annotations

from typing import Annotated, Any

from provider.api.schema import Foreign

Object = dict[str, Any]

TEXT, FLAG, NUMBER = {"type": "string"}, {"type": "boolean"}, {"type": "integer", "format": "int64"}
NAME, PATH = {"type": "string", "maxLength": 63}, {"type": "string", "maxLength": 4096}  # bounds make rules affordable
TEXTS = {"type": "array", "items": TEXT}
QUANTITIES = {"type": "object", "additionalProperties": {"x-kubernetes-int-or-string": True}}
AMOUNT = {"x-kubernetes-int-or-string": True}


def _object(**fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields}


PROFILE = _object(type=TEXT, localhostProfile=TEXT)
RESOURCES = {
    "requests": QUANTITIES,
    "limits": QUANTITIES,
    "claims": {"type": "array", "items": _object(name=TEXT, request=TEXT)},
}
SECURITY = {
    "allowPrivilegeEscalation": FLAG,
    "appArmorProfile": PROFILE,
    "capabilities": _object(add=TEXTS, drop=TEXTS),
    "privileged": FLAG,
    "procMount": TEXT,
    "readOnlyRootFilesystem": FLAG,
    "runAsGroup": NUMBER,
    "runAsNonRoot": FLAG,
    "runAsUser": NUMBER,
    "seLinuxOptions": _object(level=TEXT, role=TEXT, type=TEXT, user=TEXT),
    "seccompProfile": PROFILE,
}
STRATEGY = {"type": TEXT, "rollingUpdate": _object(maxSurge=AMOUNT, maxUnavailable=AMOUNT)}

Affinity = Annotated[Object, Foreign("core/v1 Affinity")]
Container = Annotated[Object, Foreign("core/v1 Container", "name", known={"name": NAME})]
ContainerSecurityContext = Annotated[Object, Foreign("core/v1 SecurityContext", known=SECURITY)]
DeploymentCondition = Annotated[Object, Foreign("apps/v1 DeploymentCondition", "type", "status")]
DeploymentStrategy = Annotated[Object, Foreign("apps/v1 DeploymentStrategy", known=STRATEGY)]
LoadBalancerStatus = Annotated[Object, Foreign("core/v1 LoadBalancerStatus or networking/v1 IngressLoadBalancerStatus")]
PodSecurityContext = Annotated[Object, Foreign("core/v1 PodSecurityContext")]
ResourceRequirements = Annotated[Object, Foreign("core/v1 ResourceRequirements", known=RESOURCES)]
RouteParentStatus = Annotated[Object, Foreign("gateway.networking.k8s.io/v1 RouteParentStatus")]
Toleration = Annotated[Object, Foreign("core/v1 Toleration")]
TopologySpreadConstraint = Annotated[Object, Foreign("core/v1 TopologySpreadConstraint")]
Volume = Annotated[Object, Foreign("core/v1 Volume", "name", known={"name": NAME})]
VolumeMount = Annotated[
    Object, Foreign("core/v1 VolumeMount", "name", "mountPath", known={"name": NAME, "mountPath": PATH})
]
