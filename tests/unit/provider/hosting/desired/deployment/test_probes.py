"""Probes: quick to see a start, patient with a busy machine; numbers of a component win over those for all over ours."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api.deployment import Probes
from provider.hosting.desired.deployment import probes
from tests.golden.world import tenant, view, walk


def made(user: dict[str, Any]) -> dict[str, Any]:
    parsed = Probes.parse(user)
    return probes.of(parsed, parsed.api_server, probes.API_SERVER_PATHS, 6443)


def numbers(probe: dict[str, Any]) -> dict[str, int]:
    return {key: value for key, value in probe.items() if key != "httpGet"}


def test_when_nothing_is_written_the_numbers_are_ours() -> None:
    found = made({})
    assert numbers(found["startupProbe"]) == probes.STARTUP
    assert numbers(found["readinessProbe"]) == probes.READINESS
    assert numbers(found["livenessProbe"]) == probes.LIVENESS


def test_a_number_for_all_changes_that_number_of_that_probe() -> None:
    found = made({"startup": {"failureThreshold": 7}})
    assert numbers(found["startupProbe"]) == probes.STARTUP | {"failureThreshold": 7}
    assert numbers(found["livenessProbe"]) == probes.LIVENESS


def test_a_components_number_wins_over_that_for_all_field_by_field() -> None:
    user = {
        "liveness": {"periodSeconds": 20, "timeoutSeconds": 9},
        "apiServer": {"liveness": {"periodSeconds": 30, "initialDelaySeconds": 5}},
    }
    wanted = probes.LIVENESS | {"periodSeconds": 30, "timeoutSeconds": 9, "initialDelaySeconds": 5}
    assert numbers(made(user)["livenessProbe"]) == wanted


def test_a_zero_that_was_written_counts() -> None:
    assert made({"startup": {"initialDelaySeconds": 0}})["startupProbe"]["initialDelaySeconds"] == 0


def test_liveness_does_not_blame_the_api_server_for_an_etcd_that_is_away() -> None:
    found = made({})
    assert found["livenessProbe"]["httpGet"]["path"] == "/livez?exclude=etcd"
    assert found["readinessProbe"]["httpGet"]["path"] == "/readyz"


@pytest.mark.parametrize(
    ("program", "port"), [("kube-apiserver", 7443), ("kube-controller-manager", 10257), ("kube-scheduler", 10259)]
)
def test_each_program_is_asked_on_its_own_port_by_https(program: str, port: int) -> None:
    container = walk(view(tenant(networkProfile={"port": 7443}))).container(program)
    for kind in ("startup", "readiness", "liveness"):
        request = container[f"{kind}Probe"]["httpGet"]
        assert (request["port"], request["scheme"]) == (port, "HTTPS")


def test_one_components_numbers_are_no_others() -> None:
    user = {"scheduler": {"startup": {"failureThreshold": 9}}}
    walked = walk(view(tenant(controlPlane={"deployment": {"probes": user}})))
    assert walked.container("kube-scheduler")["startupProbe"]["failureThreshold"] == 9
    assert walked.container("kube-apiserver")["startupProbe"]["failureThreshold"] == probes.STARTUP["failureThreshold"]


def test_a_start_may_take_minutes_and_is_seen_within_a_second() -> None:
    assert probes.STARTUP["periodSeconds"] == 1
    assert probes.STARTUP["periodSeconds"] * probes.STARTUP["failureThreshold"] >= 240
