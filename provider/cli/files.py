"""Files that a command is given; `-` is standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from provider.cli.trouble import Trouble


def text(file: str) -> str:
    """Its content. Trouble where it cannot be read."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Trouble(f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}") from error
