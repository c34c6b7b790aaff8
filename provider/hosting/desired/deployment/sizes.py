"""What the containers ask for: as the user says, ours where he says nothing, and what a TenantAutoscaler has decided.

Pods that run are resized as they are where they can be (`reconcile.autoscaling`), so that nothing restarts. The template
follows when pods are made anew anyway, and at once where they cannot be resized.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider.api.tenantcontrolplane import TenantControlPlane
from provider.api.verdict import Invalid
from provider.hosting.autoscaling import requests
from provider.hosting.autoscaling.requests import CONTAINERS, RESOURCES
from provider.hosting.view import View
from provider.manifest import Manifest
from provider.manifest.compare import contained, without_nulls

# What idle ones use, so that twenty fit on two cores and none starves the others.
REQUESTS = {
    "kube-apiserver": {"cpu": "35m", "memory": "160Mi"},
    "kube-controller-manager": {"cpu": "10m", "memory": "40Mi"},
    "kube-scheduler": {"cpu": "5m", "memory": "20Mi"},
}


def by_itself(tcp: TenantControlPlane, container: str) -> Manifest:
    """The resources of a container where there is no autoscaler."""
    written: Manifest | None = getattr(tcp.deployment.resources, CONTAINERS[container])
    return {"requests": REQUESTS[container]} if written is None else written


def wanted(view: View, container: str) -> Manifest:
    """The resources of a container. Invalid: what the user wrote is no quantity."""
    own = by_itself(view.tcp, container)
    if view.autoscaler is None:
        return own
    try:
        return requests.overlaid(own, requests.targets(view.autoscaler, container, own))
    except ValueError as error:
        message = f"spec.controlPlane.deployment.resources: what {container} asks for: {error}"
        raise Invalid("ResourcesInvalid", message) from None


def may_grow(view: View, container: str, resource: str) -> bool:
    """Whether an autoscaler has bounds for it."""
    if view.autoscaler is None or container not in CONTAINERS:
        return False
    return resource in requests.ranges(view.autoscaler, container, {})


def settled(view: View, template: Manifest) -> Manifest:
    """The template; while pods can be resized and nothing else would roll them, with the requests of the one that stands."""
    if view.autoscaler is None or not view.resizable or view.deployment is None:
        return template
    live = without_nulls(view.deployment["spec"]["template"])
    standing = {each["name"]: each.get("resources") or {} for each in live["spec"]["containers"]}
    containers = [
        {**each, "resources": _standing(view, each, standing.get(each["name"], {}))}
        if each["name"] in CONTAINERS
        else each
        for each in template["spec"]["containers"]
    ]
    kept = {**template, "spec": {**template["spec"], "containers": containers}}
    return kept if contained(kept, live) else template


def _standing(view: View, container: Manifest, live: Manifest) -> dict[str, Any]:
    """The container's resources with those numbers of the live one that an autoscaler decides, or that say the same."""
    assert view.autoscaler is not None
    decided = requests.ranges(view.autoscaler, container["name"], by_itself(view.tcp, container["name"]))

    def numbers(said: Mapping[str, str], stand: Mapping[str, str]) -> dict[str, str]:
        return {
            name: stand[name] if name in stand and (name in decided or _equal(name, value, stand[name])) else value
            for name, value in said.items()
        }

    return {
        group: numbers(said, live.get(group) or {}) if group in ("requests", "limits") else said
        for group, said in container["resources"].items()
    }


def _equal(name: str, one: str, other: str) -> bool:
    try:
        return name in RESOURCES and RESOURCES[name].read(one) == RESOURCES[name].read(other)
    except ValueError:
        return False
