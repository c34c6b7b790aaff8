"""When an upgrade begins, goes on, waits, fails and is tried again: each decision from what can be seen."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provider.api import names
from provider.hosting import upgrade
from provider.hosting.upgrade import Rollout
from provider.hosting.upgrade.skew import Kubelet
from provider.hosting.view import View
from provider.manifest import Manifest, meta
from tests.unit.provider.hosting.upgrade.worlds import (
    NEW,
    OLD,
    asked,
    deployment,
    pod,
    pod_spec,
    replica_set,
    replicas,
    unpullable,
    view,
)

FINE = [Kubelet("worker", "v1.36.3")]
SERVING = (pod("t-a", OLD), pod("t-b", OLD))
BEFORE = (replica_set(OLD, 6, 2, "--leader-elect=true"), replica_set(NEW, 7, 0))


def decided(seen: View, *sets: Manifest, kubelets: list[Kubelet] | None = FINE) -> Rollout:
    found = upgrade.decided(seen, kubelets, sets)
    assert found is not None
    return found


def failing(*more: Manifest, **spec: Any) -> View:
    return view(deployment(NEW, overdue=True), *SERVING, *more, **spec)


def remembering(**changes: Any) -> View:
    """After the upgrade was undone."""
    record = decided(failing(), *BEFORE).record
    return view(deployment(OLD, record=record), *SERVING, **changes)


@pytest.mark.parametrize("installed", [None, NEW, "1.37.2"])
def test_what_never_served_or_is_there_already_is_no_upgrade(installed: str | None) -> None:
    seen = view(deployment(OLD), installed=installed)
    assert upgrade.decided(seen) is None
    assert upgrade.question(seen) == ""
    assert seen.version == NEW


@pytest.mark.parametrize("version", ["latest", "v1.37", ""])
def test_what_is_no_version_is_left_to_those_who_say_so(version: str) -> None:
    assert upgrade.decided(view(deployment(OLD), **asked(version))) is None


def test_a_minor_upgrade_asks_for_the_kubelets_and_begins() -> None:
    seen = view(deployment(OLD), *SERVING)
    assert upgrade.question(seen) == "kubelets"
    found = decided(seen)
    assert (found.version, found.reason, found.kept, found.record) == (NEW, "Upgrading", None, "")
    assert found.message == f"pods of {NEW} take the place of those of {OLD}"


def test_a_patch_asks_nobody() -> None:
    seen = view(deployment(OLD), *SERVING, **asked("v1.36.9"))
    assert upgrade.question(seen) == ""
    assert decided(seen, kubelets=None).version == "v1.36.9"


def test_a_patch_may_go_down() -> None:
    assert decided(view(deployment(OLD), *SERVING, **asked("1.36.1"))).version == "v1.36.1"


def test_while_it_is_under_way_nothing_is_asked_any_more() -> None:
    seen = view(deployment(NEW), *SERVING)
    assert upgrade.question(seen) == ""
    assert decided(seen, kubelets=None).version == NEW


def test_without_a_word_about_the_kubelets_a_minor_upgrade_waits_and_looks_again() -> None:
    found = decided(view(deployment(OLD), *SERVING), kubelets=None)
    assert (found.version, found.reason) == (OLD, "KubeletsUnknown")
    assert found.again == upgrade.LOOK_AGAIN


def test_a_kubelet_that_is_too_old_holds_it_up_and_is_named() -> None:
    found = decided(view(deployment(OLD), *SERVING), kubelets=[*FINE, Kubelet("old", "v1.33.9")])
    assert (found.version, found.reason) == (OLD, "KubeletsTooOld")
    assert "node old runs v1.33" in found.message


# Steps


@pytest.mark.parametrize(("installed", "wanted"), [("v1.35.4", NEW), ("v1.37.2", "v1.36.3"), ("v1.36.3", "v2.36.3")])
def test_a_minor_is_not_skipped_and_nothing_goes_down(installed: str, wanted: str) -> None:
    found = decided(view(deployment(installed), installed=installed, **asked(wanted)))
    assert (found.version, found.reason) == (installed, "VersionSkipped")
    assert f"set spec.kubernetes.version back to {installed}" in found.message


def test_when_the_spec_goes_two_steps_the_first_is_finished_first() -> None:
    seen = view(deployment("v1.36.3"), installed="v1.35.4")
    assert upgrade.question(seen) == ""
    found = decided(seen)
    assert (found.version, found.reason) == ("v1.36.3", "Upgrading")
    assert found.message == "pods of v1.36.3 take the place of those of v1.35.4, then those of v1.37.2"


def test_another_patch_meanwhile_is_gone_to_directly() -> None:
    seen = view(deployment("v1.37.1"), *SERVING)
    assert decided(seen).version == NEW


# Failing


def test_the_deployment_controllers_word_ends_an_upgrade_that_does_not_get_on() -> None:
    seen = failing(unpullable("t-c", NEW))
    assert upgrade.question(seen) == "replica sets"
    found = decided(seen, *BEFORE)
    assert (found.version, found.reason) == (OLD, "UpgradeFailed")
    assert found.kept == pod_spec(OLD, "--leader-elect=true")
    assert f"{NEW} was given up after 300 s without progress: container kube-apiserver: image" in found.message
    assert f"set spec.kubernetes.version to {OLD} and on to a version again" in found.message
    assert json.loads(found.record)["why"] == found.message


def test_a_word_about_the_template_before_counts_for_nothing() -> None:
    seen = view(deployment(NEW, overdue=True, seen=3), *SERVING)
    assert upgrade.question(seen) == ""
    assert decided(seen).version == NEW


def test_what_hinders_the_old_pods_is_not_the_reason() -> None:
    found = decided(failing(unpullable("t-0", OLD)), *BEFORE)
    assert "its pods did not get ready" in found.message


def test_the_pods_of_most_use_are_made_again_even_if_other_tries_came_between() -> None:
    sets = (replica_set(OLD, 5, 2, "--served"), replica_set("v1.37.1", 6, 0), replica_set(NEW, 7, 0))
    assert decided(failing(), *sets).kept == pod_spec(OLD, "--served")


def test_where_no_pod_is_ready_the_latest_before_is_made_again() -> None:
    """As with the strategy Recreate, which ends the old pods first."""
    sets = (replica_set(OLD, 5, 0, "--older"), replica_set(OLD, 6, 0, "--latest"), replica_set(NEW, 7, 0))
    assert decided(failing(), *sets).kept == pod_spec(OLD, "--latest")


def test_what_another_patch_of_the_same_upgrade_served_is_gone_back_to() -> None:
    found = decided(failing(), replica_set(OLD, 5, 0), replica_set("v1.37.1", 6, 2), replica_set(NEW, 7, 0))
    assert (found.version, found.kept) == ("v1.37.1", pod_spec("v1.37.1"))


def test_pods_of_others_are_no_way_back() -> None:
    found = decided(failing(), replica_set(OLD, 6, 2, owner="somebody"), replica_set(NEW, 7, 0))
    assert (found.version, found.kept, found.reason) == (OLD, None, "UpgradeFailed")


def test_without_any_memory_of_the_old_pods_they_are_made_by_the_spec() -> None:
    found = decided(failing())
    assert (found.version, found.kept, found.reason) == (OLD, None, "UpgradeFailed")


def test_a_version_that_serves_already_is_not_gone_back_from_for_a_later_change() -> None:
    """As when a certificate rolls the pods before the upgrade was said to be over."""
    found = decided(failing(), replica_set(NEW, 6, 2), replica_set(NEW, 7, 0))
    assert (found.version, found.reason) == (NEW, "Upgrading")


# Remembering


def test_what_failed_is_not_tried_again_and_says_the_same() -> None:
    first, seen = decided(failing(), *BEFORE), remembering()
    assert upgrade.question(seen) == ""
    again = decided(seen, kubelets=None)
    assert (again.version, again.message, again.record) == (OLD, first.message, first.record)
    assert again.kept == pod_spec(OLD)


@pytest.mark.parametrize(
    "change",
    [asked("v1.37.3"), {"addons": {"coreDNS": {}}}, {"controlPlane": {"deployment": {"extraArgs": {"scheduler": []}}}}],
)
def test_another_version_or_any_change_of_the_spec_tries_again(change: dict[str, Any]) -> None:
    found = decided(remembering(**change))
    assert (found.reason, found.record) == ("Upgrading", "")


def test_a_change_of_replicas_is_no_new_try() -> None:
    assert decided(remembering(**replicas(3))).reason == "UpgradeFailed"
    assert decided(remembering(**replicas(0))).reason == "UpgradeFailed"


def test_back_at_the_installed_version_all_is_forgotten() -> None:
    assert upgrade.decided(remembering(**asked(OLD))) is None


@pytest.mark.parametrize("record", ["", "{", "[]", "{}", '{"version": 1}', "null", '{"version":"v1.37.2","x":1}'])
def test_a_record_that_is_none_is_as_if_there_were_none(record: str) -> None:
    assert decided(view(deployment(OLD, record=record), *SERVING)).reason == "Upgrading"


def test_pods_that_elect_no_leader_are_not_made_again_beside_others() -> None:
    sets = (replica_set(OLD, 6, 1, "--leader-elect=false"), replica_set(NEW, 7, 0))
    alone = {"deployment": {"replicas": 1}}
    assert decided(failing(**{"controlPlane": alone}), *sets).kept == pod_spec(OLD, "--leader-elect=false")
    found = decided(failing(), *sets)
    assert (found.version, found.kept) == (OLD, None)


# Asleep, waking, broken


def test_asleep_the_version_stays_and_nobody_is_asked() -> None:
    for wanted in (NEW, "v1.36.9"):
        seen = view(deployment(OLD, replicas=0), **replicas(0), **asked(wanted))
        assert upgrade.question(seen) == ""
        assert (decided(seen).version, decided(seen).reason) == (OLD, "Sleeping")


@pytest.mark.parametrize(
    "seen",
    [
        view(deployment(OLD, replicas=0)),
        view(deployment(OLD)),
        view(deployment(OLD), pod("t-a", OLD, ready=False, age=5)),
    ],
    ids=["no pod is asked for yet", "no pod is made yet", "a pod starts"],
)
def test_a_tenant_wakes_with_the_version_that_served(seen: View) -> None:
    assert upgrade.question(seen) == ""
    found = decided(seen)
    assert (found.version, found.reason, found.again) == (OLD, "Waking", upgrade.LOOK_AGAIN)


def test_awake_it_is_upgraded() -> None:
    assert decided(view(deployment(OLD), pod("t-a", OLD, ready=True, age=5))).reason == "Upgrading"


def no_quota() -> Manifest:
    found = deployment(OLD)
    found["status"]["conditions"].append({"type": "ReplicaFailure", "status": "True"})
    return found


@pytest.mark.parametrize(
    "objects",
    [
        (deployment(OLD), unpullable("t-a", OLD)),
        (deployment(OLD), pod("t-a", OLD, ready=False, age=301)),
        (no_quota(),),
    ],
    ids=["its image is gone", "it never gets ready", "no pod can be made"],
)
def test_a_patch_may_be_the_cure_for_what_does_not_serve(objects: tuple[Manifest, ...]) -> None:
    assert decided(view(*objects, **asked("v1.36.9"))).version == "v1.36.9"


# The deadline


@pytest.mark.parametrize(
    ("annotation", "seconds"), [(None, 300), ("45", 45), ("0", 300), ("1e3", 300), ("5m", 300), ("9" * 40, 300)]
)
def test_the_deadline_is_the_tenants_own_or_the_settings(annotation: str | None, seconds: int) -> None:
    annotations = {names.ANNOTATION_UPGRADE_DEADLINE: annotation} if annotation else {}
    assert upgrade.deadline(view(annotations=annotations)) == seconds


def test_the_deployment_is_known_by_the_tenants_name_only() -> None:
    other = deployment(NEW, overdue=True)
    other["metadata"]["name"] = "other"
    assert meta.labels_of(other) == {}
    assert upgrade.question(view(other, deployment(OLD), *SERVING)) == "kubelets"


# Before the first version is said to be installed: one of two pods is ready


def half_born(*more: Manifest, overdue: bool = False, live: str = OLD) -> View:
    return view(deployment(live, overdue=overdue), pod("t-a", OLD), *more, installed=None)


def test_what_serves_while_others_still_come_up_is_what_an_upgrade_begins_from() -> None:
    starting = pod("t-b", OLD, ready=False, age=5)
    assert upgrade.question(half_born(starting)) == "kubelets"
    assert decided(half_born(starting), kubelets=None).version == OLD
    assert decided(half_born(starting)).version == NEW


def test_and_what_is_gone_back_to() -> None:
    found = decided(half_born(unpullable("t-c", NEW), overdue=True, live=NEW), *BEFORE)
    assert (found.version, found.reason) == (OLD, "UpgradeFailed")
