"""Writes the chart. A test fails when a file of it is stale, and when what it renders is not what config/ says."""

from __future__ import annotations

import json
import shutil
import sys
import tomllib
from pathlib import Path

import yaml

from config.chart import templates, values

ROOT = values.CONFIG.parent
CHART = ROOT / "charts" / "capi-kamaji"
# Of config/: a link would not survive an archive.
SHIPPED = ("crd/*.yaml", "grafana/*.json", "prometheus/*.yaml", "statuspage/*.yaml")


def files() -> dict[str, str]:
    """Path in the chart → text, of what is made."""
    return {
        "Chart.yaml": chart(),
        "values.yaml": values.text(),
        "values.schema.json": json.dumps(values.schema(), indent=2) + "\n",
        **{f"templates/{name}": text for name, text in templates.made().items()},
        **{f"files/{each.relative_to(values.CONFIG)}": each.read_text() for each in shipped()},
    }


def shipped() -> list[Path]:
    """What templates read as it stands in config/."""
    found = sorted(each for pattern in SHIPPED for each in values.CONFIG.glob(pattern))
    return [each for each in found if each.name != "kustomization.yaml"]


def chart() -> str:
    """Its head: of the same version as the program."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    document = {
        "apiVersion": "v2",
        "name": "capi-kamaji",
        "version": project["version"],
        "appVersion": values.TAG,
        "description": project["description"],
        "type": "application",
        "kubeVersion": ">=1.31.0-0",
    }
    return "# Made by `make generate`.\n" + yaml.safe_dump(document, sort_keys=False, width=120)


if __name__ == "__main__":
    shutil.rmtree(CHART, ignore_errors=True)  # with what is made no more
    for name, text in files().items():
        target = CHART / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        sys.stdout.write(f"{target.relative_to(ROOT)}\n")
