"""Makes `docs/conformance.md`: each row of the acceptance list with the tests that are named after it. Run by `make generate`.

Rows are in `tests/conformance/acceptance.toml`. A test fails when the page is stale or a row has no test.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ROWS, PAGE = ROOT / "tests" / "conformance" / "acceptance.toml", ROOT / "docs" / "conformance.md"
FOLDERS = ("tests/conformance", "tests/e2e", "tests/lab")
NAMED = re.compile(r"test_a(\d+)_(.+)")
HEAD = """# The contract of Cluster API, row by row

Made from `tests/conformance/acceptance.toml` and the names of the tests by `make generate`.

The conformance ring runs before a real kube-apiserver and etcd with Cluster API's own CRDs and the rights of `config/rbac`; A7,
A9, A10, A11 and A17 with its core, its kubeadm bootstrap provider and clusterctl; A5 with the infrastructure providers' own
CRDs; A19 with two management clusters side by side; A22 with the managers and webhooks of infrastructure providers and a
simulated vCenter. From A19 on the rows are ours, beyond the contract. Tests of `e2e` and `lab`, and most of those that are
named elsewhere, are in the lab, with pods and workers.

| row | what | tests | elsewhere | not shown yet |
|---|---|---|---|---|
"""


def rows() -> dict[str, dict[str, Any]]:
    """The acceptance list."""
    return tomllib.loads(ROWS.read_text())


def tests() -> dict[str, list[tuple[str, str]]]:
    """Row → (file, function) of the tests that are named after it, in the order of files and lines."""
    found: dict[str, list[tuple[str, str]]] = {}
    for file in sorted(each for folder in FOLDERS for each in (ROOT / folder).rglob("test_*.py")):
        for name in functions(file):
            if match := NAMED.fullmatch(name):
                found.setdefault(f"A{int(match[1])}", []).append((str(file.relative_to(ROOT)), name))
    return found


def functions(file: Path) -> list[str]:
    """Names of the functions of a module."""
    parsed = ast.parse(file.read_text()).body
    return [each.name for each in parsed if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]


def page() -> str:
    """The table, and beneath it every test as a sentence."""
    named, lines, sentences = tests(), [], []
    for row, said in rows().items():
        files = dict.fromkeys(each.partition("::")[0] for each in said.get("elsewhere", ()))
        elsewhere = ", ".join(f"`{each}`" for each in files)
        lines.append(f"| {row} | {said['what']} | {len(named.get(row, ()))} | {elsewhere} | {said.get('open', '')} |")
        sentences.append(f"\n## {row}\n")
        for file, name in named.get(row, ()):
            match = NAMED.fullmatch(name)
            assert match is not None
            sentences.append(f"- {match[2].replace('_', ' ')} (`{file.removeprefix('tests/')}`)")
    return HEAD + "\n".join([*lines, *sentences]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE}\n")
