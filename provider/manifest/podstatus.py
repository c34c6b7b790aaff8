"""Why pods do not run, in words for a condition. Read from what the kubelet and the scheduler say. Called by statuses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from provider.manifest import Manifest
from provider.manifest.condition import holds

UNPULLABLE = ("ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull")
FAILING = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
RESTARTS = 2  # after so many a start is not just waiting for something
# Of a program's last words only a flag's name is told: the rest may be anybody's.
REFUSED_FLAG = re.compile(r"unknown flag: (--[\w-]{1,80})|for \\?\"(--[\w-]{1,80})\\?\" flag", re.ASCII)


def hindrance(pods: Iterable[Manifest]) -> tuple[str, str] | None:
    """(reason, message) of the first pod, by name, that cannot start; None when all may just need time."""
    for pod in sorted(pods, key=lambda each: str(each["metadata"]["name"])):
        status = pod.get("status") or {}
        for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
            if found := _of_container(each):
                return found
        for each in status.get("conditions") or ():
            if each.get("type") == "PodScheduled" and each.get("status") == "False":
                message = "no node of the management cluster takes the pod: add capacity or lower requests"
                return "Unschedulable", message
    return None


def is_ready(pod: Manifest) -> bool:
    """Whether the kubelet says that all of the pod is ready."""
    return _holds(pod, "Ready")


def is_shut(pod: Manifest, gate: str) -> bool:
    """Whether it waits at a readiness gate: until that is opened it is sent nothing."""
    gates = (pod.get("spec") or {}).get("readinessGates") or ()
    return any(each.get("conditionType") == gate for each in gates) and not _holds(pod, gate)


def runs(pod: Manifest) -> bool:
    """Whether all its containers are ready, whatever else it waits for, and it is not about to end."""
    return _holds(pod, "ContainersReady") and not pod["metadata"].get("deletionTimestamp")


def has_ended(pod: Manifest) -> bool:
    """Whether nothing of it runs any more, as of one that was evicted; its object may stand for long."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def rolled_out(deployment: Manifest) -> bool:
    """Whether every pod that a Deployment wants is of its template, ready, and no other is about."""
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 0)
    return bool(
        status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
        and all(status.get(each, 0) == wanted for each in ("updatedReplicas", "readyReplicas", "replicas"))
    )


def _holds(pod: Manifest, kind: str) -> bool:
    return holds((pod.get("status") or {}).get("conditions"), kind)


def _of_container(status: Mapping[str, Any]) -> tuple[str, str] | None:
    """The words stay the same through the turns of a container that ends and is started again."""
    name, state = status["name"], status.get("state") or {}
    waiting = (state.get("waiting") or {}).get("reason")
    if waiting in UNPULLABLE:
        return "ImageUnavailable", f"container {name}: image {status.get('image')} cannot be pulled"
    if waiting in FAILING:
        return "ContainerFails", f"container {name} does not start ({waiting}); see its pod's events"
    ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    if status.get("started") or not (waiting == "CrashLoopBackOff" or status.get("restartCount", 0) >= RESTARTS):
        return None
    if flag := REFUSED_FLAG.search(str(ended.get("message") or "")):
        return "ContainerFails", f"container {name} does not start: it refuses the flag {flag[1] or flag[2]}"
    return "ContainerFails", f"container {name} ends again and again (CrashLoopBackOff); see its log"
