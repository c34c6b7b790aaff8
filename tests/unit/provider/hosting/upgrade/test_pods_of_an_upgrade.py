"""What the builders make of the decision: all images of one version, the pods that served made as they were, and the record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provider.api import kinds, names
from provider.api.verdict import Invalid
from provider.hosting.desired import accepted
from provider.hosting.view import Rollout
from provider.manifest import Manifest
from tests.golden.world import tenant, view, walk

KEPT = {"containers": [{"name": "kube-apiserver", "image": "registry.k8s.io/kube-apiserver:v1.35.4"}]}


def made(rollout: Rollout | None, annotations: dict[str, str] | None = None) -> Manifest:
    raw = tenant(annotations=annotations or {})
    return walk(replace(view(raw), rollout=rollout)).one(kinds.DEPLOYMENT, "demo")


def test_all_three_run_the_version_that_was_decided() -> None:
    held = Rollout(version="v1.35.4", reason="KubeletsTooOld", message="")
    containers = made(held)["spec"]["template"]["spec"]["containers"]
    assert {each["image"].rpartition(":")[2] for each in containers} == {"v1.35.4"}


def test_after_a_failure_the_pods_are_as_they_were_and_their_credentials_as_they_are() -> None:
    failed = Rollout(version="v1.35.4", reason="UpgradeFailed", message="", kept=KEPT, record="{}")
    found, plain = made(failed), made(None)
    assert found["spec"]["template"]["spec"] == KEPT
    assert found["spec"]["template"]["metadata"].keys() == plain["spec"]["template"]["metadata"].keys()
    assert found["metadata"]["annotations"][names.ANNOTATION_UPGRADE_FAILED] == "{}"
    assert names.ANNOTATION_UPGRADE_FAILED not in (plain["metadata"].get("annotations") or {})


@pytest.mark.parametrize(("annotation", "seconds"), [({}, 300), ({names.ANNOTATION_UPGRADE_DEADLINE: "60"}, 60)])
def test_the_deployment_controller_is_told_the_deadline(annotation: dict[str, str], seconds: int) -> None:
    assert made(None, annotation)["spec"]["progressDeadlineSeconds"] == seconds


@pytest.mark.parametrize("written", ["", "0", "5m", "-1", "100000"])
def test_a_deadline_that_is_none_is_refused_with_advice(written: str) -> None:
    raw = tenant(annotations={names.ANNOTATION_UPGRADE_DEADLINE: written})
    with pytest.raises(Invalid, match="write one from 1 to 99999"):
        list(accepted.build(view(raw)))


def test_a_container_that_does_not_start_says_why() -> None:
    for each in made(None)["spec"]["template"]["spec"]["containers"]:
        assert each["terminationMessagePolicy"] == "FallbackToLogsOnError"
