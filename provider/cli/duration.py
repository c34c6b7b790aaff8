"""Times as people write them on a command line: `90s`, `30m`, `24h`, `7d`. Pure."""

from __future__ import annotations

from datetime import timedelta

from provider.cli.trouble import Trouble

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST = 6  # characters


def read(text: str) -> timedelta:
    """Trouble for anything else."""
    if len(text) < 2 or text[-1] not in UNITS or not (text.isascii() and text[:-1].isdecimal()) or len(text) > LONGEST:
        raise Trouble(f"{text!r} is no time: write one such as 90s, 30m, 24h or 7d")
    return timedelta(**{UNITS[text[-1]]: int(text[:-1])})
