"""The reasons that the provider gives in conditions, read from its source: what the runbook has to know."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2] / "provider"
ROOMS = ("hosting", "manifest")
WAITS = {"NotReady", "Trial", "Tunnel", "Rollout"}
"""Calls that give a reason for which nobody's spec is wrong; what `Invalid` says is the spec's fault."""


def waits() -> Iterator[tuple[str, str]]:
    """(reason, file) of all that is waited for, or that somebody beside the spec has to mend."""
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            for reason in _of(ast.parse(file.read_text())):
                yield reason, file.name


def _of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WAITS:
            given = [*node.args[:1], *(each.value for each in node.keywords if each.arg == "reason")]
            yield from (word for each in given for word in _words(each))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Condition":
            said = {each.arg: each.value for each in node.keywords}
            if _words(said["status"]) != ["True"]:
                yield from _words(said["reason"])


def _words(node: ast.expr) -> list[str]:
    said = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return [each for each in said if each[:1].isupper()]
