"""Leader election costs etcd writes: none for one replica, unhurried for more, and the user's times whole."""

from __future__ import annotations

import pytest

from tests.golden.world import tenant, view, walk

PROGRAMS = {"kube-controller-manager": "controllerManager", "kube-scheduler": "scheduler"}
every_program = pytest.mark.parametrize("program", PROGRAMS)


def elected(program: str, replicas: int, *user: str) -> list[str]:
    deployment = {"replicas": replicas, "extraArgs": {PROGRAMS[program]: list(user)}}
    args = walk(view(tenant(controlPlane={"deployment": deployment}))).args(program)
    return sorted(each.removeprefix("--leader-elect") for each in args if each.startswith("--leader-elect"))


@every_program
@pytest.mark.parametrize("replicas", [0, 1])
def test_one_replica_elects_nobody(program: str, replicas: int) -> None:
    assert elected(program, replicas) == ["=false"]


@every_program
def test_several_replicas_elect_without_haste(program: str) -> None:
    assert elected(program, 2) == ["-lease-duration=40s", "-renew-deadline=30s", "-retry-period=8s", "=true"]


@every_program
def test_when_the_user_writes_one_time_none_of_ours_contradicts_it(program: str) -> None:
    """A lease of 15 s with a deadline of 30 s would keep the program from starting."""
    assert elected(program, 2, "--leader-elect-lease-duration=15s") == ["-lease-duration=15s", "=true"]
    assert elected(program, 2, "--leader_elect_renew_deadline=60s") == ["=true"]


@every_program
def test_the_user_may_elect_with_one_replica(program: str) -> None:
    assert elected(program, 1, "--leader-elect=true") == ["=true"]
