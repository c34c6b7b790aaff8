"""Writes pages, and what Prometheus and Grafana read: `python -m docs` (of `make generate`). A test fails for a stale one."""

from __future__ import annotations

import sys

from docs import alerts, credentials, dashboards, fields, helm, metrics, promises, runbook, scenes, settings
from docs.evidence import ROOT

PAGES = {
    "config/grafana/fleet.json": dashboards.fleet,
    "config/grafana/tenant.json": dashboards.tenant,
    "config/prometheus/rules.yaml": alerts.rules,
    "docs/credentials.md": credentials.page,
    "docs/fields.md": fields.page,
    "docs/helm.md": helm.page,
    "docs/metrics.md": metrics.page,
    "docs/pictures/credentials.svg": credentials.drawing,
    **{f"docs/pictures/{name}.svg": drawn for name, drawn in scenes.SCENES.items()},
    "docs/promises.md": promises.page,
    "docs/runbook.md": runbook.page,
    "docs/settings.md": settings.page,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (ROOT / name).write_text(page())
        sys.stdout.write(f"{name}\n")
