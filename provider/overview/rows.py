"""Rows of tables and the words in them: ages, and what others wrote made harmless. Used by all of this room and by `cli`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
Row = dict[str, Any]
"""One line of a table: what JSON and YAML show too, by keys that stay."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, and the row's key it shows."""

    heading: str
    key: str


def age(since: str | None, now: datetime) -> str:
    """As kubectl writes ages: 45s, 12m, 5h, 9d. Empty for no time."""
    if not since:
        return ""
    seconds = max(0, int((now - datetime.fromisoformat(since)).total_seconds()))
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size or (size == 86400 and seconds >= size):
            return f"{seconds // size}{letter}"
    return f"{seconds}s"


def clean(text: str) -> str:
    """Words of others on a terminal: nothing in them moves a cursor or changes a colour."""
    return UNPRINTABLE.sub("", text).strip()
