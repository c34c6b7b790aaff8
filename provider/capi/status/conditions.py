"""Conditions of a KamajiControlPlane. Pure.

Core mirrors Available and shows RollingOut, ScalingUp and ScalingDown, which are better False; so are Deleting and Paused.
Each step of a pass has its condition, so that one that fails does not hide what the others found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from provider.api.verdict import NotReady, Verdict
from provider.capi import infra
from provider.capi.desired import secrets
from provider.capi.view import View
from provider.manifest.condition import Condition, Truth, find

Problems = Mapping[str, Exception]
"""What went wrong in a pass, by the condition of the step: a Verdict, or an outage or bug."""

EXTERNAL = "FoundExternalReferenceClient"  # these five are called as upstream's provider calls them
TENANT = "TenantControlPlaneCreated"
ENDPOINT = "ControlPlaneEndpointPatched"
INFRASTRUCTURE = infra.CONDITION
CERTIFICATES = "CertificatesAvailable"


def of(view: View, problems: Problems, *, initialized: bool, deleting: str) -> list[Condition]:
    """All of them, always in this order."""
    return [
        _available(view, problems),
        _initialized(view, initialized),
        *([_true(EXTERNAL, "Succeeded")] if view.place.elsewhere else []),
        _step(TENANT, problems, lambda: _true(TENANT, "Succeeded")),
        _step(CERTIFICATES, problems, lambda: _certificates(view)),
        _step(ENDPOINT, problems, lambda: _endpoint(view)),
        _step(INFRASTRUCTURE, problems, lambda: infra.condition(view)),
        *_movements(view),
        ending(deleting),
        _better_false("Paused", "", "Paused", "NotPaused"),
    ]


def cut_off(view: View, error: Verdict, *, deleting: str) -> list[Condition]:
    """While the other management cluster cannot be asked: what is known of it stays as it was last seen."""
    truth: Truth = "Unknown" if view.initialized else "False"
    return [
        Condition(type="Available", status=truth, reason=error.reason, message=error.message),
        _of_problem(EXTERNAL, error),
        *([ending(deleting)] if deleting else []),
    ]


def ending(waits: str) -> Condition:
    """What a deletion waits for; empty when there is none."""
    return _better_false("Deleting", waits, "WaitingForTenantControlPlane", "NotDeleting")


def _available(view: View, problems: Problems) -> Condition:
    """True while the API server answers; else the first thing that stands in the way, and what to do."""
    if view.serves:
        return _true("Available", "Available")
    hosted: Mapping[str, Any] = find(view.hosted.get("conditions"), "Ready") or {}
    if hosted.get("status") == "False":
        return _false("Available", str(hosted.get("reason") or "NotAvailable"), str(hosted.get("message") or ""))
    for error in problems.values():
        if not isinstance(error, NotReady):  # of what is waited for, the API server comes first
            return _of_problem("Available", error)
    where = view.place
    if word := view.installed.get("status"):
        return _false("Available", "NotAvailable", f"{where} says {word}: see its events and pods")
    return _false("Available", "NotAvailable", f"waiting for {where} to say that its API server answers")


def _initialized(view: View, initialized: bool) -> Condition:
    if initialized:
        return _true("Initialized", "Initialized")
    fault = secrets.fault(view)
    lacking = [
        *([] if view.serves else ["an API server that answers"]),
        *([] if view.endpoint and view.endpoint == view.told else ["its endpoint"]),
        *([] if fault is None else ["the Cluster's kubeconfig and CA"]),
    ]
    return _false("Initialized", "NotInitialized", f"waiting for {', '.join(lacking)}")


def _certificates(view: View) -> Condition:
    fault = secrets.fault(view) or secrets.concern(view)
    return _true(CERTIFICATES, "Available") if fault is None else _of_problem(CERTIFICATES, fault)


def _endpoint(view: View) -> Condition:
    """Whether the Cluster, which workers and tools go by, names the endpoint that the control plane has."""
    if view.agreed and view.endpoint and view.agreed != view.endpoint:
        message = (
            f"the Cluster says the endpoint is {view.agreed[0]} port {view.agreed[1]}, which Cluster API never changes; the"
            f" control plane is at {view.endpoint[0]} port {view.endpoint[1]}: make the first lead to the second"
        )
        return _false(ENDPOINT, "EndpointMismatch", message)
    return _true(ENDPOINT, "Succeeded")


def _movements(view: View) -> list[Condition]:
    wanted = view.kcp.spec.replicas
    there, updated = (int(view.deployment.get(key) or 0) for key in ("replicas", "updatedReplicas"))
    rolling = view.installed.get("status") == "Upgrading" or updated < there
    rolled = f"{updated} of {there} pods are as the spec wants them" if rolling else ""
    # The hosting room knows more of an upgrade: what it waits for, or why it was given up.
    upgraded: Mapping[str, Any] = find(view.hosted.get("conditions"), "Upgraded") or {}
    stuck = upgraded if upgraded.get("status") == "False" else {}
    reason, rolled = str(stuck.get("reason") or "RollingOut"), str(stuck.get("message") or rolled)
    up = f"{there} of {wanted} pods are there" if there < wanted else ""
    # A roll-out has more pods than wanted for a while; that is no scaling down.
    down = f"{there} pods are there, {wanted} are wanted" if there > wanted and not rolling else ""
    return [
        _better_false("RollingOut", rolled, reason, "NotRollingOut"),
        _better_false("ScalingUp", up, "ScalingUp", "NotScalingUp"),
        _better_false("ScalingDown", down, "ScalingDown", "NotScalingDown"),
    ]


def _step(kind: str, problems: Problems, otherwise: Callable[[], Condition]) -> Condition:
    return _of_problem(kind, problems[kind]) if kind in problems else otherwise()


def _of_problem(kind: str, error: Exception) -> Condition:
    if isinstance(error, Verdict):
        return _false(kind, error.reason, error.message)
    message = f"the last pass failed with {type(error).__name__}; it is tried again, see the log"
    return Condition(type=kind, status="Unknown", reason="ReconcileFailed", message=message)


def _better_false(kind: str, message: str, reason: str, otherwise: str) -> Condition:
    """True with a message of what is going on; False when there is none."""
    status: Truth = "True" if message else "False"
    return Condition(type=kind, status=status, reason=reason if message else otherwise, message=message)


def _true(kind: str, reason: str) -> Condition:
    return Condition(type=kind, status="True", reason=reason)


def _false(kind: str, reason: str, message: str) -> Condition:
    return Condition(type=kind, status="False", reason=reason, message=message)
