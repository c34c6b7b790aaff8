"""kube-controller-manager and kube-scheduler: the user's flags win, but for how the scheduler reaches its API server."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api.verdict import Invalid
from provider.hosting.desired.deployment import scheduler
from tests.golden.world import Walked, tenant, view, walk


def walked(field: str = "scheduler", *user: str, **network: Any) -> Walked:
    deployment = {"extraArgs": {field: list(user)}}
    return walk(view(tenant(controlPlane={"deployment": deployment}, networkProfile=network)))


@pytest.mark.parametrize("flag", sorted(scheduler.MANAGED))
def test_how_the_scheduler_reaches_its_api_server_is_not_the_users(flag: str) -> None:
    found = walked("scheduler", f"--{flag}=mine").declined["deployment"]
    assert isinstance(found, Invalid)
    assert f"extraArgs.scheduler: --{flag} is set by the provider: remove it" in found.message


def test_any_flag_of_the_controller_manager_gives_way_to_the_user() -> None:
    ours = [each.split("=")[0] for each in walked().args("kube-controller-manager")]
    for each in ours:
        args = walked("controllerManager", f"{each}=mine").args("kube-controller-manager")
        assert [arg for arg in args if arg.startswith(f"{each}=")] == [f"{each}=mine"]


def test_without_pod_ranges_nodes_get_none() -> None:
    args = walked(podCidr="").args("kube-controller-manager")
    assert "--allocate-node-cidrs=false" in args
    assert not [each for each in args if each.startswith("--cluster-cidr")]


def test_two_families_are_two_pod_ranges() -> None:
    args = walked(podCidrs=["10.244.0.0/16", "fd01::/56"]).args("kube-controller-manager")
    assert "--cluster-cidr=10.244.0.0/16,fd01::/56" in args
    assert "--allocate-node-cidrs=true" in args


def test_tokens_for_joining_are_signed_and_cleaned() -> None:
    assert "--controllers=*,bootstrapsigner,tokencleaner" in walked().args("kube-controller-manager")


@pytest.mark.parametrize("program", ["kube-controller-manager", "kube-scheduler"])
def test_both_talk_to_the_api_server_of_their_own_pod_with_their_own_kubeconfig(program: str) -> None:
    name = program.removeprefix("kube-")
    assert f"--kubeconfig=/etc/kubernetes/{name}.conf" in walked().args(program)
    mounts = walked().container(program)["volumeMounts"]
    assert {"name": f"{name}-kubeconfig", "mountPath": "/etc/kubernetes", "readOnly": True} in mounts


def test_the_scheduler_sees_no_key_of_the_tenant() -> None:
    mounts = [each["name"] for each in walked().container("kube-scheduler")["volumeMounts"]]
    assert mounts == ["scheduler-kubeconfig"]
