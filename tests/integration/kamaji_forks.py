"""Runs `kamaji` many times: each run is a process of its own, forked from one that has imported the program already.

`python -m tests.integration.kamaji_forks` reads runs as JSON from standard input and answers what came of each. Descriptors are
real and each run's own: a pipe, one that nobody reads, or a terminal of some columns.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[2]
ROOMS = ("access", "backup", "change", "cluster", "fleet", "moving", "planning", "tenant")
Output = Literal["pipe", "closed", "terminal"]


@dataclass(frozen=True)
class Run:
    """One to do."""

    arguments: tuple[str, ...]
    output: Output = "pipe"
    columns: int = 60
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ran:
    """What came of it."""

    status: int
    stdout: str
    stderr: str


def ran(runs: Sequence[Run], environment: Mapping[str, str]) -> list[Ran]:
    """All of them, one after another."""
    command = [sys.executable, "-m", "tests.integration.kamaji_forks"]
    asked = json.dumps([asdict(each) for each in runs])
    told = {**os.environ, **environment}
    for each in ("NO_COLOR", "COLUMNS", "LINES"):  # the latter two readline sets, in whoever runs the tests
        told.pop(each, None)
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True, cwd=ROOT, env=told)
    return [Ran(**each) for each in json.loads(done.stdout)]


def _forked(run: Run) -> Ran:
    reads, writes = pty.openpty() if run.output == "terminal" else os.pipe()
    if run.output == "terminal":
        fcntl.ioctl(writes, termios.TIOCSWINSZ, struct.pack("HHHH", 24, run.columns, 0, 0))
    hears, says = os.pipe()
    if run.output == "closed":
        os.close(reads)
    if (child := os.fork()) == 0:
        _become(run, writes, says)
    os.close(writes)
    os.close(says)
    found = ["", ""]
    readers = [threading.Thread(target=_read, args=(hears, found, 1))]
    if run.output != "closed":
        readers.append(threading.Thread(target=_read, args=(reads, found, 0)))
    for each in readers:
        each.start()
    _, status = os.waitpid(child, 0)
    for each in readers:
        each.join()
    return Ran(os.waitstatus_to_exitcode(status), *found)


def _read(descriptor: int, found: list[str], where: int) -> None:
    content = b""
    with contextlib.suppress(OSError):  # how a terminal ends
        while chunk := os.read(descriptor, 65536):
            content += chunk
    os.close(descriptor)
    found[where] = content.decode()


def _become(run: Run, output: int, errors: int) -> None:
    """The program, with the end that an interpreter comes to."""
    status = 1
    try:
        for old, new in ((os.open(os.devnull, os.O_RDONLY), 0), (output, 1), (errors, 2)):
            os.dup2(old, new)
        sys.stdout, sys.stderr = (open(each, "w", closefd=False) for each in (1, 2))  # noqa: SIM115
        os.environ.update(run.environment)
        sys.argv = ["kamaji", *run.arguments]
        from provider.cli.app import main  # noqa: PLC0415

        main()
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
        except OSError:
            sys.stderr.write("Exception ignored in: stdout\n")
            status = 120
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(status)


def _import() -> None:
    from provider.cluster import spare  # noqa: PLC0415

    spare.imports()
    for each in ROOMS:
        __import__(f"provider.cli.commands.{each}")


if __name__ == "__main__":
    _import()
    asked = [Run(**{**each, "arguments": tuple(each["arguments"])}) for each in json.load(sys.stdin)]
    print(json.dumps([asdict(_forked(each)) for each in asked]))
