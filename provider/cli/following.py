"""Long work is followed to its end: a line that moves in a terminal, a line for each step elsewhere, on standard error.

The provider does the work. Who stops looking, by Ctrl-C or because it takes too long, leaves it going on, and is told so.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from rich.console import Console
from rich.text import Text

from provider.cli.trouble import ASKED_AND_NO, INTERRUPTED, Trouble
from provider.cluster.errors import ApiError, Forbidden, Unauthorized
from provider.overview.rows import clean

INTERVAL = 1.0  # seconds between two looks


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far it is, in words; at most one of `done` and `failed`."""

    words: str
    done: bool = False
    failed: bool = False


async def followed(look: Callable[[], Awaitable[Progress]], patience: timedelta, afterwards: str) -> Progress:
    """The good end. Trouble for a bad one, for none in time, and where the user stops looking; `afterwards`: what he can do."""
    try:
        with _told() as tell:
            async with asyncio.timeout(patience.total_seconds()):
                while not (seen := await _seen(look)).done:
                    if seen.failed:
                        raise Trouble(clean(seen.words), ASKED_AND_NO)
                    tell(seen.words)
                    await asyncio.sleep(INTERVAL)
                return seen
    except TimeoutError as late:
        raise Trouble(f"it is not over yet, and goes on by itself; {afterwards}", ASKED_AND_NO) from late
    except asyncio.CancelledError as stopped:
        raise Trouble(f"no longer followed; it goes on by itself; {afterwards}", INTERRUPTED) from stopped


async def _seen(look: Callable[[], Awaitable[Progress]]) -> Progress:
    """An API server that is away for a moment is asked again; one that says no is not."""
    try:
        return await look()
    except (Forbidden, Unauthorized):
        raise
    except ApiError as error:
        return Progress(words=f"no answer, and asked again: {error.message}")


@contextmanager
def _told() -> Iterator[Callable[[str], None]]:
    """Says each step once."""
    last = ""
    if sys.stderr.isatty():
        with Console(stderr=True).status("") as status:
            yield lambda words: status.update(Text(" ".join(clean(words).split())))
        return

    def line(words: str) -> None:
        nonlocal last
        if words != last:
            print(" ".join(clean(words).split()), file=sys.stderr, flush=True)
        last = words

    yield line
