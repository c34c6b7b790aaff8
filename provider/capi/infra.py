"""The infrastructure table: what an infrastructure object has to be told about the endpoint. Pure; the table is data.

A kind that is not in the table is met at the contract's own path, where the user has given the right to. RBAC and docs are
made from the table (`config/infrastructure.py`).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from typing import Any, Literal

from provider.api import names
from provider.api.verdict import Invalid
from provider.capi.view import Endpoint, Infrastructure, View
from provider.manifest import Manifest, meta
from provider.manifest.condition import Condition

CONDITION = "InfrastructureClusterPatched"  # upstream's name


@dataclass(frozen=True, kw_only=True)
class Row:
    """One kind. `host` and `port` are dotted paths of its endpoint; `ready`: marked as provisioned whoever manages it."""

    group: str
    plural: str
    mode: Literal["check", "patch"]
    host: str = "spec.controlPlaneEndpoint.host"
    port: str = "spec.controlPlaneEndpoint.port"
    ready: bool = False
    known: bool = True  # it is in the table


@cache
def table() -> dict[str, Row]:
    """Rows by kind."""
    text = (resources.files("provider.capi") / "infraclusters.toml").read_text()
    said = {each.name for each in fields(Row)}
    return {
        kind: Row(**{key: value for key, value in row.items() if key in said})
        for kind, row in tomllib.loads(text).items()
    }


def row_of(view: View) -> Row | None:
    """The row of the Cluster's infrastructure kind, by contract when it is not in the table; None when it has none."""
    reference = view.cluster.spec.infrastructure_ref
    if reference is None:
        return None
    row = table().get(reference.kind)
    if row and row.group == reference.api_group:
        return row
    return Row(group=reference.api_group, plural="", mode="patch", known=False)


def endpoint(row: Row, manifest: Manifest | None) -> Endpoint | None:
    """The endpoint that an infrastructure object says; None when host or port is missing."""
    host, port = (_at(manifest or {}, path) for path in (row.host, row.port))
    return (str(host), port) if host and isinstance(port, int) and port else None


def patch(view: View) -> dict[str, Any] | None:
    """What to merge into the infrastructure object; None when nothing."""
    row, seen = row_of(view), view.infrastructure.object
    if row is None or seen is None or view.endpoint is None or not (row.mode == "patch" or _is_ours(seen)):
        return None
    if _at(seen, row.host):
        return None
    said: dict[str, Any] = {}
    for path, value in zip((row.host, row.port), view.endpoint, strict=True):
        _set(said, path, value)
    return said


def taken(view: View, manifest: Manifest) -> Infrastructure:
    """What is seen after the patch. Invalid when the object did not keep it: its kind has no such field."""
    row, reference = row_of(view), view.cluster.spec.infrastructure_ref
    assert row is not None
    assert reference is not None
    if not _at(manifest, row.host):
        raise Invalid(
            "EndpointNotTaken",
            f"{reference.kind} {view.namespace}/{reference.name} has no {row.host}: tell it the endpoint by hand, or have it"
            " take the Cluster's",
        )
    return Infrastructure(object=manifest, endpoint=endpoint(row, manifest))


def mark(view: View) -> dict[str, Any] | None:
    """What to merge into the status of an object that has the endpoint and that nobody else marks; None when nothing.

    In the words of both contracts: a kind knows one of them, or both, and its API server drops the other.
    """
    row, seen = row_of(view), view.infrastructure.object
    if row is None or seen is None or not (row.ready or _is_ours(seen)):
        return None
    done = _at(seen, "status.ready") or _at(seen, "status.initialization.provisioned")
    if done or view.endpoint is None or view.infrastructure.endpoint != view.endpoint:
        return None
    return {"ready": True, "initialization": {"provisioned": True}}


def condition(view: View) -> Condition:
    """What the table says of the Cluster's infrastructure, and what to do."""
    reference = view.cluster.spec.infrastructure_ref
    if reference is None:
        return _condition("True", "NoInfrastructure", "the Cluster has no infrastructureRef")
    row, found = row_of(view), view.infrastructure
    if row is not None and not row.known and found.object is None:
        return _by_contract(view, reference.kind)
    named = f"{reference.kind} {view.namespace}/{reference.name}"
    if found.unreadable:
        return _condition("False", "Unreadable", f"{named} cannot be read: {found.unreadable}")
    if found.object is None:
        return _condition("False", "NotFound", f"{named} does not exist yet: create it")
    there = found.endpoint
    if view.endpoint and there and there != view.endpoint:
        message = (
            f"{named} says the endpoint is {there[0]} port {there[1]}, the control plane is at {view.endpoint[0]} port"
            f" {view.endpoint[1]}: make them equal (network.serviceAddress, clusterNetwork.apiServerPort)"
        )
        return _condition("False", "EndpointMismatch", message)
    return _condition("True", "Succeeded", "")


def _by_contract(view: View, kind: str) -> Condition:
    """A kind that is not in the table and that we may not read takes the endpoint from the Cluster, as the contract says."""
    if view.cluster.status.initialization.infrastructure_provisioned:
        return _condition("True", "ByContract", f"{kind} is not in the infrastructure table, and needs not be")
    message = (
        f"{kind} is not in the infrastructure table, so nothing of it is read or written: that is right when it takes the"
        " endpoint from the Cluster, as the contract says. If it has to be told, give the provider's ServiceAccount the"
        " right to get and patch it, or set its endpoint to the Cluster's by hand"
    )
    return _condition("False", "KindNotInTable", message)


def _is_ours(manifest: Manifest) -> bool:
    """Whether its own provider leaves it alone for us (the contract's managed-by): then it is ours to fill and to mark."""
    return meta.annotations_of(manifest).get(names.ANNOTATION_MANAGED_BY) == names.MANAGED_BY_US


def _condition(status: Literal["True", "False"], reason: str, message: str) -> Condition:
    return Condition(type=CONDITION, status=status, reason=reason, message=message)


def _at(document: dict[str, Any], path: str) -> Any:
    found: Any = document
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _set(document: dict[str, Any], path: str, value: object) -> None:
    *parents, last = path.split(".")
    for key in parents:
        document = document.setdefault(key, {})
    document[last] = value
