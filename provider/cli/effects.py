"""What clients, workers and people would feel of a change, in sentences. Pure; called by `plan`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from provider.api import kinds
from provider.hosting.view import Key
from provider.manifest import Manifest
from provider.manifest.fieldpath import at

LONGEST = 60  # characters of a value in a sentence

ENDPOINT = (
    "networkProfile.address",
    "networkProfile.port",
    "controlPlane.service.serviceType",
    "controlPlane.ingress",
    "controlPlane.gateway",
)
"""Fields that move where the tenant is found."""


def of(
    live: Manifest | None, becomes: Manifest, before: Mapping[Key, Manifest], after: Mapping[Key, Manifest]
) -> Iterable[str]:
    """Sentences, the heaviest first. `before` and `after` are the objects that the provider would say."""
    if live is None:
        yield "a new tenant: nobody else is touched"
        return
    old, new = live["spec"], becomes["spec"]
    yield from _power(old, new)
    yield from _way(old, new)
    yield from _pods(live, before, after)
    yield from _rest(old, new)


def _power(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[str]:
    path = "controlPlane.deployment.replicas"
    was, is_ = _at(old, path), _at(new, path)
    if was and is_ == 0:
        yield "the tenant falls asleep: its API server is away until it is woken; its state and its workers' pods stay"
    elif was == 0 and is_:
        yield "the tenant wakes: its API server serves again"
    elif was != is_:
        yield f"replicas: {was} → {is_}; nobody notices"


def _way(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[str]:
    if moved := [each for each in ENDPOINT if _at(old, each) != _at(new, each)]:
        yield (
            f"the way to the tenant changes ({', '.join(moved)}): certificates and kubeconfigs follow by themselves; workers"
            " and people that use the former address have to be told"
        )
    if _at(old, "dataStore") != _at(new, "dataStore") and _at(new, "dataStore"):
        yield "the tenant's state moves to another DataStore: reads go on, writes stop for some seconds at the end"


def _pods(live: Manifest, before: Mapping[Key, Manifest], after: Mapping[Key, Manifest]) -> Iterable[str]:
    key = (kinds.DEPLOYMENT.kind, live["metadata"]["namespace"], live["metadata"]["name"])
    was, is_ = (_template(each.get(key)) for each in (before, after))
    if was and is_ and was != is_ and (after[key]["spec"].get("replicas") or 0) > 0:
        touched = ", ".join(_touched(was, is_)) or "their metadata"
        yield (
            f"the control plane's pods are replaced ({touched}): a new one serves before an old one ends; watches end"
            " and are taken up again"
        )


def _touched(was: Mapping[str, Any], is_: Mapping[str, Any]) -> Iterable[str]:
    """Containers and other fields of a pod that differ."""
    one, other = was.get("spec") or {}, is_.get("spec") or {}
    for group in ("initContainers", "containers"):
        old, new = ({each["name"]: each for each in spec.get(group) or ()} for spec in (one, other))
        yield from (name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name))
    rest = (one.keys() | other.keys()) - {"initContainers", "containers"}
    yield from (each for each in sorted(rest) if one.get(each) != other.get(each))


def _rest(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[str]:
    was, is_ = _at(old, "kubernetes.version"), _at(new, "kubernetes.version")
    if was != is_:
        yield f"Kubernetes {was} → {is_}: servers first, then add-ons; workers stay at theirs until you upgrade them"
    if _at(old, "networkProfile.certSANs") != _at(new, "networkProfile.certSANs"):
        yield "the API server's certificate is made anew by the same authority: clients notice nothing"
    for addon in sorted((old.get("addons") or {}).keys() | (new.get("addons") or {}).keys()):
        had, has = _at(old, f"addons.{addon}") is not None, _at(new, f"addons.{addon}") is not None
        if had != has:
            yield f"{addon} {'comes into' if has else 'is taken out of'} the tenant"
    if _at(old, "writePermissions") != _at(new, "writePermissions"):
        yield "what may be written in the tenant changes from one request to the next"
    if _at(old, "kubernetes.kubelet") != _at(new, "kubernetes.kubelet"):
        yield "workers that join later get another kubelet configuration; those that have joined keep theirs"


def _at(spec: Mapping[str, Any], path: str) -> Any:
    try:
        return at(spec, path)
    except KeyError:
        return None


def _template(deployment: Manifest | None) -> Mapping[str, Any]:
    found: Mapping[str, Any] = ((deployment or {}).get("spec") or {}).get("template") or {}
    return found
