"""Alerts, made of `config/prometheus/alerts.toml`: the rules that Prometheus reads, and what to do, for docs/runbook.md."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from docs.evidence import REPOSITORY, ROOT
from provider.overview.runbook import Advice

SOURCE = ROOT / "config" / "prometheus" / "alerts.toml"
HEAD = "# Made from alerts.toml by `make generate`; edit there.\n"
PAGE = "docs/runbook.md"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert."""

    name: str
    expr: str
    wait: str
    severity: str
    summary: str
    advice: Advice

    @property
    def runbook(self) -> str:
        """Where to read on: a heading's anchor is its words in lower case."""
        return f"{REPOSITORY}/{PAGE}#{self.name.lower()}"

    def rule(self) -> dict[str, Any]:
        """As Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.wait,
            "labels": {"severity": self.severity},
            "annotations": {"summary": self.summary, "runbook_url": self.runbook},
        }


@cache
def alerts() -> tuple[Alert, ...]:
    """All of them, in the order written."""
    return tuple(_alert(each) for each in tomllib.loads(SOURCE.read_text())["alert"])


def _alert(said: dict[str, Any]) -> Alert:
    advice = Advice(said["next"], tuple(said["look"]))
    expr = " ".join(said["expr"].split())
    return Alert(said["name"], expr, said["for"], said["severity"], said["summary"], advice)


def groups() -> dict[str, Any]:
    """The rules as a file of Prometheus."""
    return {"groups": [{"name": "kamaji", "rules": [each.rule() for each in alerts()]}]}


def rules() -> str:
    """`config/prometheus/rules.yaml`: the same as an object of the Prometheus operator."""
    metadata = {
        "name": "kamaji-provider",
        "namespace": "kamaji-system",
        "labels": {"app.kubernetes.io/name": "kamaji-provider"},
    }
    document = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata,
        "spec": groups(),
    }
    return HEAD + yaml.safe_dump(document, sort_keys=False, width=120)


def section() -> str:
    """What to do about each, for the page."""
    return "\n".join(["## Alerts\n", *(_entry(each) for each in alerts())])


def _entry(alert: Alert) -> str:
    commands = "\n".join(alert.advice.look)
    expr = f"`{alert.expr}`, for {alert.wait}"
    return f"### {alert.name}\n\n{alert.severity}: {expr}.\n\n{alert.advice.next}\n\n```sh\n{commands}\n```\n"
