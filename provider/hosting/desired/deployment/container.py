"""What the three containers have in common: image, resources, probes, a lean Go runtime and a restricted security context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from provider.api import names
from provider.api.deployment import ProbeSet
from provider.api.verdict import Invalid
from provider.hosting import versions
from provider.hosting.desired.deployment import probes, sizes
from provider.hosting.view import View
from provider.manifest import Manifest, meta, pod, quantity

# How far a heap grows above what lives in it, in percent. What an API server does not keep it pays with CPU, above all at its
# start (decision 0042).
GOGC = "25"
GOS_OWN = "100"
# Of a memory limit, Go's collector gets this much before it works harder; the rest is for stacks and what is not heap.
MEMORY_SHARE = 0.9
RESTRICTED = pod.RESTRICTED


@dataclass(frozen=True, kw_only=True)
class Component:
    """What differs: its name, command line and mounts, where it is probed, and what the user wrote about it."""

    name: str
    args: list[str]
    mounts: list[Manifest]
    paths: dict[str, str]
    port: int
    security: Manifest | None
    probe_set: ProbeSet | None
    default_security: Manifest


def of(view: View, component: Component) -> Manifest:
    """The container."""
    resources = sizes.wanted(view, component.name)
    return {
        "name": component.name,
        "image": versions.image(view, component.name),
        "imagePullPolicy": "IfNotPresent",
        "command": [component.name],
        # A start that fails says why in the pod's status, as where a flag is refused.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "args": component.args,
        "env": pod.environment(go_runtime(view, component.name, resources)),
        "resources": resources,
        "securityContext": component.default_security if component.security is None else component.security,
        "volumeMounts": component.mounts,
        **probes.of(view.tcp.deployment.probes, component.probe_set, component.paths, component.port),
    }


def go_runtime(view: View, name: str, resources: Manifest) -> dict[str, str]:
    """GOGC of the lean profile (annotation gogc overrides it), and GOMEMLIMIT where memory is limited.

    What may grow in memory spares itself the work: it has Go's own.
    """
    lean = GOS_OWN if sizes.may_grow(view, name, "memory") else GOGC
    values = {"GOGC": meta.annotations_of(view.raw).get(names.ANNOTATION_GOGC, lean)}
    limit: Any = (resources.get("limits") or {}).get("memory")
    if limit is not None:
        try:
            values["GOMEMLIMIT"] = str(int(quantity.whole(limit) * MEMORY_SHARE))
        except ValueError as error:
            raise Invalid(
                "ResourcesInvalid", f"spec.controlPlane.deployment.resources: memory limit of {name}: {error}"
            ) from None
    return values
