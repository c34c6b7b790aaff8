"""Pods that are wanted and do not start are told of while others serve."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api import kinds
from provider.hosting.status import rollouts
from provider.manifest import Manifest, meta
from tests.golden.world import tenant, view

CRASHES = {"restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
FLAG = {**CRASHES, "lastState": {"terminated": {"message": "Error: unknown flag: --no-such-flag\n"}}}


def pod(name: str, *, ready: bool, **container: Any) -> Manifest:
    status = {
        "conditions": [{"type": "Ready", "status": str(ready)}],
        "containerStatuses": [{"name": "kube-apiserver", "started": ready, **container}],
    }
    return meta.new(kinds.POD, name, "tenants", labels={"kamaji.clastix.io/name": "demo"}, status=status)


def deployment(*, ready: int, updated: int) -> Manifest:
    counts = {"replicas": 2, "readyReplicas": ready, "updatedReplicas": updated, "observedGeneration": 2}
    found = meta.new(kinds.DEPLOYMENT, "demo", "tenants", spec={"replicas": 1}, status=counts)
    found["metadata"]["generation"] = 2
    return found


def told(ready: int, *pods: Manifest) -> list[tuple[str, str, str, str]]:
    found = view(tenant(), deployment(ready=ready, updated=1), *pods)
    return [(each.type, each.status, each.reason, each.message) for each in rollouts.conditions(found)]


@pytest.mark.parametrize("ready", [1, 2])
def test_what_hinders_the_new_pods_is_told_while_the_old_ones_serve(ready: int) -> None:
    (found,) = told(ready, pod("demo-new", ready=False, **FLAG), pod("demo-old", ready=True))
    assert found[:3] == ("RolledOut", "False", "ContainerFails")
    assert "--no-such-flag; the pods that are ready serve on" in found[3]


def test_new_pods_that_may_just_need_time_are_not_told_of() -> None:
    assert told(1, pod("demo-new", ready=False), pod("demo-old", ready=True)) == []


def test_while_none_serves_another_condition_tells_of_it() -> None:
    assert told(0, pod("demo-new", ready=False, **FLAG)) == []


def test_one_that_ends_is_not_told_of() -> None:
    ending = pod("demo-new", ready=False, **FLAG)
    ending["metadata"]["deletionTimestamp"] = "2026-11-24T12:00:00Z"
    assert told(1, ending, pod("demo-old", ready=True)) == []


def test_once_all_are_there_nothing_is_told() -> None:
    rolled = deployment(ready=1, updated=1)
    rolled["status"]["replicas"] = 1
    found = view(tenant(), rolled, pod("demo-gone", ready=False, **FLAG))
    assert rollouts.conditions(found) == []
