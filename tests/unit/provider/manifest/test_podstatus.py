"""Why a pod does not run, in words that stay the same while it does not."""

from __future__ import annotations

from typing import Any

import pytest

from provider.manifest import podstatus


def pod(name: str, **status: Any) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": name}, "status": status}


def waiting(reason: str) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "etcd", "image": "etcd:v1", "state": {"waiting": {"reason": reason}}}]}


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (waiting("ImagePullBackOff"), "ImageUnavailable", "image etcd:v1"),
        (waiting("CrashLoopBackOff"), "ContainerFails", "container etcd"),
        ({"conditions": [{"type": "PodScheduled", "status": "False"}]}, "Unschedulable", "no node"),
    ],
)
def test_what_hinders_a_pod_is_said(status: dict[str, Any], reason: str, words: str) -> None:
    found = podstatus.hindrance([pod("a", **status)])
    assert found is not None
    assert found[0] == reason
    assert words in found[1]


@pytest.mark.parametrize("status", [{}, waiting("ContainerCreating"), waiting("PodInitializing")])
def test_a_pod_that_may_just_need_time_is_not_blamed(status: dict[str, Any]) -> None:
    assert podstatus.hindrance([pod("a", **status)]) is None


def test_of_several_the_first_by_name_is_told() -> None:
    found = podstatus.hindrance([pod("b", **waiting("ErrImagePull")), pod("a", **waiting("CrashLoopBackOff"))])
    assert found is not None
    assert found[0] == "ContainerFails"


def crashing(message: str = "", restarts: int = 3, **state: Any) -> dict[str, Any]:
    last = {"terminated": {"exitCode": 1, "message": message}}
    status = {"name": "kube-apiserver", "started": False, "restartCount": restarts, "lastState": last, **state}
    return {"containerStatuses": [status]}


def test_a_container_that_ends_again_and_again_is_blamed_with_the_same_words_at_every_turn() -> None:
    waiting_now = crashing(state={"waiting": {"reason": "CrashLoopBackOff"}})
    running_now = crashing(state={"running": {}})
    ended_now = crashing(state={"terminated": {"exitCode": 1}})
    found = {podstatus.hindrance([pod("a", **each)]) for each in (waiting_now, running_now, ended_now)}
    assert found == {
        ("ContainerFails", "container kube-apiserver ends again and again (CrashLoopBackOff); see its log")
    }


@pytest.mark.parametrize(
    ("message", "flag"),
    [
        ("Error: unknown flag: --experimental-x", "--experimental-x"),
        ('"command failed" err="unknown flag: --old_one"', "--old_one"),
        ('invalid argument "x" for "--max-requests" flag: strconv', "--max-requests"),
        (r'err="invalid argument \"x\" for \"--max-requests\" flag"', "--max-requests"),
    ],
)
def test_a_flag_that_a_version_refuses_is_named(message: str, flag: str) -> None:
    found = podstatus.hindrance([pod("a", **crashing(message))])
    assert found == ("ContainerFails", f"container kube-apiserver does not start: it refuses the flag {flag}")


def test_nothing_else_of_a_programs_last_words_is_repeated() -> None:
    found = podstatus.hindrance([pod("a", **crashing("password=hunter2"))])
    assert found is not None
    assert "hunter2" not in found[1]


def test_one_restart_and_a_container_that_has_started_are_not_blamed() -> None:
    assert podstatus.hindrance([pod("a", **crashing(restarts=1, state={"running": {}}))]) is None
    up = crashing(state={"running": {}})
    up["containerStatuses"][0]["started"] = True
    assert podstatus.hindrance([pod("a", **up)]) is None


def test_an_init_container_is_looked_at_too() -> None:
    found = podstatus.hindrance([pod("a", initContainerStatuses=waiting("ErrImagePull")["containerStatuses"])])
    assert found is not None
    assert found[0] == "ImageUnavailable"
