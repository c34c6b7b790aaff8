"""Versions and images: what a pod runs, and what nodes may be told while two versions serve."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from provider.hosting import versions
from provider.hosting.view import Rollout
from provider.manifest import Manifest
from tests.unit.provider.hosting.upgrade.worlds import NEW, OLD, pod, pod_spec, view


def suffixed(suffix: str) -> dict[str, Any]:
    return {"controlPlane": {"deployment": {"registrySettings": {"registry": "r.example:5000/k", "tagSuffix": suffix}}}}


@pytest.mark.keeps("better.version-without-v")
@pytest.mark.parametrize(
    ("version", "image"),
    [
        ("v1.36.3", "registry.k8s.io/kube-apiserver:v1.36.3"),
        ("1.36.3", "registry.k8s.io/kube-apiserver:v1.36.3"),
        ("v1.36.3+k3s1", "registry.k8s.io/kube-apiserver:v1.36.3_k3s1"),
    ],
)
def test_an_image_tag_has_its_v_and_no_plus(version: str, image: str) -> None:
    seen = view(kubernetes={"version": version})
    assert versions.image(seen, "kube-apiserver") == image
    pod = {"containers": [{"name": "kube-apiserver", "image": image}]}
    assert versions.run_by(seen, pod) == seen.version


def test_a_suffix_is_no_part_of_the_version() -> None:
    seen = view(**suffixed("-hardened"))
    image = versions.image(seen, "kube-apiserver")
    assert image == f"r.example:5000/k/kube-apiserver:{NEW}-hardened"
    assert versions.run_by(seen, {"containers": [{"name": "kube-apiserver", "image": image}]}) == NEW


@pytest.mark.parametrize("image", ["registry.k8s.io/kube-apiserver", "r.example:5000/kube-apiserver:latest", ""])
def test_an_image_that_tells_no_version_is_of_none(image: str) -> None:
    assert versions.run_by(view(), {"containers": [{"name": "kube-apiserver", "image": image}]}) is None
    assert versions.run_by(view(), {}) is None


def test_images_are_of_the_version_that_was_decided() -> None:
    decided = replace(view(), rollout=Rollout(version=OLD, reason="KubeletsTooOld", message=""))
    assert versions.image(decided, "kube-scheduler") == f"registry.k8s.io/kube-scheduler:{OLD}"


@pytest.mark.parametrize(
    ("pods", "served"),
    [
        ((), OLD),
        ((pod("a", OLD), pod("b", NEW)), OLD),
        ((pod("b", NEW), pod("c", NEW)), NEW),
        ((pod("a", OLD, phase="Failed"), pod("b", NEW)), NEW),
        ((pod("a", OLD, phase="Succeeded"), pod("b", NEW)), NEW),
    ],
    ids=["nobody", "both", "the new one", "an evicted pod is left", "an ended pod is left"],
)
def test_nodes_are_told_the_new_version_only_after_the_last_old_pod(pods: tuple[Manifest, ...], served: str) -> None:
    assert versions.served(view(*pods)) == served


def test_a_pod_that_ends_still_serves() -> None:
    ending = pod("a", OLD)
    ending["metadata"]["deletionTimestamp"] = "2026-11-25T12:00:00Z"
    assert versions.served(view(ending, pod("b", NEW))) == OLD


def test_before_anything_served_the_wanted_version_is_told() -> None:
    assert versions.served(view(installed=None)) == NEW


def test_a_pod_of_another_registry_is_known_by_its_version() -> None:
    elsewhere = pod("a", OLD)
    elsewhere["spec"] = pod_spec(NEW)
    elsewhere["spec"]["containers"][0]["image"] = f"mirror.example/x/apiserver:{NEW}"
    assert versions.served(view(elsewhere)) == NEW


def test_nodes_are_told_what_serves_also_before_the_first_version_is_said_to_be_installed() -> None:
    assert versions.served(view(pod("a", OLD), pod("b", NEW, ready=False), installed=None)) == OLD
    assert versions.served(view(pod("a", NEW), installed=None)) == NEW
    assert versions.installed(view(pod("a", NEW), pod("b", OLD), installed=None)) == OLD
