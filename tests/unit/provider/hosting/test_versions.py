"""Which Kubernetes we host, what comes with it, and what nodes may be told while an upgrade rolls."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api import kinds
from provider.api.verdict import Invalid
from provider.hosting import versions
from provider.hosting.view import View
from provider.manifest import Manifest, meta
from tests.golden.world import tenant, view

OLDEST, NEWEST = versions.supported()


def at(version: str, *seen: Manifest, installed: str = "", **deployment: Any) -> View:
    raw = tenant(kubernetes={"version": version}, controlPlane={"deployment": deployment})
    if installed:
        raw["status"] = {"kubernetesResources": {"version": {"version": installed}}}
    return view(raw, *seen)


def pod(name: str, image: str) -> Manifest:
    containers = [{"name": "audit", "image": "audit:1"}, {"name": "kube-apiserver", "image": image}]
    return meta.new(kinds.POD, name, "tenants", spec={"containers": containers})


OLD = pod("demo-1", "registry.k8s.io/kube-apiserver:v1.35.4")
NEW = pod("demo-2", "registry.k8s.io/kube-apiserver:v1.36.3")


def test_the_table_has_no_gap_and_each_minor_its_addons() -> None:
    numbers = list(versions.MINORS)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    for each in versions.MINORS.values():
        assert each.coredns.startswith("v1.")
        assert each.kube_proxy_mode in ("nftables", "iptables")


@pytest.mark.parametrize("text", ["v1.36.3", "1.36.3", "v1.36.0-rc.1", "v1.36.3+vendor.2"])
def test_a_version_finds_its_minor(text: str) -> None:
    assert versions.of(text).number == 36


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("v1.36", "VersionMalformed"),
        ("latest", "VersionMalformed"),
        ("v1.036.1", "VersionMalformed"),
        ("v1.36.3 ", "VersionMalformed"),
        ("v1.36.3\n", "VersionMalformed"),
        ("v1.1.0", "VersionTooOld"),
        ("v0.99.0", "VersionTooOld"),
        ("v1.999999999.0", "VersionTooNew"),
        ("v2.0.0", "VersionTooNew"),
    ],
)
def test_another_is_refused_with_the_range_that_is_supported(text: str, reason: str) -> None:
    with pytest.raises(Invalid) as caught:
        versions.of(text)
    assert caught.value.reason == reason
    assert f"from v{OLDEST} to v{NEWEST}" in caught.value.message
    assert repr(text) in caught.value.message


def test_an_image_is_registry_name_version_and_suffix() -> None:
    assert versions.image(at("1.36.3+v1"), "kube-scheduler") == "registry.k8s.io/kube-scheduler:v1.36.3_v1"
    own = {"registry": "r.example:5000/k", "schedulerImage": "sched", "tagSuffix": "-fips"}
    assert (
        versions.image(at("v1.36.3", registrySettings=own), "kube-scheduler") == "r.example:5000/k/sched:v1.36.3-fips"
    )


@pytest.mark.parametrize(
    ("seen", "installed", "served"),
    [
        ((), "", "v1.36.3"),
        ((), "v1.35.4", "v1.35.4"),
        ((OLD, NEW), "v1.35.4", "v1.35.4"),
        ((OLD,), "v1.35.4", "v1.35.4"),
        ((NEW,), "v1.35.4", "v1.36.3"),
        ((OLD, NEW), "1.35.4", "v1.35.4"),
        ((OLD,), "", "v1.36.3"),
    ],
    ids=[
        "nothing yet",
        "no pods",
        "an upgrade rolls",
        "it has not begun",
        "it is over",
        "written without v",
        "nothing installed",
    ],
)
def test_nodes_are_told_the_new_version_when_every_api_server_runs_it(
    seen: tuple[Manifest, ...], installed: str, served: str
) -> None:
    assert versions.served(at("1.36.3", *seen, installed=installed)) == served
