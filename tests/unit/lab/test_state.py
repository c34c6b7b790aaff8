"""Processes are known again by id and start time; addresses are given once and come back."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from lab.network import BALANCER, BALANCERS, MACHINES
from lab.state import Lab, Process, wait_for_end


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("CAPI_KAMAJI_LABS", str(tmp_path))
    return Lab("unit")


def test_a_process_that_was_started_is_known_and_ended(lab: Lab) -> None:
    process = lab.process("sleeper")
    process.start(["sleep", "60"], lab.log("sleeper"))
    assert process.pid() is not None
    process.end()
    assert process.pid() is None
    assert not process.record.exists()


def test_starting_twice_starts_once(lab: Lab) -> None:
    process = lab.process("sleeper")
    process.start(["sleep", "60"], lab.log("sleeper"))
    first = process.pid()
    process.start(["sleep", "60"], lab.log("sleeper"))
    assert process.pid() == first
    process.end()


def test_somebody_elses_process_with_the_recorded_id_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        record = tmp_path / "stranger.json"
        record.write_text(json.dumps({"pid": stranger.pid, "started": "1"}))
        Process(record).end()
        assert stranger.poll() is None, "it still runs"
        stranger.kill()


def test_an_owner_keeps_its_address_and_two_owners_never_share_one(lab: Lab) -> None:
    network = lab.network()
    first = network.allocate("a")
    assert network.allocate("a") == first
    assert network.allocate("b") != first
    network.release("a")
    assert network.allocate("c") == first


def test_machines_and_load_balancers_take_from_different_ranges(lab: Lab) -> None:
    network = lab.network()
    assert int(network.allocate("machine").rpartition(".")[2]) in MACHINES
    assert int(network.allocate(f"{BALANCER}ns/svc").rpartition(".")[2]) in BALANCERS


def test_a_lab_with_a_number_has_addresses_of_its_own() -> None:
    assert [str(Lab(each).network().gateway) for each in ("lab", "lab-2", "x-12")] == [
        "172.30.0.1",
        "172.30.2.1",
        "172.30.12.1",
    ]


def test_when_no_address_is_left_it_is_said(lab: Lab) -> None:
    network = lab.network()
    for number in MACHINES:
        network.allocate(f"m{number}")
    with pytest.raises(RuntimeError, match="no address"):
        network.allocate("one-too-many")


def test_a_process_whose_record_was_never_finished_is_found_by_its_mark(lab: Lab) -> None:
    process = lab.process("sleeper")
    process.start(["sleep", "60"], lab.log("sleeper"))
    known = process.pid()
    process.record.write_text("")
    assert process.pid() == known
    process.end()
    assert process.pid() is None


def test_the_end_of_a_process_is_waited_for_and_not_for_ever() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        began = time.monotonic()
        wait_for_end(process.pid, 0.1)
        assert time.monotonic() - began >= 0.1
        process.kill()
        wait_for_end(process.pid, 60.0)
        assert process.poll() is not None
