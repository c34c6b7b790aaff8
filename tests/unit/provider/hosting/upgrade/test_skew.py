"""Kubernetes' version skew policy, and that what a tenant says of its nodes is data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.hosting.upgrade.skew import NAMED, Kubelet, blocked


@pytest.mark.parametrize("version", ["v1.34.0", "v1.35.4", "v1.36.3", "v1.37.2", "v1.37.99", "1.36.3+k3s1"])
def test_up_to_three_minors_older_is_served(version: str) -> None:
    assert blocked("v1.37.2", [Kubelet("a", version)]) is None


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("v1.33.13", "KubeletsTooOld"),
        ("v0.99.0", "KubeletsTooOld"),
        ("v1.38.0", "KubeletsTooNew"),
        ("v2.1.0", "KubeletsTooNew"),
    ],
)
def test_older_and_newer_is_not(version: str, reason: str) -> None:
    found = blocked("v1.37.2", [Kubelet("fine", "v1.37.0"), Kubelet("a", version)])
    assert found is not None
    assert found.reason == reason
    assert f"node a runs {'.'.join(version.split('.')[:2])}" in found.message
    assert "fine" not in found.message


@pytest.mark.parametrize("version", ["", "v1", "none", "vv1.2.3", "v1.x.3", "1.²", "v1.99999.0"])
def test_a_kubelet_that_tells_no_version_holds_up_nobody(version: str) -> None:
    assert blocked("v1.37.2", [Kubelet("virtual", version)]) is None


def test_no_node_is_fine_and_no_answer_is_not() -> None:
    assert blocked("v1.37.2", []) is None
    found = blocked("v1.37.2", None)
    assert found is not None and found.reason == "KubeletsUnknown"


def test_many_are_counted_and_a_few_named_in_the_same_order_always() -> None:
    old = [Kubelet(f"n{number}", "v1.30.0") for number in range(NAMED + 3)]
    found, other = blocked("v1.37.2", old), blocked("v1.37.2", old[::-1])
    assert found is not None and other is not None
    assert found.message == other.message
    assert "node n4 runs v1.30 and 3 more" in found.message


@given(st.text(max_size=40))
def test_nothing_of_a_version_but_its_numbers_is_repeated(version: str) -> None:
    found = blocked("v1.37.2", [Kubelet("a", version)])
    if found is not None:
        shown = Kubelet("a", version).minor
        assert shown is not None
        assert f"node a runs v{shown[0]}.{shown[1]}" in found.message
        assert all(character.isprintable() for character in found.message)
