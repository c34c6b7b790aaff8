"""Alerts are rules that Prometheus takes, each fires when it should and not before, and says where to read on. By promtool."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import alerts, dashboards
from docs.evidence import ROOT
from lab import debian

CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("alerts.yaml").read_text())
RULES = yaml.safe_load((ROOT / "config" / "prometheus" / "rules.yaml").read_text())


def promtool(*arguments: str) -> str:
    done = subprocess.run([str(debian.path("promtool")), *arguments], capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """What the PrometheusRule holds, as a file of Prometheus."""
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(RULES["spec"]))
    return file


def asked(rules: Path, case: dict[str, Any], series: dict[str, str], times: list[tuple[str, bool]]) -> str:
    """What promtool says of the alert at those times: whether it fires then."""
    alert = next(each for each in alerts.alerts() if each.name == case["alert"])
    expected = {
        "exp_labels": {"severity": alert.severity, **case.get("labels", {})},
        "exp_annotations": {"summary": case["says"], "runbook_url": alert.runbook},
    }
    times_asked = [
        {"eval_time": time, "alertname": alert.name, "exp_alerts": [expected] if fires else []} for time, fires in times
    ]
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": times_asked,
    }
    file = rules.with_name("test.yaml")
    file.write_text(yaml.safe_dump({"rule_files": [rules.name], "evaluation_interval": "1m", "tests": [test]}))
    return promtool("test", "rules", str(file))


def test_prometheus_takes_the_rules(rules: Path) -> None:
    assert f"{len(alerts.alerts())} rules found" in promtool("check", "rules", str(rules))


def test_each_alert_has_its_case() -> None:
    assert [each["alert"] for each in CASES] == [each.name for each in alerts.alerts()]


@pytest.mark.parametrize("case", CASES, ids=lambda each: each["alert"])
def test_an_alert_fires_when_it_should_and_not_before(rules: Path, case: dict[str, Any]) -> None:
    asked(rules, case, case["series"], [(case["quiet"], False), (case["fires"], True)])


@pytest.mark.parametrize("case", CASES, ids=lambda each: each["alert"])
def test_an_alert_is_quiet_about_what_only_looks_like_it(rules: Path, case: dict[str, Any]) -> None:
    asked(rules, case, case["never"], [(case["quiet"], False), (case["fires"], False)])


def test_a_test_of_alerts_can_fail(rules: Path) -> None:
    case = CASES[0]
    with pytest.raises(AssertionError, match="FAILED"):
        asked(rules, case, case["series"], [(case["quiet"], True)])


def test_prometheus_can_read_every_panel(tmp_path: Path) -> None:
    found = [(title, expr) for title, expr in dashboards.expressions()]
    assert len(found) > 20
    made = [{"record": f"panel:{number}", "expr": plain(expr)} for number, (_, expr) in enumerate(found)]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": made}]}))
    assert f"{len(found)} rules found" in promtool("check", "rules", str(file))


def plain(expr: str) -> str:
    """With values where Grafana puts in its own."""
    return re.sub(r"\$\w+", "x", expr.replace("$__rate_interval", "5m").replace("$__range", "1h"))
