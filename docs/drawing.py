"""Draws boxes and arrows as SVG, for docs/pictures/: no program and no other host is asked, here or where it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

INK, LINE, PAPER = "#24292f", "#57606a", "#ffffff"
FILLS = {
    "ours": "#dde6f7",
    "tenant": "#dff3e3",
    "store": "#fbe8c8",
    "other": "#f2f3f5",
    "frame": "#fbfcfd",
}
SIZE, LEADING = 13, 17
FONT = "font-family='system-ui, sans-serif'"


@dataclass(frozen=True)
class Box:
    """A thing; the first line is its name. A frame holds others, and has its name at the top."""

    key: str
    place: tuple[int, int, int, int]  # left, top, width, height
    lines: tuple[str, ...]
    kind: str = "ours"

    @property
    def middle(self) -> tuple[float, float]:
        """Its centre."""
        left, top, wide, high = self.place
        return left + wide / 2, top + high / 2


@dataclass(frozen=True)
class Arrow:
    """From one box to another, between the borders that face each other; `says` stands beside its middle."""

    start: str
    end: str
    says: str = ""
    dashed: bool = False


def picture(wide: int, high: int, title: str, boxes: Sequence[Box], arrows: Sequence[Arrow]) -> str:
    """The file. `title` is what those hear who do not see it."""
    known = {each.key: each for each in boxes}
    frames, things = ([each for each in boxes if (each.kind == "frame") is wanted] for wanted in (True, False))
    drawn = [*map(_box, frames), *(_arrow(each, known) for each in arrows), *map(_box, things)]
    return "\n".join([_head(wide, high, title), *drawn, "</svg>\n"])


def _head(wide: int, high: int, title: str) -> str:
    marker = (
        f"<marker id='to' markerWidth='9' markerHeight='8' refX='8' refY='4' orient='auto'>"
        f"<path d='M0 0L9 4L0 8z' fill='{LINE}'/></marker>"
    )
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {wide} {high}' role='img' {FONT} font-size='{SIZE}'>\n"
        f"<title>{escape(title)}</title>\n<defs>{marker}</defs>\n"
        f"<rect width='{wide}' height='{high}' rx='8' fill='{PAPER}'/>"
    )


def _box(box: Box) -> str:
    frame = box.kind == "frame"
    bold = " font-weight='600'" if frame or len(box.lines) > 1 else ""
    left, above, wide, high = box.place
    x, y = box.middle
    top = above + 20 if frame else y - LEADING * (len(box.lines) - 1) / 2 + SIZE * 0.35
    words = "".join(
        f"<text x='{x:g}' y='{top + LEADING * number:g}' text-anchor='middle' fill='{INK}'"
        f"{'' if number else bold}>{escape(line)}</text>"
        for number, line in enumerate(box.lines)
    )
    dashes = " stroke-dasharray='5 4'" if frame else ""
    return (
        f"<rect x='{left}' y='{above}' width='{wide}' height='{high}' rx='6' fill='{FILLS[box.kind]}' "
        f"stroke='{LINE}'{dashes}/>{words}"
    )


def _arrow(arrow: Arrow, boxes: dict[str, Box]) -> str:
    first, last = boxes[arrow.start], boxes[arrow.end]
    (x1, y1), (x2, y2) = _between(first, last)
    dashes = " stroke-dasharray='4 3'" if arrow.dashed else ""
    line = f"<path d='M{x1:g} {y1:g}L{x2:g} {y2:g}' stroke='{LINE}'{dashes} marker-end='url(#to)'/>"
    if not arrow.says:
        return line
    upright = abs(y2 - y1) > abs(x2 - x1)
    x, y = (x1 + x2) / 2 + (6 if upright else 0), (y1 + y2) / 2 + (4 if upright else -7)
    anchor = "start" if upright else "middle"
    return (
        f"{line}<text x='{x:g}' y='{y:g}' text-anchor='{anchor}' font-size='12' fill='{LINE}' stroke='{PAPER}' "
        f"stroke-width='4' paint-order='stroke'>{escape(arrow.says)}</text>"
    )


def _between(first: Box, last: Box) -> tuple[tuple[float, float], tuple[float, float]]:
    """The points at which a line between two boxes leaves one and meets the other, straight where they face each other."""
    left, top, wide, high = first.place
    other_left, other_top, other_wide, other_high = last.place
    across = _overlap(left, wide, other_left, other_wide)
    if across is not None:
        y1, y2 = (top + high, other_top) if other_top > top else (top, other_top + other_high)
        return (across, y1), (across, y2)
    x1, x2 = (left + wide, other_left) if other_left > left else (left, other_left + other_wide)
    down = _overlap(top, high, other_top, other_high)
    return (x1, first.middle[1] if down is None else down), (x2, last.middle[1] if down is None else down)


def _overlap(start: int, length: int, other: int, reach: int) -> float | None:
    """The middle of what two spans have in common."""
    low, high = max(start, other), min(start + length, other + reach)
    return (low + high) / 2 if high - low > 8 else None
