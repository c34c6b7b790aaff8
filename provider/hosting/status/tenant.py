"""Status of a TenantControlPlane: upstream's blocks from the parts' reports, its word for the phase, and our conditions.

Messages hold no clock, no random name and no count that moves by itself, so an unchanged world writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from provider.api import names
from provider.api.verdict import Verdict
from provider.hosting import versions
from provider.hosting.catalog import Step
from provider.hosting.status import (
    encryption,
    expiry,
    exposure,
    gitops,
    isolation,
    konnectivity,
    migration,
    phase,
    quota,
    relevance,
    rollouts,
    rotation,
    setup,
)
from provider.hosting.view import View
from provider.manifest import mergepatch, meta, podstatus
from provider.manifest.condition import Condition, merged

ORDER = ("Accepted", "EndpointReady", "CertificatesReady", "StorageReady", "PodsReady", "Joinable", exposure.TYPE)
"""Conditions that Ready sums up, in the order in which a control plane is born: the first that is not True is the reason."""

PAUSED = Condition(
    type="Paused",
    status="True",
    reason="Paused",
    message=f"annotation {names.ANNOTATION_PAUSED} is set: nothing is changed until it is removed, but for a deletion",
)
"""There while the tenant is paused and not otherwise."""

KEPT = (
    "the pods run as upstream Kamaji made them; with the next change that rolls them (such as an annotation in"
    " spec.controlPlane.deployment.podAdditionalMetadata) they get NodeRestriction, restricted security"
    " contexts and our probes"
)

RESTORING = (
    "a TenantRestore writes its keys; its pods come back when that is done. Where it was deleted or has failed, what is in the"
    " store is not whole: restore in place once more"
)

Problems = Mapping[str, Exception]


def of(view: View, steps: Sequence[Step], declined: Mapping[str, Verdict], failed: Problems) -> dict[str, Any]:
    """The whole wanted `.status`, laid over the one that stands."""
    reports = [step.part.report(view) for step in steps]
    conditions = [each for each in _conditions(view, steps, declined, failed) if relevance.told(view, each)]
    version = phase.worded(view, _version(view, conditions))
    conditions += [
        *_upgraded(view, version),
        *filter(None, [migration.condition(view)]),
        *rotation.conditions(view),
        *expiry.of_tenant(view),
        *rollouts.conditions(view),
        *isolation.conditions(view, declined),
        *quota.conditions(view),
        *_placed(view),
    ]
    rolling = view.deployment is not None and not podstatus.rolled_out(view.deployment)
    conditions += gitops.conditions(steps, declined, conditions, rolling=rolling, move=migration.worth(view))
    status = mergepatch.merged(view.status, *reports)
    status["conditions"] = merged(conditions, view.status.get("conditions"), view.tcp.metadata.generation, view.now)
    status["kubernetesResources"] = {**(status.get("kubernetesResources") or {}), "version": version}
    if storage := status.get("storage"):
        status["storage"] = setup.dated(view, storage)
    status["observedGeneration"] = view.tcp.metadata.generation
    return status


def not_read(verdict: Verdict) -> Condition:
    """Of an object that another operator's CRD let in and that cannot be read here. What runs is left as it is."""
    return Condition(type="Ready", status="False", reason=verdict.reason, message=verdict.message)


def _conditions(
    view: View, steps: Sequence[Step], declined: Mapping[str, Verdict], failed: Problems
) -> list[Condition]:
    by_type: dict[str, list[Step]] = {}
    for step in steps:
        by_type.setdefault(step.condition, []).append(step)
    found = [_condition(kind, group, declined, failed) for kind, group in by_type.items()]
    seen = [_seen(view, each) for each in found]
    said = [each for each in seen if each is not None]
    return [*said, _ready(view, said)]


def _seen(view: View, applied: Condition) -> Condition | None:
    """What is said of some parts looks at what became of them, not only at whether they were applied."""
    match applied.type:
        case "PodsReady":
            return _pods_ready(view, applied)
        case konnectivity.CONDITION:
            return konnectivity.condition(view, applied)
        case exposure.TYPE:
            return exposure.judged(view, applied)
        case encryption.TYPE:
            return encryption.condition(view, applied)
        case _:
            return applied


