"""Alerts, dashboards and the page of metrics name only metrics and labels that there are, and leave none out; none is stale."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from docs import alerts, dashboards, metrics, runbook
from docs.evidence import ROOT
from provider.telemetry import table

MADE: dict[str, Callable[[], str]] = {
    "config/prometheus/rules.yaml": alerts.rules,
    "config/grafana/fleet.json": dashboards.fleet,
    "config/grafana/tenant.json": dashboards.tenant,
    "docs/metrics.md": metrics.page,
}
QUERIES = [*dashboards.expressions(), *((each.name, each.expr) for each in alerts.alerts())]
VARIABLES = [each for said in dashboards.read().values() for each in said.get("variables", {}).values()]
OTHERS = {"process_resident_memory_bytes": {"container", "pod"}}
"""Of the process, by the Python client; labels of the scrape."""


def series(query: str) -> set[str]:
    return set(re.findall(r"\b(?:kamaji|process)_\w+", query))


def labels(query: str) -> set[str]:
    """In matchers and in groupings."""
    matched = {
        each for inside in re.findall(r"\{([^}]*)\}", query) for each in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside)
    }
    grouped = re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", query)
    return matched | {each.strip() for inside in grouped for each in inside.split(",")}


def known(query: str) -> set[str]:
    """Labels of all metrics in a query."""
    found = {"le"} if "_bucket" in query else set()
    for each in series(query):
        found |= set(table.BY_SERIES[each].labels) if each in table.BY_SERIES else OTHERS[each]
    return found


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_is_fresh(name: str) -> None:
    assert (ROOT / name).read_text() == MADE[name](), "run `make generate`"


@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[each for each, _ in QUERIES])
def test_a_query_names_series_and_labels_that_there_are(title: str, query: str) -> None:
    assert series(query), "it asks for something of ours"
    assert series(query) <= {*table.BY_SERIES, *OTHERS}
    assert labels(query) <= known(query)


@pytest.mark.parametrize("query", VARIABLES)
def test_a_variable_is_of_a_label_that_there_is(query: str) -> None:
    wanted = re.fullmatch(r"label_values\(.+, (\w+)\)", query)
    assert wanted is not None
    assert {wanted[1], *labels(query)} <= known(query)


@pytest.mark.parametrize(
    "legend",
    [q for said in dashboards.read().values() for r in said["rows"] for p in r["panels"] for q in p["queries"]],
    ids=lambda each: each[0][:40],
)
def test_a_legend_tells_labels_that_the_query_leaves(legend: list[str]) -> None:
    query, words = legend
    told = set(re.findall(r"\{\{(\w+)\}\}", words))
    assert told <= known(query)
    if grouped := re.search(r"\bby \(([^)]*)\)", query):
        assert told <= {each.strip() for each in grouped[1].split(",")}


@pytest.mark.parametrize("query", ["sum by (nowhere) (kamaji_queue_depth)", 'kamaji_leader{kind="x"}'])
def test_a_label_that_there_is_not_is_found(query: str) -> None:
    assert not labels(query) <= known(query)


@pytest.mark.parametrize("name", ["fleet", "tenant"])
def test_panels_lie_side_by_side(name: str) -> None:
    panels = json.loads((ROOT / "config" / "grafana" / f"{name}.json").read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for each in panels:
        at = each["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= dashboards.COLUMNS
        taken |= cells
    assert len({each["id"] for each in panels}) == len(panels)


def test_every_metric_is_on_a_dashboard() -> None:
    shown = {each for _, query in dashboards.expressions() for each in series(query)}
    assert not [each.name for each in table.TABLE if not shown & set(each.series)]


def test_every_alert_leads_to_its_entry_of_the_runbook() -> None:
    headings = re.findall(r"^### (\w+)$", runbook.page(), re.MULTILINE)
    assert headings == [each.name for each in alerts.alerts()]
    for each in alerts.alerts():
        assert each.runbook.partition("#")[2] in {heading.lower() for heading in headings}
        assert each.severity in ("critical", "warning")
        assert len(each.advice.next) > 20 and each.advice.look
        assert set(re.findall(r"\$labels\.(\w+)", each.summary)) <= known(each.expr)
