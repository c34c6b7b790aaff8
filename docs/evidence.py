"""Which test proves what: read from the markers at the tests themselves, so that a test cannot be named that is not there.

A marker stands at a test function, or at one case of its parameters. Modules without a marker are not imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
REPOSITORY = "https://github.com/capi-kamaji/capi-kamaji/blob/main"


@dataclass(frozen=True, order=True)
class Proof:
    """A test, and the case of its parameters where only that one proves it."""

    file: str
    test: str
    case: str = ""

    @property
    def link(self) -> str:
        """The test's sentence, as a link from a page in docs/."""
        return f"[{self.test.removeprefix('test_').replace('_', ' ')}](../{self.file})"


def listed(proofs: Iterable[Proof], between: str) -> str:
    """The tests of a row as Markdown, each once, with its cases."""
    found: dict[str, list[str]] = {}
    for each in proofs:
        found.setdefault(each.link, []).extend([each.case] if each.case else [])
    return between.join(f"{link} ({'; '.join(cases)})" if cases else link for link, cases in found.items())


@cache
def proofs(marker: str) -> dict[tuple[str, ...], tuple[Proof, ...]]:
    """The arguments of every marker of this name → the tests that carry it."""
    found: dict[tuple[str, ...], set[Proof]] = {}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        if f"mark.{marker}(" in file.read_text():
            for arguments, proof in _marked(file.relative_to(ROOT), marker):
                found.setdefault(arguments, set()).add(proof)
    return {arguments: tuple(sorted(each)) for arguments, each in found.items()}


def _marked(file: Path, marker: str) -> Iterator[tuple[tuple[str, ...], Proof]]:
    module = importlib.import_module(".".join(file.with_suffix("").parts))
    for name, function in vars(module).items():
        if not name.startswith("test_") or getattr(function, "__module__", None) != module.__name__:
            continue
        for mark in getattr(function, "pytestmark", ()):
            if mark.name == marker:
                yield mark.args, Proof(str(file), name)
            if mark.name == "parametrize":
                yield from ((args, Proof(str(file), name, case)) for args, case in _cases(mark, marker))


def _cases(parametrize: Any, marker: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Markers of single cases, with the case's id."""
    ids = parametrize.kwargs.get("ids")
    names: Sequence[str] = ids if isinstance(ids, list | tuple) else ()
    for values, name in zip_longest(parametrize.args[1], names):
        for mark in getattr(values, "marks", ()):
            if mark.name == marker:
                yield mark.args, getattr(values, "id", None) or name or ""
