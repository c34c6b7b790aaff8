"""Makes `config/rbac/infrastructure.yaml` and `docs/infrastructure.md` from the infrastructure table. Run by `make generate`.

The table is `provider/capi/infraclusters.toml`; a test fails when what is made from it is stale.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "provider" / "capi" / "infraclusters.toml"
ROLE, PAGE = ROOT / "config" / "rbac" / "infrastructure.yaml", ROOT / "docs" / "infrastructure.md"
HEAD = "# Made from provider/capi/infraclusters.toml by `make generate`; edit there.\n"
INTRODUCTION = """# Infrastructure providers

Made from `provider/capi/infraclusters.toml` by `make generate`.

A control plane is reached at the endpoint that its Service, Ingress or Gateway has. Where the Cluster or its
infrastructure object says one first, the control plane is asked to be there, and what cannot be followed is told by
the conditions `ControlPlaneEndpointPatched` and `InfrastructureClusterPatched`. What somebody said in an
infrastructure object is never changed.

- **patch**: the object is told the endpoint, at the fields named, when it has no host.
- **check**: the object takes the endpoint from the Cluster, as the contract says, or says its own; only compared.
- **Any other kind** is met at the contract's path, `spec.controlPlaneEndpoint`, as *patch*, once the provider may:
  bind a ClusterRole with `get` and `patch` on it (and `patch` on its `/status`, for `managed-by`) to ServiceAccount
  `kamaji-provider` in `kamaji-system`. There is no flag. Without the right nothing of it is read or written, which is
  right for kinds that take the endpoint from the Cluster.
- **`cluster.x-k8s.io/managed-by: kamaji`** on an infrastructure object of any kind says that its own provider leaves
  it alone: it is told the endpoint and then marked as provisioned (`status.initialization.provisioned` and
  `status.ready`, whichever its kind has). With another value the endpoint is told as ever, and who put it there marks
  the object.
"""
COLUMNS = ("kind", "mode", "endpoint", "marked as provisioned", "what you say there", "tested against")


def role(table: dict[str, Any]) -> str:
    """The rights: to read and tell each kind, and to mark it."""
    plurals: dict[str, list[str]] = {}
    for row in table.values():
        plurals.setdefault(row["group"], []).append(row["plural"])
    rules: list[dict[str, Any]] = []
    for group, resources in plurals.items():
        rules.append({"apiGroups": [group], "resources": resources, "verbs": ["get", "patch"]})
        marks = [f"{each}/status" for each in resources]
        rules.append({"apiGroups": [group], "resources": marks, "verbs": ["patch"]})
    document = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "kamaji-infrastructure"},
        "rules": rules,
    }
    return HEAD + yaml.safe_dump(document, sort_keys=False, width=120)


def page(table: dict[str, Any]) -> str:
    """The page for users."""
    lines = [_line(COLUMNS), _line(["---"] * len(COLUMNS))]
    for kind, row in table.items():
        parent, _, last = row["host"].rpartition(".")
        port = row["port"].rpartition(".")[2]
        where = f"`{parent}.{{{last},{port}}}`"
        marked = "always" if row.get("ready") else "with `managed-by: kamaji`"
        lines.append(_line([f"`{kind}`", row["mode"], where, marked, row.get("needs", ""), _source(row)]))
    return INTRODUCTION + "\n" + "\n".join(lines) + "\n"


def _source(row: dict[str, Any]) -> str:
    if "module" in row:
        return f"`{row['module']}` {row['version']}"
    if "written" in row:
        return f"its fields, written down from {row['read']}: no module is served"
    return str(row["read"])


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    rows = tomllib.loads(TABLE.read_text())
    ROLE.write_text(role(rows))
    PAGE.write_text(page(rows))
    sys.stdout.write(f"{ROLE}\n{PAGE}\n")
