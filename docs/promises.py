"""docs/promises.md: upstream's admission rules and weak spots, what is promised here, and the test that holds us to it.

The promises are in promises.toml; tests say of themselves which they keep: `@pytest.mark.keeps(promise, …)`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from docs import evidence
from docs.evidence import Proof

HEAD = """# Promises

Made from `promises.toml` and from the markers at the tests by `make generate`; edit those. What upstream refuses, where
upstream is weak, what is promised here instead, and the tests that fail when a promise is broken. Reasons are in
[differences.md](differences.md).
"""
TITLES = {"rules": "What is refused", "better": "Where upstream is weak"}


@dataclass(frozen=True)
class Promise:
    """One row. `untested`: why no test keeps it."""

    name: str
    upstream: str
    here: str
    untested: str = ""


@cache
def table() -> dict[str, tuple[Promise, ...]]:
    """Promises by section, in the order written."""
    written = tomllib.loads((Path(__file__).parent / "promises.toml").read_text())
    return {
        section: tuple(Promise(name=f"{section}.{name}", **row) for name, row in rows.items())
        for section, rows in written.items()
    }


def kept() -> dict[str, tuple[Proof, ...]]:
    """Promise → tests."""
    found: dict[str, set[Proof]] = {}
    for names, proofs in evidence.proofs("keeps").items():
        for name in names:
            found.setdefault(name, set()).update(proofs)
    return {name: tuple(sorted(proofs)) for name, proofs in found.items()}


def page() -> str:
    """The whole file."""
    return "\n".join([HEAD, *(line for section, title in TITLES.items() for line in _section(section, title))]) + "\n"


def _section(section: str, title: str) -> Iterator[str]:
    proofs = kept()
    yield f"## {title}\n\n| | upstream | here | tests |\n|---|---|---|---|"
    for each in table()[section]:
        tests = evidence.listed(proofs.get(each.name, ()), "<br>") or f"none: {each.untested}"
        yield f"| {each.name.partition('.')[2]} | {each.upstream} | {each.here} | {tests} |"
    yield ""
