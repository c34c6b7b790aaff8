"""What a field of a TenantControlPlane does, told whole: the table `effects.yaml`, and how two renderings are compared.

A row writes one field and names all that is different then, in every object and in the status. What a row does not name must
not change; so a field that is ignored, or that reaches where it should not, fails.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from provider.api import kinds
from provider.manifest import Manifest, meta
from provider.manifest.mergepatch import merged
from tests.golden import legible
from tests.golden.cases import reported
from tests.golden.world import Walked, tenant, view, walk

GONE = "(gone)"
NEW = "(new)"
PART_OF = "… "
"""Begins an expectation that is a part of what stands there, as JSON."""
BASE = {"addons": {"coreDNS": {}, "kubeProxy": {}, "konnectivity": {"server": {"port": 8132}}}}
COMPONENTS = {
    "apiServer": "kube-apiserver",
    "controllerManager": "kube-controller-manager",
    "scheduler": "kube-scheduler",
}
PROBES = ("liveness", "readiness", "startup")
NUMBERS = {
    "initialDelaySeconds": 17,
    "periodSeconds": 18,
    "timeoutSeconds": 19,
    "successThreshold": 20,  # of liveness and startup Kubernetes takes 1 alone, and says so
    "failureThreshold": 21,
}


@dataclass(frozen=True)
class Effect:
    """`write` goes to the field; `beside` is laid over the spec before and after; `shows`: object → place → value."""

    write: Any
    shows: Mapping[str, Any]
    beside: Mapping[str, Any] = field(default_factory=dict)


def rendered(spec: Manifest) -> dict[str, Any]:
    """Every object by kind and name, and the status, as a reviewer reads them."""
    raw = tenant() | {"spec": spec}
    balancer = {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}
    count = spec["controlPlane"]["deployment"]["replicas"]
    serving = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas", "updatedReplicas"), count)
    given = [
        meta.new(kinds.SERVICE, "demo", "tenants", status=balancer),
        meta.new(kinds.DEPLOYMENT, "demo", "tenants", status=serving),
    ]
    found = walk(view(raw), given)
    assert not found.declined, {name: str(verdict) for name, verdict in found.declined.items()}
    return _legible(found)


def differences(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Place → what stands there afterwards; the shortest places that tell all."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            place = f"{path}.{key}".removeprefix(".")
            if key not in after:
                yield place, GONE
            elif key not in before:
                yield place, after[key]
            else:
                yield from differences(before[key], after[key], place)
    elif before != after:
        yield path, after


def changed(row: Effect, path: str) -> dict[str, Any]:
    """All that writing the field changes: object → place → value."""
    spec = merged(merged(tenant()["spec"], BASE), row.beside)
    before, after = _before(json.dumps(spec)), rendered(laid(spec, path.removeprefix("spec."), row.write))
    found: dict[str, Any] = {name: GONE for name in before.keys() - after.keys()}
    found |= {name: NEW for name in after.keys() - before.keys()}
    for name in before.keys() & after.keys():
        if said := dict(differences(before[name], after[name])):
            found[name] = said
    return found


def laid(spec: Manifest, path: str, value: Any) -> Manifest:
    """A copy with the value at a dotted path; `[]` after a name means each element of that list."""
    spec = copy.deepcopy(spec)
    first, _, rest = path.partition(".")
    if first.endswith("[]"):
        name = first.removesuffix("[]")
        spec[name] = [laid(each, rest, value) for each in spec[name]]
    else:
        spec[first] = laid(spec.get(first) or {}, rest, value) if rest else value
    return spec


def meets(said: Any, expected: Any) -> bool:
    """Whether what is said is what a row expects."""
    if isinstance(said, dict) and isinstance(expected, dict):
        return said.keys() == expected.keys() and all(meets(said[key], expected[key]) for key in said)
    if isinstance(expected, str) and expected.startswith(PART_OF):
        return expected.removeprefix(PART_OF) in json.dumps(said)
    return bool(said == expected) or (expected == NEW and isinstance(said, dict))


@cache
def _before(spec: str) -> dict[str, Any]:
    return rendered(json.loads(spec))


def _legible(walked: Walked) -> dict[str, Any]:
    legend = legible.legend(each for said in walked.said.values() for each in said)
    found = {
        f"{each['kind']} {each['metadata']['name']}": _keyed(_with_pod(shown))
        for said in walked.said.values()
        for each, shown in zip(said, legend.shown(said), strict=True)
    }
    return found | {"status": _keyed(legend.named(reported(walked)))}


def _with_pod(manifest: Manifest) -> Manifest:
    """A pod's template under `pod`, for most places are in one."""
    spec = manifest.get("spec") or {}
    if "template" not in spec:
        return manifest
    template, rest = spec["template"], {key: each for key, each in spec.items() if key != "template"}
    return {**manifest, "spec": rest, "pod": {"metadata": template["metadata"], **template["spec"]}}


def _keyed(value: Any, key: str = "") -> Any:
    """Lists whose elements have names become objects, and so do command lines, so that a place is told by its name."""
    match value:
        case dict():
            return {name: _keyed(each, name) for name, each in value.items()}
        case list() if key == "args":
            return _flags(value)
        case list():
            for word in ("name", "type"):
                named = {each.get(word): _keyed(each) for each in value if isinstance(each, dict)}
                if value and len(named) == len(value) and None not in named:
                    return named
            return [_keyed(each) for each in value]
    return value


def _flags(arguments: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in arguments:
        flag, _, value = each.partition("=")
        found[flag] = f"{found[flag]} and {value}" if flag in found else value
    return found


def _probes() -> Iterator[tuple[str, Effect]]:
    """Sixty fields that are the same five numbers: for all components, and for each."""
    where = "spec.controlPlane.deployment.probes"
    for prefix, containers in {"": [*COMPONENTS.values()], **{f".{a}": [b] for a, b in COMPONENTS.items()}}.items():
        for probe in PROBES:
            for number, value in NUMBERS.items():
                places = {f"pod.containers.{each}.{probe}Probe.{number}": value for each in containers}
                yield f"{where}{prefix}.{probe}.{number}", Effect(value, {"Deployment demo": places})


@cache
def table() -> dict[str, Effect]:
    """Rows by the path of their field."""
    written = yaml.safe_load((Path(__file__).parent / "effects.yaml").read_text())
    rows = {path: Effect(**row) for path, row in written.items()}
    return rows | dict(_probes())
