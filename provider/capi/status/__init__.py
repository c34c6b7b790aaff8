"""Status of a KamajiControlPlane: contracts v1beta2 and v1beta1 in full, from what the hosted control plane says. Pure.

Called by `reconcile` at the end of every pass. Numbers are always written, also 0: core keeps what is left out.
"""

from __future__ import annotations

from typing import Any

from provider.api.verdict import Verdict
from provider.capi.desired import secrets
from provider.capi.status import conditions, versions
from provider.capi.status.conditions import Problems
from provider.capi.view import View
from provider.manifest import mergepatch
from provider.manifest.condition import Condition, merged

COUNTS = {
    "replicas": "replicas",
    "readyReplicas": "readyReplicas",
    "availableReplicas": "availableReplicas",
    "upToDateReplicas": "updatedReplicas",
    "updatedReplicas": "updatedReplicas",
}
"""Field of the contracts → field of the Deployment's status."""


def of(view: View, problems: Problems, *, deleting: str = "") -> dict[str, Any]:
    """The whole wanted `.status`, laid over the one that stands. `deleting` says what a deletion waits for."""
    usable = view.serves and view.endpoint is not None and view.endpoint == view.told
    initialized = view.initialized or (usable and secrets.fault(view) is None)
    status: dict[str, Any] = {
        "externalManagedControlPlane": True,
        "ready": view.serves,
        "observedGeneration": view.kcp.metadata.generation,
        **{ours: int(view.deployment.get(theirs) or 0) for ours, theirs in COUNTS.items()},
    }
    status["unavailableReplicas"] = max(view.kcp.spec.replicas - status["readyReplicas"], 0)
    status["initialized"] = initialized
    if initialized:
        status["initialization"] = {"controlPlaneInitialized": True}
    if selector := view.deployment.get("selector"):
        status["selector"] = selector
    if running := versions.running(view):
        status |= {"version": running[0]["version"], "versions": running}
    wanted = conditions.of(view, problems, initialized=initialized, deleting=deleting)
    return _laid(view, status, wanted)


def paused(view: View) -> dict[str, Any]:
    """While paused only the Paused condition moves."""
    return _alone(view, Condition(type="Paused", status="True", reason="Paused", message=view.paused))


def unreferred(view: View) -> dict[str, Any]:
    """The Cluster names another control plane, or none: this one is left as it is, and says so."""
    named = view.cluster.spec.control_plane_ref
    there = f"names {named.kind} {named.name} as its control plane" if named else "names no control plane"
    message = (
        f"Cluster {view.namespace}/{view.cluster_name} {there}, so nothing is done for this one: delete it,"
        " or name it in the Cluster's spec.controlPlaneRef"
    )
    return _alone(
        view, Condition(type="Available", status="False", reason="NotTheControlPlaneOfItsCluster", message=message)
    )


def cut_off(view: View, error: Verdict, *, deleting: str = "") -> dict[str, Any]:
    """The other management cluster that hosts the control plane cannot be asked: nothing that was seen of it is unsaid."""
    return _laid(view, {}, conditions.cut_off(view, error, deleting=deleting))


def _alone(view: View, condition: Condition) -> dict[str, Any]:
    """One condition among the others, which stay."""
    return _laid(view, {}, [condition])


def _laid(view: View, status: dict[str, Any], wanted: list[Condition]) -> dict[str, Any]:
    before = view.status.get("conditions") or []
    said = {each.type for each in wanted}
    kept = [each for each in before if each["type"] not in said]
    timed = merged(wanted, before, view.kcp.metadata.generation, view.now)
    return mergepatch.merged(view.status, status, {"conditions": _in_order(before, [*kept, *timed])})


def _in_order(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """In the order that stands, new ones last: an order that changes would be a write."""
    places = {each["type"]: place for place, each in enumerate(before)}
    return sorted(now, key=lambda each: places.get(each["type"], len(places)))
