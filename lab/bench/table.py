"""What every measurement of `make bench` gives: rows of one form, printed as a table, kept as JSON, drawn as pictures."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from rich.table import Table

HEAD = ("what", "median", "min to max", "of", "ratio to floor", "goal", "met", "not real in it")


@dataclass(frozen=True)
class Row:
    """One line. A `goal` is a ratio to the floor, a `limit` a figure of the row's own unit; None where there is none."""

    what: str
    figures: tuple[float, ...]  # all that were measured
    goal: float | None = None
    limit: float | None = None
    unit: str = "s"
    simulated: str = ""  # what in it is not the real thing; empty: all is

    @property
    def middle(self) -> float:
        """The median."""
        return statistics.median(self.figures)

    def ratio(self, base: float) -> float | None:
        """To the floor, of what is time and has no limit of its own."""
        return self.middle / base if self.unit == "s" and self.limit is None else None

    def met(self, base: float) -> bool | None:
        """Whether the median is good enough; None where nothing is asked."""
        if self.limit is not None:
            return self.middle <= self.limit
        ratio = self.ratio(base)
        return None if self.goal is None or ratio is None else ratio <= self.goal

    def bound(self, base: float) -> float | None:
        """The goal as a figure of the row's unit."""
        return self.limit if self.limit is not None or self.goal is None else self.goal * base

    def cells(self, base: float) -> list[str]:
        """As it is shown, in the order of `HEAD`."""
        ratio, met = self.ratio(base), self.met(base)
        goal = f"≤ {_said(self.limit)} {self.unit}" if self.limit is not None else ""
        return [
            self.what,
            f"{_said(self.middle)} {self.unit}",
            f"{_said(min(self.figures))} to {_said(max(self.figures))}",
            str(len(self.figures)),
            "" if ratio is None else f"{ratio:.2f}",
            f"≤ {self.goal} × floor" if self.goal is not None else goal,
            {None: "", True: "yes", False: "no"}[met],
            self.simulated,
        ]


def table(rows: Iterable[Row], base: float) -> Table:
    """To be printed."""
    made = Table(*HEAD)
    for each in rows:
        made.add_row(*each.cells(base))
    return made


def markdown(rows: Iterable[Row], base: float) -> str:
    """To be read in docs/."""
    lines = [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}"]
    lines += [f"| {' | '.join(each.cells(base))} |" for each in rows]
    return "\n".join(lines) + "\n"


def percentile(figures: Iterable[float], share: float) -> float:
    """The least of the figures that so large a share of them is not above."""
    found = sorted(figures)
    return found[max(0, math.ceil(share * len(found)) - 1)]


def _said(figure: float) -> str:
    """Three figures that count."""
    return f"{figure:.0f}" if abs(figure) >= 100 else f"{figure:.3g}"
