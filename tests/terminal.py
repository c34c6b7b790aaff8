"""What a terminal gets to see of a program: a real pseudo-terminal, as wide as one likes."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

ROOT = Path(__file__).parents[1]
STYLE = re.compile(r"\x1b\[[0-9;]*m")
COLOUR = re.compile(r"\x1b\[[0-9;]*[349][0-7]m")


def shown(program: str, *arguments: str, columns: int = 60, **environment: str) -> str:
    """All that a Python program writes to its standard output, a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    inherited = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    told = {**inherited, "TERM": "xterm-256color", **environment}
    for size in ("COLUMNS", "LINES"):  # set by readline in whoever runs the tests, and stronger than the terminal
        told.pop(size, None)
    command = [sys.executable, "-c", program, *arguments]
    found = b""
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=told, cwd=ROOT) as process:
        os.close(theirs)
        try:
            while chunk := os.read(ours, 65536):
                found += chunk
        except OSError:  # how a terminal ends
            pass
        process.wait(timeout=60)
    os.close(ours)
    return found.decode()


def widest(found: str) -> int:
    """Columns of the longest line, styles left out."""
    return max(len(STYLE.sub("", line)) for line in found.splitlines())
