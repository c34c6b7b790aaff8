"""A drain of the management cluster's nodes takes one API server at a time, and never waits for one that is broken."""

from __future__ import annotations

import pytest

from provider.hosting.desired import disruption
from provider.manifest import Manifest
from tests.golden.world import tenant, view


def made(replicas: int) -> list[Manifest]:
    return list(disruption.build(view(tenant(controlPlane={"deployment": {"replicas": replicas}}))))


@pytest.mark.parametrize("replicas", [0, 1])
def test_a_budget_for_one_pod_would_only_stop_the_drain(replicas: int) -> None:
    assert made(replicas) == []


@pytest.mark.keeps("better.spread")
def test_from_two_replicas_on_one_may_go_and_a_broken_one_always() -> None:
    (found,) = made(2)
    assert found["spec"] == {
        "maxUnavailable": 1,
        "selector": {"matchLabels": {"kamaji.clastix.io/name": "demo"}},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    assert disruption.report(view(tenant())) == {}
