"""A LabMachine that `clusterctl move` made anew keeps the machine it had; another one of the name gets nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.infrastructure.instances import Instances, NameTakenError
from lab.infrastructure.ownership import Ownership
from lab.machine import Machine
from lab.state import Lab


@pytest.fixture
def instances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instances:
    monkeypatch.setenv("CAPI_KAMAJI_LABS", str(tmp_path))
    found = Instances(Lab("x"))
    assert had(found).claim("m", "before")
    return found


def had(instances: Instances) -> Ownership:
    return instances.ownership(Lab("x").machine("m"))


def test_who_says_its_provider_id_is_the_one_that_had_the_machine(instances: Instances) -> None:
    raw = {"metadata": {"name": "m", "uid": "after"}, "spec": {"providerID": "lab://x/m"}}
    instances._claim(Lab("x").machine("m"), raw)
    assert had(instances).owner("m") == "after"


@pytest.mark.parametrize("spec", [{}, {"providerID": "lab://x/other"}])
def test_who_does_not_is_told_that_the_name_is_taken(instances: Instances, spec: dict[str, str]) -> None:
    with pytest.raises(NameTakenError):
        instances._claim(Lab("x").machine("m"), {"metadata": {"name": "m", "uid": "after"}, "spec": spec})
    assert had(instances).owner("m") == "before"


def test_in_another_labs_management_cluster_it_is_still_the_machine_that_it_had(
    instances: Instances, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Instances(Lab("x-2"))
    raw = {"metadata": {"name": "m", "uid": "after"}, "spec": {"providerID": "lab://x/m"}}
    machine = there.machine(raw)
    assert (machine, there.provider_id(raw)) == (Lab("x").machine("m"), "lab://x/m")
    there._claim(machine, raw)
    assert had(instances).owner("m") == "after"
    monkeypatch.setattr(Machine, "exists", lambda _: True)
    assert instances.alive({"metadata": {"name": "m", "uid": "before"}}).reason == "MachineGone", "it had it"
    assert there.alive(raw).reason == "MachineOff"


@pytest.mark.parametrize("said", ["lab://nowhere/m", "lab://../m", "aws://x/m", ""])
def test_what_names_no_lab_is_a_machine_of_its_own_labs(instances: Instances, said: str) -> None:
    assert instances.machine({"metadata": {"name": "m"}, "spec": {"providerID": said}}) == Lab("x").machine("m")
