"""The dashboards of `config/grafana`, made of panels.toml: layout and boilerplate are here, what is shown is there."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Any

from docs.evidence import ROOT

SOURCE = ROOT / "config" / "grafana" / "panels.toml"
COLUMNS = 24
SIZES = {"stat": (6, 4), "timeseries": (8, 8)}  # columns and lines
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
Said = dict[str, Any]


@cache
def read() -> dict[str, Said]:
    """Both, as written."""
    return tomllib.loads(SOURCE.read_text())


def expressions() -> Iterator[tuple[str, str]]:
    """Every query, with the title of its panel."""
    for dashboard in read().values():
        for row in dashboard["rows"]:
            yield from ((panel["title"], query) for panel in row["panels"] for query, _ in panel["queries"])


def fleet() -> str:
    """config/grafana/fleet.json."""
    return _written(read()["fleet"])


def tenant() -> str:
    """config/grafana/tenant.json."""
    return _written(read()["tenant"])


def _written(said: Said) -> str:
    document = {
        "title": said["title"],
        "uid": said["uid"],
        "tags": ["kamaji"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_datasource(), *(_variable(*each) for each in said.get("variables", {}).items())]},
        "panels": list(_panels(said["rows"])),
    }
    return json.dumps(document, indent=1) + "\n"


def _datasource() -> Said:
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "current": {}}


def _variable(name: str, query: str) -> Said:
    return {"name": name, "type": "query", "datasource": DATASOURCE, "query": query, "refresh": 2, "sort": 1}


def _panels(rows: list[Said]) -> Iterator[Said]:
    """Left to right, line by line; a new line where one does not fit or is less high."""
    number = x = y = height = 0
    for row in rows:
        y, x, number = y + height, 0, number + 1
        yield {"id": number, "type": "row", "title": row["title"], "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1}}
        y, height = y + 1, 0
        for each in row["panels"]:
            width, high = SIZES[each.get("type", "timeseries")]
            if x + width > COLUMNS or (height and high != height):
                x, y = 0, y + height
            number, height = number + 1, high
            yield {"id": number, **_panel(each), "gridPos": {"x": x, "y": y, "w": width, "h": high}}
            x += width


def _panel(said: Said) -> Said:
    kind = said.get("type", "timeseries")
    options = {"options": {"textMode": said["text"]}} if "text" in said else {}
    targets = [
        {"refId": chr(ord("A") + number), "datasource": DATASOURCE, "expr": expr, "legendFormat": legend or "__auto"}
        for number, (expr, legend) in enumerate(said["queries"])
    ]
    return {
        "type": kind,
        "title": said["title"],
        "datasource": DATASOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": said.get("unit", "short")}, "overrides": []},
        **options,
    }
