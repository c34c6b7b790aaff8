"""Upstream's phase word and the installed version through a tenant's life, and what the condition Upgraded says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from provider.api.verdict import NotReady, Verdict
from provider.hosting import upgrade
from provider.hosting.status import tenant as status
from provider.hosting.view import View
from provider.manifest import Manifest
from provider.manifest.condition import find
from tests.unit.provider.hosting.test_tenant_status import STEPS
from tests.unit.provider.hosting.upgrade import worlds
from tests.unit.provider.hosting.upgrade.worlds import NEW, OLD, asked, pod, replicas, view

UNREACHABLE = {"kubeadm": NotReady("ApiServerStarting", "waiting for a pod whose kube-apiserver answers")}


def deployment(version: str, *, ready: int = 2, updated: int = 2, total: int = 2, wanted: int = 2) -> Manifest:
    found = worlds.deployment(version, replicas=wanted)
    found["status"] |= {"readyReplicas": ready, "updatedReplicas": updated, "replicas": total}
    return found


def told(seen: View, declined: dict[str, Verdict] | None = None) -> dict[str, Any]:
    """The status of a pass over this world."""
    return status.of(replace(seen, rollout=upgrade.decided(seen, [])), STEPS, declined or {}, {})


def version(found: dict[str, Any]) -> dict[str, Any]:
    block: dict[str, Any] = found["kubernetesResources"]["version"]
    return block


def upgraded(found: dict[str, Any]) -> tuple[str, str]:
    condition = find(found["conditions"], "Upgraded")
    return (condition["status"], condition["reason"]) if condition else ("", "")


PODS = (pod("a", OLD), pod("b", OLD))


@pytest.mark.keeps("better.phases")
@pytest.mark.parametrize(
    ("seen", "declined", "word"),
    [
        (view(installed=None), UNREACHABLE, "Provisioning"),
        (view(deployment(NEW, ready=0, updated=0, total=0), installed=None), UNREACHABLE, "Provisioning"),
        (view(deployment(NEW, ready=0), installed=None), UNREACHABLE, "Provisioning"),
        (view(deployment(NEW, ready=1), installed=None), {}, "Provisioning"),
        (view(deployment(NEW), pod("a", NEW), installed=None), {}, "Ready"),
        (view(deployment(NEW, ready=1), pod("a", NEW), installed=NEW), {}, "Ready"),
        (view(deployment(NEW, ready=2, updated=1, total=3), pod("a", NEW), installed=NEW), {}, "Ready"),
        (view(deployment(NEW, ready=0), pod("a", NEW), installed=NEW), UNREACHABLE, "NotReady"),
        (view(deployment(OLD), *PODS), {}, "Upgrading"),
        (view(deployment(NEW, ready=2, updated=2, total=4), *PODS), {}, "Upgrading"),
        (view(deployment(NEW, ready=0, updated=2, total=2)), UNREACHABLE, "NotReady"),
        (view(deployment(NEW, wanted=0, ready=0, updated=0, total=0), installed=NEW, **replicas(0)), {}, "Sleeping"),
        (view(deployment(NEW, ready=0, updated=0, total=0), installed=NEW), UNREACHABLE, "NotReady"),
    ],
    ids=[
        *("nothing is made", "pods are asked for", "pods start", "one of two is ready", "born"),
        *("scaled up", "a certificate rolls the pods", "all pods ended", "an upgrade begins", "both versions serve"),
        *("the old pods were ended first", "asleep", "waking"),
    ],
)
def test_the_phase_word_through_a_life(seen: View, declined: dict[str, Verdict], word: str) -> None:
    assert version(told(seen, declined))["status"] == word


def test_the_new_version_is_installed_when_the_last_old_pod_is_gone_and_not_before() -> None:
    rolled = deployment(NEW)
    ending = pod("a", OLD)
    ending["metadata"]["deletionTimestamp"] = "2026-11-25T12:00:00Z"
    assert version(told(view(rolled, ending, pod("b", NEW)))) == {"version": OLD, "status": "Upgrading"}
    found = told(view(rolled, pod("b", NEW), pod("c", NEW)))
    assert version(found) == {"version": NEW, "status": "Ready"}
    assert upgraded(found) == ("True", "Upgraded")


def test_what_is_installed_is_told_as_the_user_writes_it() -> None:
    found = told(view(deployment(NEW), pod("b", NEW), **asked("1.37.2")))
    assert version(found)["version"] == "1.37.2"
    assert upgraded(found) == ("True", "Upgraded")


def test_asleep_the_version_that_served_is_told_whatever_is_asked_for_meanwhile() -> None:
    found = told(view(deployment(OLD, wanted=0, ready=0, updated=0, total=0), **replicas(0)))
    assert version(found) == {"version": OLD, "status": "Sleeping"}
    assert upgraded(found) == ("False", "Sleeping")


def test_one_that_never_ran_has_no_version() -> None:
    found = told(view(deployment(NEW, wanted=0), installed=None, **replicas(0)))
    assert version(found) == {"status": "Sleeping"}
    assert upgraded(found) == ("", "")


def test_a_tenant_whose_upgrade_failed_is_ready_and_says_what_failed() -> None:
    late = deployment(NEW, ready=2, updated=2, total=4)
    late["status"]["conditions"] = worlds.deployment(NEW, overdue=True)["status"]["conditions"]
    undone = upgrade.decided(view(late, *PODS), [])
    assert undone is not None
    after = deployment(OLD)
    after["metadata"]["annotations"] = worlds.deployment(OLD, record=undone.record)["metadata"]["annotations"]
    found = told(view(after, *PODS))
    assert version(found) == {"version": OLD, "status": "Ready"}
    assert upgraded(found) == ("False", "UpgradeFailed")
    assert (find(found["conditions"], "Ready") or {})["status"] == "True"


def test_held_up_it_is_ready_with_the_version_that_serves() -> None:
    seen = view(deployment(OLD), *PODS)
    held = replace(seen, rollout=upgrade.decided(seen, None))
    found = status.of(held, STEPS, {}, {})
    assert version(found) == {"version": OLD, "status": "Ready"}
    assert upgraded(found) == ("False", "KubeletsUnknown")
