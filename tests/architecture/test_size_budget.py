"""The house rule on size: a module ≤ 300 lines, a function ≤ 40, ≤ 6 parameters, and no room without a name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(each for folder in ("provider", "lab", "config", "docs") for each in (ROOT / folder).rglob("*.py"))
NAMELESS = {"utils", "common", "misc", "helpers"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(module: Path) -> Iterator[Function]:
    yield from (each for each in ast.walk(ast.parse(module.read_text())) if isinstance(each, Function))


def lines_of(function: Function) -> int:
    """Lines of code from `def` to its end, the docstring left out."""
    first = function.body[0]
    doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    documented = (first.end_lineno or 0) - first.lineno + 1 if doc else 0
    return (function.end_lineno or 0) - function.lineno + 1 - documented


@pytest.mark.parametrize("module", MODULES, ids=lambda each: str(each.relative_to(ROOT)))
def test_a_module_has_one_thing_to_do(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= 300
    assert module.stem not in NAMELESS
    assert ast.get_docstring(ast.parse(module.read_text())), "a module says what its room is for"


@pytest.mark.parametrize("module", MODULES, ids=lambda each: str(each.relative_to(ROOT)))
def test_a_function_fits_on_a_screen(module: Path) -> None:
    for each in functions(module):
        assert lines_of(each) <= 40, f"{each.name} has {lines_of(each)} lines"
        arguments = [*each.args.posonlyargs, *each.args.args, *each.args.kwonlyargs]
        named = [a for a in arguments if a.arg not in ("self", "cls")]
        assert len(named) <= 6, f"{each.name} takes {len(named)} parameters"


def test_nothing_tracked_speaks_of_this_machine_or_of_a_registry_host() -> None:
    hosts = ["proxy." + "golang.org", "pypi" + ".org", "registry." + "npmjs", "deb." + "debian.org", "/wo" + "rk/"]
    texts = {"py", "md", "toml", "yaml", "yml", "cfg", "sh", "txt", "lock", "mod", "sum"}
    ignored = {".venv", ".git", "build", "dist"}
    for each in ROOT.rglob("*"):
        inside = each.relative_to(ROOT).parts
        if each.is_file() and not ignored & set(inside) and (each.suffix[1:] in texts or each.name == "Makefile"):
            text = each.read_text(errors="ignore")
            assert not [host for host in hosts if host in text], each
