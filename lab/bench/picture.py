"""Draws what was measured, as SVG written by hand: three shapes need no library. Used by `report`.

A figure with a goal is a bar with its spread, and the goal as a line; growth is one line over the number of tenants.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from lab.bench.table import Row

WIDTH, LEFT, RIGHT = 640, 24, 616
INK, BAR, GOOD, BAD = "#24292f", "#8cb4d9", "#1a7f37", "#cf222e"
SIZE = re.compile(r"provider at (\d+) tenants: (.*)")


def drawn(rows: Sequence[Row], base: float) -> dict[str, str]:
    """File name → SVG: of each row with a goal, and of each figure that was taken at several numbers of tenants."""
    found = {f"{_slug(each.what)}.svg": _bar(each, each.bound(base) or 0.0, base) for each in rows if each.bound(base)}
    for what, points in _growth(rows).items():
        found[f"growth-{_slug(what)}.svg"] = _line(f"provider: {what}", points)
    return found


def write(folder: Path, parts: Iterable[tuple[Sequence[Row], float]]) -> list[str]:
    """All pictures of rows and their floor, in place of those that were there; their names."""
    for each in folder.glob("*.svg"):
        each.unlink()
    found = {name: content for rows, base in parts for name, content in drawn(rows, base).items()}
    for name, content in found.items():
        (folder / name).write_text(content)
    return list(found)


def _growth(rows: Sequence[Row]) -> dict[str, list[tuple[int, Row]]]:
    found: dict[str, list[tuple[int, Row]]] = {}
    for each in rows:
        if match := SIZE.fullmatch(each.what):
            found.setdefault(re.sub(r" in \d+ s", "", match[2]), []).append((int(match[1]), each))
    return {
        what: points for what, points in found.items() if len(points) > 1 and any(each.middle for _, each in points)
    }


def _bar(row: Row, goal: float, base: float) -> str:
    most = max(*row.figures, goal) * 1.1
    scale = (RIGHT - LEFT) / most
    middle, low, high = (LEFT + scale * each for each in (row.middle, min(row.figures), max(row.figures)))
    line, colour = LEFT + scale * goal, GOOD if row.met(base) else BAD
    shapes = [
        f'<rect x="{LEFT}" y="44" width="{middle - LEFT:.1f}" height="28" fill="{BAR}"/>',
        f'<path d="M{low:.1f} 58H{high:.1f}M{low:.1f} 52v12M{high:.1f} 52v12" stroke="{INK}" fill="none"/>',
        f'<path d="M{line:.1f} 36V80" stroke="{colour}" stroke-width="2" stroke-dasharray="4 3"/>',
        _text(
            LEFT, 98, f"median {row.middle:.3g} {row.unit} of {len(row.figures)}, goal {goal:.3g} {row.unit}", colour
        ),
        _text(LEFT, 116, f"not real in it: {row.simulated}") if row.simulated else "",
    ]
    return _svg(row.what, shapes, 126)


def _line(what: str, points: Sequence[tuple[int, Row]]) -> str:
    """Tenants on a scale of powers of ten, the figure on a plain one."""
    most = max(each.bound(1.0) or 0 for _, each in points)
    most = max(most, *(max(each.figures) for _, each in points)) * 1.15
    first, last = math.log10(points[0][0]), math.log10(points[-1][0])

    def place(number: int, figure: float) -> tuple[float, float]:
        return LEFT + 30 + (math.log10(number) - first) / (last - first) * 520, 240 - figure / most * 190

    way = " ".join("{:.1f},{:.1f}".format(*place(number, each.middle)) for number, each in points)
    shapes = [f'<polyline points="{way}" fill="none" stroke="{BAR}" stroke-width="3"/>']
    for number, each in points:
        x, y = place(number, each.middle)
        shapes += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{INK}"/>',
            _text(x - 10, y - 10, f"{each.middle:.3g} {each.unit}"),
            _text(x - 10, 262, str(number)),
        ]
        if each.limit:
            _, y = place(number, each.limit)
            colour = GOOD if each.met(1.0) else BAD
            shapes.append(
                f'<path d="M{x - 24:.1f} {y:.1f}h48" stroke="{colour}" stroke-width="2" stroke-dasharray="4 3"/>'
            )
    return _svg(f"{what}, by number of tenants", shapes, 274)


def _svg(title: str, shapes: Sequence[str], height: int) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">'
    ground = f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
    lines = [head, ground, f'<g font-weight="bold">{_text(LEFT, 24, title)}</g>', *filter(None, shapes), "</svg>"]
    return "\n".join(lines) + "\n"


def _text(x: float, y: float, said: str, colour: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}">{escape(said)}</text>'


def _slug(what: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", what.lower()).strip("-")[:60].rstrip("-")