def _condition(kind: str, steps: Iterable[Step], declined: Mapping[str, Verdict], failed: Problems) -> Condition:
    for step in steps:
        if step.name in failed:
            message = f"part {step.name} failed with {type(failed[step.name]).__name__}; it is tried again, see the log"
            return Condition(type=kind, status="Unknown", reason="ReconcileFailed", message=message)
    verdicts = [declined[step.name] for step in steps if step.name in declined]
    if verdicts:
        # What itself declined says more than what only waits for it.
        verdict = next((each for each in verdicts if each.reason != "WaitingForPart"), verdicts[0])
        return Condition(type=kind, status="False", reason=verdict.reason, message=verdict.message)
    return Condition(type=kind, status="True", reason=kind)


def _pods_ready(view: View, applied: Condition) -> Condition:
    """PodsReady looks at the pods, not only at whether the Deployment was applied."""
    deployment = view.deployment
    if applied.status != "True" or deployment is None:
        return applied
    wanted = deployment["spec"].get("replicas", 0)
    status = deployment.get("status") or {}
    if wanted == 0 and view.restoring:
        return Condition(type="PodsReady", status="False", reason="Restoring", message=RESTORING)
    if wanted == 0:
        return Condition(
            type="PodsReady", status="False", reason="Sleeping", message="replicas is 0; scale up to wake it"
        )
    if status.get("readyReplicas", 0) == 0:
        reason, message = podstatus.hindrance(view.pods) or ("PodsStarting", "waiting for the first pod to be ready")
        return Condition(type="PodsReady", status="False", reason=reason, message=message)
    return replace(applied, message=KEPT) if view.kept else applied


def _ready(view: View, conditions: Sequence[Condition]) -> Condition:
    by_type = {each.type: each for each in conditions}
    for kind in ORDER:
        each = by_type.get(kind)
        if each is not None and each.status != "True" and each.reason != exposure.NOT_JUDGED:
            return Condition(type="Ready", status="False", reason=each.reason, message=each.message)
    return Condition(type="Ready", status="True", reason="Ready", message="the kubeconfig works and workers can join")


def _version(view: View, conditions: Sequence[Condition]) -> dict[str, Any]:
    """Upstream's phase word and the installed version, which moves only when every pod serves another and all is ready."""
    before = (view.status.get("kubernetesResources") or {}).get("version") or {}
    known = {"version": before["version"]} if before.get("version") else {}
    if (deployment := view.deployment) is None:
        return {**known, "status": "Provisioning"}
    status, replicas = deployment.get("status") or {}, deployment["spec"].get("replicas", 0)
    if replicas == 0:
        return {**known, "status": "Sleeping"}
    ready = any(each.type == "Ready" and each.status == "True" for each in conditions)
    if podstatus.rolled_out(deployment) and ready and versions.served(view) == view.version:
        asked = view.tcp.spec.kubernetes.version  # told as the user writes it, with or without v
        return {"version": asked if view.version == f"v{asked.removeprefix('v')}" else view.version, "status": "Ready"}
    if not known:
        return {"status": "Provisioning"}
    if not status.get("readyReplicas"):
        return {**known, "status": "NotReady"}
    return {**known, "status": "Ready" if versions.installed(view) == view.version else "Upgrading"}


def _placed(view: View) -> list[Condition]:
    """Why the tenant is in its store, of one that a pool has put there."""
    why = meta.annotations_of(view.raw).get(names.ANNOTATION_PLACED)
    if not why or not (view.status.get("storage") or {}).get("dataStoreName"):
        return []
    return [Condition(type="Placed", status="True", reason="Placed", message=why)]


def _upgraded(view: View, version: Mapping[str, Any]) -> list[Condition]:
    """Whether the pods run what the spec asks for; nothing before any version served."""
    installed, rollout = version.get("version"), view.rollout
    if rollout is not None and installed != view.tcp.spec.kubernetes.version:
        return [Condition(type="Upgraded", status="False", reason=rollout.reason, message=rollout.message)]
    return [Condition(type="Upgraded", status="True", reason="Upgraded")] if installed else []
