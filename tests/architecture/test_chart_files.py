"""The chart's files are what config/ makes, each value has a place in a template, and its files are those of config/."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from config.chart import __main__ as chart
from config.chart import values
from docs import helm
from docs.evidence import ROOT

FILES = chart.files()
TEMPLATES = "".join(text for name, text in FILES.items() if name.startswith("templates/"))


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_the_chart_is_fresh(name: str) -> None:
    assert (chart.CHART / name).read_text() == FILES[name], "run `make generate`"


def test_there_is_no_other_file() -> None:
    assert {str(each.relative_to(chart.CHART)) for each in chart.CHART.rglob("*") if each.is_file()} == FILES.keys()


def test_nothing_in_the_tree_is_a_link() -> None:
    """Not every way that a tree is handed on keeps links."""
    listed = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not [line for line in listed.splitlines() if line.startswith("120000")]


@pytest.mark.parametrize("path", [each.path for each in values.VALUES])
def test_a_value_has_a_place_in_a_template(path: str) -> None:
    assert f".Values.{path}" in TEMPLATES


def test_values_yaml_says_the_defaults() -> None:
    assert yaml.safe_load(FILES["values.yaml"]) == values.defaults()


def test_the_schema_knows_every_default_and_nothing_else() -> None:
    def paths(schema: dict[str, object], prefix: str = "") -> set[str]:
        found: set[str] = set()
        for name, each in schema.get("properties", {}).items():  # type: ignore[attr-defined]
            inner = each.get("additionalProperties") is False and f"{prefix}{name}" != "settings"
            found |= paths(each, f"{prefix}{name}.") if inner else {f"{prefix}{name}"}
        return found

    assert paths(json.loads(FILES["values.schema.json"])) == {each.path for each in values.VALUES} | {"global"}


def test_every_variable_of_clusterctls_has_a_value() -> None:
    sources = [*Path(values.CONFIG / "rbac").glob("*.yaml"), values.CONFIG / "manager" / "deployment.yaml"]
    text = "".join(each.read_text() for each in sources)
    assert {each for each in values.VARIABLES if f"${{{each}:=" in text} == set(values.VARIABLES)
    assert "${" not in TEMPLATES


def test_the_page_is_fresh() -> None:
    assert (ROOT / "docs" / "helm.md").read_text() == helm.page(), "run `make generate`"
