"""Blocks of a page of docs/: what it tells people to type, and what it says that comes of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^ *```(\S*)(?: (\S+))?\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
ANYTHING = "…"


@dataclass(frozen=True)
class Block:
    """Commands, and the lines that the page shows below them."""

    commands: str
    shown: tuple[str, ...]

    def missing(self, said: str) -> str | None:
        """The first line shown that is not in what was said, after those before it; None when all are. Widths do not count."""
        lines = iter([_plain(each) for each in said.splitlines()])
        for each in self.shown:
            words = re.compile(".*".join(map(re.escape, _plain(each).split(ANYTHING))))
            if not any(words.fullmatch(line) for line in lines):
                return each
        return None


def fences(page: Path) -> Iterator[tuple[str, str, str]]:
    """Language, mark and text of each block."""
    yield from FENCE.findall(page.read_text())


def of(page: Path) -> list[Block]:
    """Blocks of commands in order; `text` right below one is what it shows."""
    found: list[Block] = []
    for language, _, text in fences(page):
        if language == "sh":
            found.append(Block(text, ()))
        elif language == "text":
            found[-1] = Block(found[-1].commands, tuple(line for line in text.splitlines() if line.strip()))
    return found


def _plain(line: str) -> str:
    return " ".join(line.strip(" │├└─").split())
