"""Where pods run and as whom: what the user wrote, whole; what we add where he wrote nothing."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api import names
from provider.hosting.desired.deployment import placement
from provider.manifest import pod
from tests.golden.world import tenant, view

SELECTOR = {"matchLabels": {names.LABEL_NAME: "demo"}}
ZONES = {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}


def fields(port: int = 6443, **deployment: Any) -> dict[str, Any]:
    return placement.of(view(tenant(controlPlane={"deployment": deployment}, networkProfile={"port": port})))


def test_pods_get_no_token_of_the_management_cluster() -> None:
    assert fields()["automountServiceAccountToken"] is False
    assert fields(automountServiceAccountToken=True)["automountServiceAccountToken"] is True
    assert fields()["enableServiceLinks"] is False


def test_pods_are_nobody_under_the_restricted_standard() -> None:
    security = fields()["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == pod.NOBODY
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert "sysctls" not in security


def test_a_port_that_only_root_may_open_is_opened_to_all() -> None:
    assert fields(port=443)["securityContext"]["sysctls"] == [
        {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}
    ]


@pytest.mark.parametrize("written", [{"runAsUser": 7}, {}])
def test_a_context_the_user_writes_replaces_ours_whole(written: dict[str, Any]) -> None:
    assert fields(port=443, podSecurityContext=written)["securityContext"] == written


@pytest.mark.keeps("better.spread")
def test_several_replicas_keep_apart_where_nodes_allow_it() -> None:
    (found,) = fields(replicas=2)["topologySpreadConstraints"]
    assert (found["topologyKey"], found["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "ScheduleAnyway")
    assert found["labelSelector"] == SELECTOR
    assert found["matchLabelKeys"] == ["pod-template-hash"], "the pods a rollout replaces do not count"


@pytest.mark.parametrize("deployment", [{"replicas": 1}, {"replicas": 2, "affinity": {"podAntiAffinity": {}}}])
def test_one_replica_or_an_affinity_of_the_users_is_spread_by_nobody(deployment: dict[str, Any]) -> None:
    assert "topologySpreadConstraints" not in fields(**deployment)


def test_the_users_constraints_are_taken_and_get_our_selector_where_they_have_none() -> None:
    own = {**ZONES, "labelSelector": {"matchLabels": {"mine": "1"}}}
    found = fields(replicas=2, topologySpreadConstraints=[ZONES, own])["topologySpreadConstraints"]
    assert found == [{**ZONES, "labelSelector": SELECTOR}, own]


def test_what_the_user_leaves_out_is_not_said() -> None:
    assert not {"affinity", "nodeSelector", "runtimeClassName", "tolerations"} & set(fields(replicas=1))


def test_what_the_user_writes_is_said_as_it_is() -> None:
    written: dict[str, Any] = {
        "affinity": {"nodeAffinity": {}},
        "nodeSelector": {"pool": "a"},
        "runtimeClassName": "gvisor",
        "tolerations": [{"operator": "Exists"}],
        "serviceAccountName": "control-planes",
    }
    assert {key: fields(**written)[key] for key in written} == written
