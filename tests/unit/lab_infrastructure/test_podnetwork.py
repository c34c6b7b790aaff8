"""The pod network of machines that go off or are deleted while a pass is at work on them."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, cast

import pytest

from lab import cni
from lab.infrastructure.instances import Instances
from lab.infrastructure.podnetwork import PodNetworkPass
from lab.machine import Machine
from lab.state import Lab

SUBNETS = {"one": "10.244.0.0/24", "two": "10.244.1.0/24"}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Its machines are gone, and still said to run: what a pass has just seen."""
    monkeypatch.setenv("CAPI_KAMAJI_LABS", str(tmp_path))
    monkeypatch.setattr(Machine, "running", lambda _: True)
    lab = Lab("unit")
    lab.root.mkdir()
    (lab.root / "addresses.json").write_text(json.dumps({each: f"172.30.0.1{n}" for n, each in enumerate(SUBNETS)}))
    return lab


def kept(lab: Lab, subnets: dict[str, str]) -> list[str]:
    return PodNetworkPass(cast("Any", None), Instances(lab))._keep(lab, subnets)


def test_machines_that_vanish_during_a_pass_are_a_line_each_and_looked_at_again(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert kept(lab, SUBNETS) == ["one", "two"]
    assert [each.exc_info for each in caplog.records] == [None, None]
    assert "machine one of lab unit is off" in caplog.messages[0]


def test_one_whose_namespace_went_after_its_bridge_was_written_says_so(
    lab: Lab, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cni, "write", lambda *_: False)
    assert kept(lab, SUBNETS) == ["one", "two"]
    assert all(each.startswith(f"pod network of {name}: ") for each, name in zip(caplog.messages, SUBNETS, strict=True))
    assert "No such file or directory" in caplog.messages[0]


def test_one_that_is_gone_with_its_address_gets_no_new_one(lab: Lab) -> None:
    kept(lab, {**SUBNETS, "gone": "10.244.2.0/24"})
    assert "gone" not in lab.network().allocated()
