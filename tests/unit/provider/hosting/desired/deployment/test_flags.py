"""Command lines: ours sorted, then the user's as written; a default gives way, what keeps tenants apart does not."""

from __future__ import annotations

import pytest

from provider.api.verdict import Invalid
from provider.hosting.desired.deployment import flags


@pytest.mark.parametrize(
    ("argument", "name"),
    [
        ("--v=4", "v"),
        ("-v=4", "v"),
        ("--profiling", "profiling"),
        ("--etcd_servers=x", "etcd-servers"),
        ("--feature-gates=A=true,B=false", "feature-gates"),
        ("plain", "plain"),
    ],
)
def test_a_flag_is_known_by_its_name_however_it_is_written(argument: str, name: str) -> None:
    assert flags.name_of(argument) == name


def test_ours_come_sorted_and_the_users_after_them_as_written() -> None:
    made = flags.merged("apiServer", {"b": "1"}, {"a": "2", "c": "3"}, ("--z=1", "--y"), {})
    assert made == ["--a=2", "--b=1", "--c=3", "--z=1", "--y"]


@pytest.mark.parametrize("argument", ["--profiling=true", "-profiling=true", "--profiling"])
def test_a_default_gives_way_to_the_users_flag(argument: str) -> None:
    assert flags.merged("apiServer", {}, {"profiling": "false"}, (argument,), {}) == [argument]


def test_a_flag_written_twice_stays_twice_for_the_program_to_judge() -> None:
    twice = ("--service-account-issuer=a", "--service-account-issuer=b")
    assert flags.merged("apiServer", {}, {"service-account-issuer": "x"}, twice, {}) == list(twice)


@pytest.mark.parametrize("argument", ["--secure-port=1", "--secure_port=1", "-secure-port=1", "--secure-port"])
def test_a_managed_flag_is_refused_with_where_to_write_it_instead(argument: str) -> None:
    with pytest.raises(Invalid) as caught:
        flags.merged("apiServer", {"secure-port": "6443"}, {}, (argument,), {"secure-port": "write it to port"})
    assert caught.value.reason == "FlagManaged"
    assert caught.value.message == (
        "spec.controlPlane.deployment.extraArgs.apiServer: --secure-port is set by the provider: write it to port"
    )


def test_a_managed_flag_without_another_place_is_to_be_removed() -> None:
    with pytest.raises(Invalid, match="--kubeconfig is set by the provider: remove it"):
        flags.merged("scheduler", {"kubeconfig": "x"}, {}, ("--kubeconfig=/mine",), {})


@pytest.mark.parametrize("argument", ["--etcd-servers=https://mine", "--etcd_prefix=/other", "--etcd-anything-new=1"])
def test_where_the_state_lives_is_no_users_to_say_in_any_program(argument: str) -> None:
    with pytest.raises(Invalid, match="FlagManaged"):
        flags.merged("controllerManager", {}, {}, (argument,), {})
