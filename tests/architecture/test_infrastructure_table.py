"""The infrastructure table is the truth: rights and docs are made from it, and each row says where it comes from."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from provider.capi import infra

ROOT = Path(__file__).parents[2]
TABLE: dict[str, Any] = tomllib.loads((ROOT / "provider" / "capi" / "infraclusters.toml").read_text())
WRITTEN = ROOT / "tests" / "integration" / "templates" / "written"
GROUP = "infrastructure."  # how the API groups of infrastructure providers begin
CLOUDS = (
    *("AWS", "Azure", "Dev", "Docker", "GCP", "Hetzner", "IonosCloud", "Kubevirt", "Metal3", "MetalStack"),
    *("Nutanix", "OpenStack", "Packet", "Proxmox", "Tinkerbell", "VSphere"),
)
NAMED = {f"{each}Cluster" for each in CLOUDS}
"""Kinds that users of upstream's provider count on, and those of Cluster API's own providers."""


def maker() -> Any:
    spec = importlib.util.spec_from_file_location("infrastructure", ROOT / "config" / "infrastructure.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def granted() -> dict[tuple[str, str], set[str]]:
    """(group, plural) → verbs, of all that config/rbac says about infrastructure."""
    found: dict[tuple[str, str], set[str]] = {}
    for file in (ROOT / "config" / "rbac").glob("*.yaml"):
        for document in yaml.safe_load_all(file.read_text()):
            for rule in document.get("rules", ()):
                for group in rule["apiGroups"]:
                    if group.startswith(GROUP):
                        for plural in rule["resources"]:
                            found.setdefault((group, plural), set()).update(rule["verbs"])
    return found


def test_rights_and_docs_are_what_the_table_makes() -> None:
    made = maker()
    assert made.ROLE.read_text() == made.role(TABLE), "run `make generate`"
    assert made.PAGE.read_text() == made.page(TABLE), "run `make generate`"


def test_rights_are_exactly_those_that_the_table_needs() -> None:
    needed = {(row["group"], row["plural"]): {"get", "patch"} for row in TABLE.values()}
    needed |= {(row["group"], f"{row['plural']}/status"): {"patch"} for row in TABLE.values()}
    assert granted() == needed


def test_every_row_can_be_read_and_none_that_users_count_on_is_missing() -> None:
    assert set(infra.table()) == set(TABLE)
    assert set(TABLE) >= NAMED
    assert list(TABLE) == sorted(TABLE)


@pytest.mark.parametrize("kind", TABLE)
def test_a_row_is_whole(kind: str) -> None:
    row = TABLE[kind]
    known = {"group", "plural", "mode", "host", "port", "ready", "needs"}
    known |= {"module", "version", "sum", "crd", "read", "written"}
    assert set(row) <= known, "a word that nobody reads"
    assert row["group"].startswith(GROUP)
    assert row["plural"] == f"{kind.lower()}s"
    assert row["mode"] in ("check", "patch")
    assert row["host"].startswith("spec.") and row["port"].startswith("spec.")


@pytest.mark.parametrize("kind", TABLE)
def test_a_row_says_against_what_it_is_tested_or_where_it_was_read(kind: str) -> None:
    row = TABLE[kind]
    if "module" in row:
        assert row["version"].startswith("v")
        assert row["sum"].startswith("h1:")
        assert row["crd"].endswith(f"{row['group']}_{row['plural']}.yaml")
        assert "read" not in row
    elif kind == "LabCluster":
        assert row["read"] == "lab/infrastructure of this repository"
    else:
        assert re.fullmatch(r"github\.com/\S+ at [0-9a-f]{40}", row["read"])
        assert (WRITTEN / row["written"]).exists()
