"""What a TenantAutoscaler says of the containers of a control plane: bounds, and what they shall ask for now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from provider.api.autoscaler import ContainerBounds, CpuBounds, MemoryBounds, Requests, TenantAutoscaler
from provider.api.model import camel
from provider.hosting.autoscaling.decision import Range
from provider.manifest import Manifest, quantity

Amounts = Mapping[str, int]
"""By resource."""

CONTAINERS = {
    "kube-apiserver": "api_server",
    "kube-controller-manager": "controller_manager",
    "kube-scheduler": "scheduler",
}
"""By name, and as which field a TenantAutoscaler has them."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """How quantities of it are read and written, and in which steps they move."""

    read: Callable[[str], int]
    write: Callable[[int], str]
    grain: int


RESOURCES = {
    "cpu": Resource(read=quantity.milli, write=quantity.of_milli, grain=10),
    "memory": Resource(read=quantity.whole, write=quantity.of_bytes, grain=16 * 2**20),
}


def ranges(autoscaler: TenantAutoscaler, container: str, resources: Mapping[str, Any]) -> dict[str, Range]:
    """By resource, those that have bounds. `resources`: the container's own. ValueError names what is no quantity."""
    by_itself, found = asked_by_itself(resources), {}
    for name, said in _bounds(autoscaler, container):
        read = RESOURCES[name].read
        most = read(said.max)
        found[name] = Range(least=max(1, min(most, read(said.min or by_itself.get(name) or "0"))), most=most)
    return found


def targets(autoscaler: TenantAutoscaler, container: str, resources: Mapping[str, Any]) -> dict[str, int]:
    """What the container shall ask for now: what was decided last, within the bounds. ValueError as above."""
    by_itself = asked_by_itself(resources)
    last: Requests = getattr(autoscaler.status.requests, CONTAINERS[container])
    return {
        name: each.clamped(RESOURCES[name].read(getattr(last, name) or by_itself.get(name) or "0"))
        for name, each in ranges(autoscaler, container, resources).items()
    }


def asked_by_itself(resources: Mapping[str, Any]) -> dict[str, str]:
    """Requests as an API server has them: where there is none, the limit is asked for."""
    return {**(resources.get("limits") or {}), **(resources.get("requests") or {})}


def overlaid(resources: Manifest, wanted: Amounts) -> Manifest:
    """The container's own resources with these requests; a limit keeps its share above. ValueError as above."""
    by_itself = asked_by_itself(resources)
    requests, limits = dict(resources.get("requests") or {}), dict(resources.get("limits") or {})
    for name, value in wanted.items():
        resource = RESOURCES[name]
        requests[name] = resource.write(value)
        if name in limits and (before := resource.read(by_itself[name])):
            limits[name] = resource.write(max(value, -(-resource.read(limits[name]) * value // before)))
    return {**resources, "requests": requests, **({"limits": limits} if limits else {})}


def said(amounts: Mapping[str, Amounts]) -> dict[str, dict[str, str]]:
    """Requests by container, as the status has them."""
    return {
        camel(CONTAINERS[container]): {name: RESOURCES[name].write(value) for name, value in each.items()}
        for container, each in amounts.items()
        if each
    }


def path_to_most(container: str, name: str) -> str:
    """The field that says what a container may ask for at most."""
    return f"spec.{camel(CONTAINERS[container])}.{name}.max"


def _bounds(autoscaler: TenantAutoscaler, container: str) -> Iterator[tuple[str, CpuBounds | MemoryBounds]]:
    bounds: ContainerBounds = getattr(autoscaler.spec, CONTAINERS[container])
    for name in RESOURCES:
        if (each := getattr(bounds, name)) is not None:
            yield name, each
