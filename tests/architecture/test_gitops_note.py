"""The script for Argo CD in docs/gitops.md says of real statuses what it should. Run by a real Lua, as Argo CD does."""

from __future__ import annotations

from typing import Any

import lupa
import pytest
import yaml

from docs.evidence import ROOT
from provider.manifest import condition
from tests.golden.cases import CASES, reported

TEXT = (ROOT / "docs" / "gitops.md").read_text()
BLOCK = TEXT.split("```yaml\n")[1].split("```")[0]
((KEY, SCRIPT),) = yaml.safe_load(BLOCK)["data"].items()


def health(obj: dict[str, Any]) -> tuple[str, str]:
    lua = lupa.LuaRuntime()
    lua.globals().obj = lua.table_from(obj, recursive=True)
    said = lua.execute(SCRIPT)
    return str(said["status"]), str(said["message"])


def with_status(status: dict[str, Any], generation: int) -> dict[str, Any]:
    return {"metadata": {"generation": generation}, "status": status}


def test_it_is_for_our_kind() -> None:
    assert KEY == "resource.customizations.health.kamaji.clastix.io_TenantControlPlane"


@pytest.mark.parametrize("case", CASES, ids=lambda each: each.folder.name)
def test_a_tenant_that_is_ready_is_healthy_and_one_that_sleeps_is_suspended(case: Any) -> None:
    status = reported(case.walked())
    status = {key: status[key] for key in ("conditions", "observedGeneration")}
    said, _ = health(with_status(status, case.tcp.metadata.generation))
    waits = "Progressing" if case.awake else "Suspended"
    assert said == ("Healthy" if condition.holds(status["conditions"], "Ready") else waits)


def test_among_the_cases_there_are_tenants_of_all_three() -> None:
    ready = [condition.holds(reported(each.walked())["conditions"], "Ready") for each in CASES]
    assert {*zip(ready, (each.awake for each in CASES), strict=True)} == {(True, True), (False, True), (False, False)}


def test_one_that_nobody_has_looked_at_is_under_way() -> None:
    assert health({"metadata": {"generation": 1}})[0] == "Progressing"
    ready = {"type": "Ready", "status": "True", "reason": "Ready", "message": "x"}
    stale = {"conditions": [ready], "observedGeneration": 1}
    assert health(with_status(stale, 2))[0] == "Progressing"
    assert health(with_status(stale, 1))[0] == "Healthy"


@pytest.mark.parametrize("stalled_first", [True, False])
def test_one_that_waits_for_you_is_degraded_and_says_why(stalled_first: bool) -> None:
    conditions = [
        {"type": "Ready", "status": "False", "reason": "VersionTooNew", "message": "x"},
        {"type": "Stalled", "status": "True", "reason": "VersionTooNew", "message": "choose another version"},
    ]
    status = {"conditions": conditions[::-1] if stalled_first else conditions, "observedGeneration": 1}
    assert health(with_status(status, 1)) == ("Degraded", "choose another version")


def test_one_that_starts_is_under_way_and_says_at_what() -> None:
    ready = {"type": "Ready", "status": "False", "reason": "PodsStarting", "message": "waiting for the first pod"}
    status = {"conditions": [ready], "observedGeneration": 1}
    assert health(with_status(status, 1)) == ("Progressing", "waiting for the first pod")
