"""What people and workers would feel of a change."""

from __future__ import annotations

from typing import Any

import pytest

from provider.cli import effects
from provider.manifest import Manifest

KEY = ("Deployment", "team", "demo")


def spec(**over: Any) -> dict[str, Any]:
    return {
        "kubernetes": {"version": "v1.36.3", "kubelet": {}},
        "controlPlane": {"service": {"serviceType": "ClusterIP"}, "deployment": {"replicas": 2}},
        "networkProfile": {"port": 6443},
        **over,
    }


def deployment(image: str, replicas: int = 2) -> Manifest:
    containers = [{"name": "kube-apiserver", "image": image}, {"name": "kube-scheduler", "image": "s"}]
    return {"kind": "Deployment", "spec": {"replicas": replicas, "template": {"spec": {"containers": containers}}}}


def felt(old: dict[str, Any], new: dict[str, Any], before: str = "a", after: str = "a") -> list[str]:
    live = {"metadata": {"name": "demo", "namespace": "team"}, "spec": old}
    replicas = new["controlPlane"]["deployment"]["replicas"]
    objects = {KEY: deployment(before, replicas)}, {KEY: deployment(after, replicas)}
    return list(effects.of(live, {"spec": new}, *objects))


def test_nothing_is_felt_of_nothing() -> None:
    assert felt(spec(), spec()) == []


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"networkProfile": {"port": 7443}}, "the way to the tenant changes (networkProfile.port)"),
        ({"networkProfile": {"port": 6443, "certSANs": ["x"]}}, "made anew by the same authority"),
        ({"dataStore": "other"}, "moves to another DataStore"),
        ({"addons": {"coreDNS": {}}}, "coreDNS comes into the tenant"),
        ({"writePermissions": {"blockCreation": True}}, "what may be written"),
        ({"kubernetes": {"version": "v1.37.2", "kubelet": {}}}, "Kubernetes v1.36.3 → v1.37.2"),
        ({"kubernetes": {"version": "v1.36.3", "kubelet": {"cgroupfs": "systemd"}}}, "workers that join later"),
    ],
)
def test_each_kind_of_change_has_its_sentence(over: dict[str, Any], words: str) -> None:
    assert any(words in each for each in felt(spec(), spec(**over)))


@pytest.mark.parametrize(
    ("was", "is_", "words"), [(2, 0, "falls asleep"), (0, 2, "wakes"), (2, 3, "2 → 3; nobody notices")]
)
def test_replicas_are_sleep_waking_or_nothing_to_notice(was: int, is_: int, words: str) -> None:
    old, new = (
        spec(controlPlane={"service": {"serviceType": "ClusterIP"}, "deployment": {"replicas": each}})
        for each in (was, is_)
    )
    assert words in " ".join(felt(old, new))


def test_pods_that_are_replaced_are_told_with_what_differs_but_not_where_none_runs() -> None:
    assert any("pods are replaced (kube-apiserver)" in each for each in felt(spec(), spec(), "a", "b"))
    asleep = spec(controlPlane={"service": {"serviceType": "ClusterIP"}, "deployment": {"replicas": 0}})
    assert felt(asleep, asleep, "a", "b") == []
