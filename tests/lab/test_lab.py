"""The lab itself: everything can be done twice, a killed one is cleared, two of them do not meet, nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import cluster
from lab.machine import cgroups
from lab.network import namespaces
from lab.state import Lab

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a lab makes namespaces: run as root")


def lab(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key not in ("CAPI_KAMAJI_LAB", "KUBECONFIG")}
    command = [str(Path(__file__).parents[2] / ".venv/bin/lab"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=environment)
    assert not check or done.returncode == 0, f"lab {arguments}: {done.stdout} {done.stderr}"
    return done


def left_of(name: str) -> list[str]:
    groups = [str(each) for hierarchy in cgroups.hierarchies() for each in hierarchy.glob(f"{name}.*")]
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if f"/labs/{name}/" in line]
    running = [each.name for each in Path("/proc").iterdir() if each.name.isdigit() and _of(each, name)]
    return groups + mounts + running + [each for each in namespaces() if each.startswith(f"{name}.")]


def _of(process: Path, name: str) -> bool:
    try:
        return f"/labs/{name}/".encode() in (process / "cmdline").read_bytes()
    except OSError:
        return False


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"t{abs(hash(request.node.name)) % 10**6}"
    yield name
    lab("down", "--lab", name)
    assert left_of(name) == []


def test_a_machine_is_made_used_stopped_started_and_deleted_each_twice(name: str) -> None:
    for _ in range(2):
        lab("machine", "create", "one", "--lab", name)
    assert "172.30.0." in lab("machine", "list", "--lab", name).stdout
    assert lab("machine", "exec", "--lab", name, "one", "--", "hostname").stdout == "one\n"
    assert lab("machine", "exec", "--lab", name, "one", "--", "sh", "-c", "exit 7", check=False).returncode == 7
    lab("machine", "exec", "--lab", name, "one", "--", "touch", "/var/log/kept")
    for _ in range(2):
        lab("machine", "stop", "one", "--lab", name)
    for _ in range(2):
        lab("machine", "start", "one", "--lab", name)
    assert lab("machine", "exec", "--lab", name, "one", "--", "ls", "/var/log/kept").stdout == "/var/log/kept\n"
    for _ in range(2):
        lab("machine", "delete", "one", "--lab", name)
    assert "one" not in lab("machine", "list", "--lab", name).stdout


def test_two_labs_have_the_same_addresses_and_do_not_meet(name: str) -> None:
    other = f"{name}x"
    try:
        lab("machine", "create", "one", "--lab", name)
        lab("machine", "create", "two", "--lab", other)
        assert Lab(name).machine("one").address == Lab(other).machine("two").address
        two = lab("machine", "exec", "--lab", other, "two", "--", "hostname").stdout
        assert two == "two\n"
    finally:
        lab("down", "--lab", other)
    assert left_of(other) == []
    assert lab("machine", "exec", "--lab", name, "one", "--", "hostname").stdout == "one\n"


def refused(asking: Lab, address: str) -> bool:
    """Whether it gets there: nobody listens, so who is reached refuses."""
    ask = ["timeout", "3", "bash", "-c", "exec 3<>/dev/tcp/$0/22", address]
    enter = ["nsenter", f"--net=/run/netns/{asking.name}.one"]
    return "refused" in subprocess.run([*enter, *ask], capture_output=True, text=True, check=False).stderr


def test_two_labs_that_are_joined_reach_each_other_until_one_goes(name: str) -> None:
    one, other = Lab(name), Lab(f"{name}-2")
    here, there = one.network().allocate("one"), other.network().allocate("one")
    try:
        for each, address in ((one, here), (other, there)):
            each.network().create()
            each.network().attach(f"{each.name}.one", address, "m10")
        assert not refused(one, there)
        for _ in range(2):
            lab("join", other.name, "--lab", name)
        assert any(refused(one, there) for _ in range(3))
        assert any(refused(other, here) for _ in range(3))
    finally:
        lab("down", "--lab", other.name)
    assert left_of(other.name) == []
    assert not refused(one, there)


@pytest.mark.parametrize(("other", "why"), [("x", "172.30.0.0/24"), ("-2", "is not up")])
def test_labs_that_cannot_be_joined_are_told_why(name: str, other: str, why: str) -> None:
    done = lab("join", f"{name}{other}", "--lab", name, check=False)
    assert done.returncode == 1
    assert why in done.stdout


@pytest.mark.parametrize("seconds", [0.3, 1.5, 4.0])
def test_killed_in_the_midst_of_up_the_lab_is_brought_down_clean(name: str, seconds: float) -> None:
    command = [str(Path(__file__).parents[2] / ".venv/bin/lab"), "up", "--lab", name]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as up:
        time.sleep(seconds)
        up.send_signal(signal.SIGKILL)
    lab("down", "--lab", name)
    assert left_of(name) == []


def test_a_power_cut_during_the_making_of_the_cluster_does_not_keep_the_next_one_from_it(name: str) -> None:
    for _ in range(2):
        cluster.boot(Lab(name))
        cluster.initialize(Lab(name))  # returns when the node is Ready
        cluster.management(Lab(name)).stop()


def test_what_cannot_be_done_is_said_without_a_traceback(name: str) -> None:
    done = lab("machine", "exec", "--lab", name, "absent", "--", "true", check=False)
    assert done.returncode == 1
    assert "absent" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert lab("run", "--lab", name, "--", "true", check=False).returncode == 2
