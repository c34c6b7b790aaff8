"""How long `kamaji` takes until it has said what it is asked: what a person waits for at a prompt. Help needs no API server.

A test holds which libraries that imports (tests/unit/provider/cli/test_commands.py); this measures what it comes to.
"""

from __future__ import annotations

import subprocess
import sys
import time

from lab.bench.table import Row
from lab.programs import PROJECT

PROGRAM = "from provider.cli.app import main; main()"
WHAT = "kamaji: help, and names of commands"
LIMIT = 0.3  # seconds


def row(runs: int) -> Row:
    """Of so many starts; one before them warms the caches of the disk and counts for nothing."""
    return Row(WHAT, tuple(_seconds() for _ in range(runs + 1))[1:], limit=LIMIT)


def _seconds() -> float:
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", PROGRAM, "--help"], cwd=PROJECT, capture_output=True, check=True)
    return time.monotonic() - started
