"""A LabMachine that `clusterctl move` made anew keeps the machine it had; another one of the name gets nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.infrastructure.instances import Instances, NameTakenError
from lab.state import Lab


@pytest.fixture
def instances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instances:
    monkeypatch.setenv("CAPI_KAMAJI_LABS", str(tmp_path))
    found = Instances(Lab("x"))
    assert found.ownership.claim("m", "before")
    return found


def test_who_says_its_provider_id_is_the_one_that_had_the_machine(instances: Instances) -> None:
    raw = {"metadata": {"name": "m", "uid": "after"}, "spec": {"providerID": "lab://x/m"}}
    instances._claim(Lab("x").machine("m"), raw)
    assert instances.ownership.owner("m") == "after"


@pytest.mark.parametrize("spec", [{}, {"providerID": "lab://x/other"}])
def test_who_does_not_is_told_that_the_name_is_taken(instances: Instances, spec: dict[str, str]) -> None:
    with pytest.raises(NameTakenError):
        instances._claim(Lab("x").machine("m"), {"metadata": {"name": "m", "uid": "after"}, "spec": spec})
    assert instances.ownership.owner("m") == "before"
