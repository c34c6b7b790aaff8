"""KonnectivityReady: absent while there is no tunnel, else what its parts or the tunnel itself tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from provider.api import kinds
from provider.api.verdict import NotReady, Verdict
from provider.hosting.desired.konnectivity import agent
from provider.hosting.parts import PARTS
from provider.hosting.status import konnectivity as words
from provider.hosting.status import tenant as status
from provider.hosting.view import Seen, Tunnel, View
from provider.manifest import Manifest, meta
from tests.golden.world import tenant, view

ADDON = {"server": {"port": 8132}}


def world(tunnel: Tunnel | None = None, *, on: bool = True, mode: str = "DaemonSet") -> View:
    raw = tenant(addons={"konnectivity": {**ADDON, "agent": {"mode": mode}}} if on else {})
    service = meta.new(kinds.SERVICE, "demo", "tenants", spec={"clusterIP": "10.96.7.7"})
    return replace(view(raw, service), tunnel=tunnel)


def said(seen: View, declined: dict[str, Verdict] | None = None) -> dict[str, Any] | None:
    found = status.of(seen, PARTS, declined or {}, {})["conditions"]
    return next((each for each in found if each["type"] == "KonnectivityReady"), None)


def test_a_tenant_without_a_tunnel_is_told_nothing_of_it() -> None:
    assert said(world(on=False)) is None
    assert said(world(on=False), {agent.NAME: NotReady("ApiServerStarting", "waiting")}) is None


def test_while_the_tunnel_is_being_taken_down_it_is_said() -> None:
    found = said(world(on=False), {agent.NAME: NotReady(agent.IN_USE, "the agents stay")})
    assert found and (found["status"], found["reason"]) == ("False", "TunnelInUse")


@pytest.mark.parametrize("tunnel", [words.WORKS, words.NO_NODES], ids=lambda each: each.reason)
def test_a_tunnel_that_works_or_has_no_node_to_reach_is_no_fault(tunnel: Tunnel) -> None:
    found = said(world(tunnel))
    assert found and (found["status"], found["reason"]) == ("True", tunnel.reason)


def test_what_hinders_the_parts_comes_before_what_the_tunnel_said() -> None:
    found = said(world(words.WORKS), {agent.NAME: NotReady("ApiServerStarting", "waiting for a pod")})
    assert found and found["reason"] == "ApiServerStarting"


def test_a_tunnel_that_does_not_work_leaves_the_tenant_ready() -> None:
    conditions = status.of(world(words.silent(world(), "x")), PARTS, {}, {})["conditions"]
    states = {each["type"]: each["status"] for each in conditions}
    assert states["KonnectivityReady"] == "False"
    assert states["Ready"] == "True"


def workload(kind: kinds.Kind, **numbers: int) -> Manifest:
    return meta.new(kind, agent.NAME, agent.NAMESPACE, status=numbers)


@pytest.mark.parametrize(
    ("mode", "made", "reason"),
    [
        ("DaemonSet", workload(kinds.DAEMON_SET), "AgentsNotConnected"),
        ("DaemonSet", workload(kinds.DAEMON_SET, observedGeneration=1, desiredNumberScheduled=0), "AgentsNotScheduled"),
        ("DaemonSet", workload(kinds.DAEMON_SET, observedGeneration=1, desiredNumberScheduled=2), "AgentsNotConnected"),
        ("Deployment", workload(kinds.DEPLOYMENT, observedGeneration=1, replicas=2), "AgentsNotConnected"),
    ],
)
def test_nodes_without_agents_say_what_to_look_at(mode: str, made: Manifest, reason: str) -> None:
    seen = world(mode=mode).inside(Seen().with_objects(made))
    found = words.not_connected(seen)
    assert (found.works, found.reason) == (False, reason)
    assert f"{mode} kube-system/konnectivity-agent" in found.message


def test_what_a_node_said_is_not_repeated() -> None:
    evil = "error trying to reach service: <script>"
    assert "script" not in words.silent(world(), evil).message
    assert words.silent(world(), f"{evil} No agent available").reason == "AgentsNotConnected"


@pytest.mark.parametrize(("made", "number"), [({"numberReady": 3}, 3), ({"readyReplicas": 2}, 2), ({}, 0)])
def test_agents_that_are_ready_are_connected(made: dict[str, int], number: int) -> None:
    assert words.connected({"status": made}) == number
