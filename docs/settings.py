"""docs/settings.md: every setting of the process, with the comment that stands beside it in provider/settings.py."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import Field, fields

from config.chart.values import FIXED, camel
from docs.evidence import ROOT
from provider.settings import GATES, Settings

SOURCE = ROOT / "provider" / "settings.py"
HEAD = """# Settings

Made from `provider/settings.py` by `make generate`. Each setting of the provider is a variable of its environment. With
[Helm](helm.md) most are values under `settings`; the others are said by the Deployment, or have a value of their own. What
cannot be read, and a feature gate that there is not, end the program with a sentence that names it.

| variable | Helm | type | default | what it does |
|---|---|---|---|---|
"""
TYPES = {"str": "text", "int": "number", "float": "number", "bool": "true or false"}
TAIL = f"""
Feature gates: {", ".join(f"`{each}`" for each in GATES)}; all are off by default.
"""


def page() -> str:
    """The whole file."""
    told = comments()
    return HEAD + "".join(f"{_row(each, told[each.name])}\n" for each in fields(Settings)) + TAIL


def comments() -> dict[str, str]:
    """Setting → what is said beside it."""
    text = SOURCE.read_text()
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    said = {each.start[0]: each.string.removeprefix("#").strip() for each in tokens if each.type == tokenize.COMMENT}
    return {
        name: " ".join(said[line] for line in range(first, last + 1) if line in said)
        for name, first, last in _declared(ast.parse(text))
    }


def _declared(tree: ast.Module) -> Iterator[tuple[str, int, int]]:
    (settings,) = (each for each in tree.body if isinstance(each, ast.ClassDef))
    for each in settings.body:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            yield each.target.id, each.lineno, each.end_lineno or each.lineno


def _row(setting: Field[object], said: str) -> str:
    helm = "" if setting.name in FIXED else f"`{camel(setting.name)}`"
    default = (
        ""
        if setting.default == ""
        else f"`{str(setting.default).lower() if setting.type == 'bool' else setting.default}`"
    )
    return f"| `KAMAJI_{setting.name.upper()}` | {helm} | {TYPES[str(setting.type)]} | {default} | {said} |"
