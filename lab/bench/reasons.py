"""Why a goal of `make bench` is not met, as it was measured, and what to try next: `reasons.toml`, told below the table."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.bench.table import Row

FILE = Path(__file__).with_suffix(".toml")
NO_REASON = "no reason is known: look for it, then write it into lab/bench/reasons.toml"


@dataclass(frozen=True)
class Reason:
    """What the measurement showed to be in the way, and the next idea."""

    seen: str
    next: str


@dataclass(frozen=True)
class Missed:
    """A row whose goal is not met; `why` is None when nobody has found out."""

    what: str
    why: Reason | None

    def __str__(self) -> str:
        return f"{self.what}: {f'{self.why.seen} Next: {self.why.next}' if self.why else NO_REASON}"


def known() -> dict[str, Reason]:
    """By row."""
    return {what: Reason(**each) for what, each in tomllib.loads(FILE.read_text()).items()}


def missed(rows: Iterable[Row], base: float) -> list[Missed]:
    """Of these rows, in their order."""
    reasons = known()
    return [Missed(each.what, reasons.get(each.what)) for each in rows if each.met(base) is False]
