"""How a command's answer is written: a table or sentences for a terminal, the same without colour in a pipe, JSON or YAML."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import yaml
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from provider.cli.format import Format
from provider.overview.rows import Column, Row, clean

UNBOUNDED = 100_000  # columns of a pipe: whoever reads there cuts lines himself


class _Console(Console):
    """Whose reader may go: what is done then is for `asking` to say, and no answer of the command's."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console() -> Console:
    """Standard output; of a pipe's every line stays one line. NO_COLOR and TERM=dumb are honoured by the library."""
    return _Console(width=None if sys.stdout.isatty() else UNBOUNDED, highlight=False, soft_wrap=False)


def rows(found: Sequence[Row], columns: Sequence[Column], form: Format, nothing: str) -> None:
    """Write rows; `nothing` is the sentence for none, which only a table says, and to standard error."""
    if form is not Format.TABLE:
        data(list(found), form)
    elif found:
        table(found, columns)
    else:
        print(nothing, file=sys.stderr)


def table(found: Sequence[Row], columns: Sequence[Column]) -> None:
    """Headings and a line for each row; in a narrow terminal cells are folded, never cut."""
    out = console()
    drawn = Table(box=box.SIMPLE_HEAD if out.is_terminal else None, pad_edge=False, show_edge=False)
    for each in columns:
        drawn.add_column(each.heading, overflow="fold")
    for row in found:
        drawn.add_row(*(_cell(row.get(each.key), each.key) for each in columns))
    with out.capture() as text:
        out.print(drawn)
    print("\n".join(line.rstrip() for line in text.get().splitlines() if line.strip()))


def data(value: Any, form: Format) -> None:
    """JSON or YAML of plain data."""
    if form is Format.JSON:
        print(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        print(yaml.safe_dump(value, sort_keys=False, allow_unicode=True).rstrip())


COLOURS = {"Ready": "green", "True": "green", "yes": "green", "NotReady": "red", "False": "red", "no": "red"}


def _cell(value: Any, key: str) -> Text:
    words = (
        ""
        if value is None
        else {True: "yes", False: "no"}.get(value, str(value))
        if isinstance(value, bool)
        else str(value)
    )
    words = " ".join(clean(words).split())
    return Text(words, style=COLOURS.get(words, "") if key in ("state", "ready") else "")
