"""`kamaji tree`: every object that a tenant consists of, here and inside it, with its health. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from provider.api import names
from provider.manifest import Manifest, meta, podstatus
from provider.overview.certificates import certificates

OK, WAITING, BAD = "ok", "waiting", "bad"


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """An object, and in few words how it does."""

    kind: str
    name: str
    health: str
    words: str = ""

    def said(self) -> dict[str, str]:
        """As plain data."""
        return {"kind": self.kind, "name": self.name, "health": self.health, "words": self.words}


@dataclass(frozen=True, kw_only=True)
class Branch:
    """Objects of one place."""

    title: str
    leaves: tuple[Leaf, ...] = field(default=())

    def said(self) -> dict[str, Any]:
        """As plain data."""
        return {"title": self.title, "objects": [each.said() for each in self.leaves]}


def branches(found: Iterable[Manifest], now: datetime) -> list[Branch]:
    """By part of the tenant, as the provider has labelled them; what carries no part goes by its kind."""
    groups: dict[str, list[Leaf]] = {}
    for each in sorted(found, key=lambda each: (each["kind"], each["metadata"]["name"])):
        groups.setdefault(_title(each), []).append(leaf(each, now))
    return [Branch(title=title, leaves=tuple(leaves)) for title, leaves in sorted(groups.items())]


def leaf(found: Manifest, now: datetime) -> Leaf:
    """One object's health."""
    judge = JUDGES.get(found["kind"])
    health, words = judge(found, now) if judge else (OK, "")
    if found["metadata"].get("deletionTimestamp"):
        health, words = WAITING, "is being deleted"
    metadata = found["metadata"]
    inside = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return Leaf(kind=found["kind"], name=f"{inside}{metadata['name']}", health=health, words=words)


def _title(found: Manifest) -> str:
    labels = meta.labels_of(found)
    return labels.get(names.LABEL_PART) or (
        "pods" if found["kind"] == "Pod" else labels.get(names.LABEL_COMPONENT) or "other"
    )


def _deployment(found: Manifest, now: datetime) -> tuple[str, str]:
    status, wanted = found.get("status") or {}, found["spec"].get("replicas", 1)
    words = f"{status.get('readyReplicas', 0)} of {wanted} ready"
    if podstatus.rolled_out(found):
        return OK, words
    return WAITING if status.get(
        "readyReplicas"
    ) or not wanted else BAD, f"{words}, {status.get('updatedReplicas', 0)} up to date"


def _daemon_set(found: Manifest, now: datetime) -> tuple[str, str]:
    status = found.get("status") or {}
    ready, wanted = status.get("numberReady", 0), status.get("desiredNumberScheduled", 0)
    return OK if ready == wanted else WAITING, f"{ready} of {wanted} ready"


def _pod(found: Manifest, now: datetime) -> tuple[str, str]:
    if podstatus.is_ready(found):
        return OK, "ready"
    if hindered := podstatus.hindrance([found]):
        return BAD, f"{hindered[0]}: {hindered[1]}"
    return WAITING, str((found.get("status") or {}).get("phase") or "Pending").lower()


def _service(found: Manifest, now: datetime) -> tuple[str, str]:
    kind, spec = found["spec"].get("type"), found["spec"]
    ports = ", ".join(str(each.get("nodePort") or each["port"]) for each in spec.get("ports") or ())
    if kind != "LoadBalancer":
        return OK, f"{kind} {spec.get('clusterIP')} {ports}"
    handed = ((found.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    addresses = ", ".join(str(each.get("ip") or each.get("hostname")) for each in handed)
    return (OK, f"LoadBalancer {addresses} {ports}") if addresses else (WAITING, "LoadBalancer without an address")


def _secret(found: Manifest, now: datetime) -> tuple[str, str]:
    dated = certificates(found)
    if not dated:
        return OK, ""
    first = min(dated, key=lambda each: each.expires)
    days = (first.expires - now).days
    if first.expires <= now:
        return BAD, f"{first.key} has expired"
    return (OK if now < first.renewal else WAITING), f"certificate good for {days} days"


Judge = Callable[[Manifest, datetime], tuple[str, str]]
JUDGES: Mapping[str, Judge] = {
    "Deployment": _deployment,
    "DaemonSet": _daemon_set,
    "Pod": _pod,
    "Service": _service,
    "Secret": _secret,
}
