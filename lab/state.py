"""Names and folders of a lab, and the processes it started: recorded by id and start time, so that only our own are ended.

Everything of a lab lies under one folder; everything that lasts longer (programs, images) in the cache beside it.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.machine import Machine
    from lab.network import Network

MANAGEMENT = "management"
"""Name of the machine that carries the management cluster."""


def cache() -> Path:
    """Programs and images, by version; shared by all labs and kept when they go."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "capi-kamaji"


@contextmanager
def alone(target: Path) -> Iterator[None]:
    """Nobody else makes this file or folder of the cache meanwhile: who comes second waits, and looks again."""
    file = cache() / "locks" / str(target.relative_to(cache())).replace("/", "+")
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # the kernel lets go when a process ends, however it does
        yield


@dataclass(frozen=True)
class Lab:
    """One lab. Labs of different names share nothing but the cache."""

    name: str = "lab"

    @property
    def root(self) -> Path:
        """All that this lab has on disk."""
        return Path(os.environ.get("CAPI_KAMAJI_LABS", "/var/lib/capi-kamaji/labs")) / self.name

    @property
    def kubeconfig(self) -> Path:
        """Admin kubeconfig of the management cluster; its address answers inside `lab run`."""
        return self.root / "admin.conf"

    def network(self) -> Network:
        """The bridge and the addresses on it."""
        from lab.network import Network  # noqa: PLC0415  (machines, network and state know each other)

        return Network(self)

    def machine(self, name: str) -> Machine:
        """A machine of this lab, whether it exists or not."""
        from lab.machine import Machine  # noqa: PLC0415

        return Machine(self, name)

    def machines(self) -> list[Machine]:
        """Those that exist, running or not."""
        folder = self.root / "machines"
        return [self.machine(each.name) for each in sorted(folder.iterdir())] if folder.exists() else []

    def process(self, role: str) -> Process:
        """A process of this lab by what it is for."""
        return Process(self.root / "processes" / f"{role}.json")

    def processes(self) -> list[Process]:
        """All that were started and not ended."""
        folder = self.root / "processes"
        return [Process(each) for each in sorted(folder.glob("*.json"))] if folder.exists() else []

    def log(self, role: str) -> Path:
        """Where a process writes its log."""
        folder = self.root / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{role}.log"


MARK = "CAPI_KAMAJI_PROCESS"
"""Environment variable of a process of ours: the path of its record."""


@dataclass(frozen=True)
class Process:
    """A process that outlives us, known again by its id and the moment it started: ids are given out anew.

    The record stands before the process does. Killed in between, we find the process by the mark in its environment.
    """

    record: Path

    def start(self, argv: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        """Start it in a session of its own, unless it runs."""
        if self.pid() is not None:
            return
        self.record.parent.mkdir(parents=True, exist_ok=True)
        self.record.touch()
        with log.open("ab") as output:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, **(environment or {}), MARK: str(self.record)},
            )
        self.record.write_text(json.dumps({"pid": process.pid, "started": _started(process.pid)}))

    def pid(self) -> int | None:
        """Its id while it lives, else None."""
        try:
            known = json.loads(self.record.read_text())
        except FileNotFoundError:
            return None
        except json.JSONDecodeError:
            return _marked(f"{MARK}={self.record}")
        alive = known["started"] is not None and _started(known["pid"]) == known["started"]
        return int(known["pid"]) if alive else None

    def end(self, patience: float = 5.0) -> None:
        """Ask it to end, then make it; forget it. Nothing happens when it is gone."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if (pid := self.pid()) is None:
                break
            os.kill(pid, sign)
            _wait(self, patience)
        self.record.unlink(missing_ok=True)


def _wait(process: Process, patience: float) -> None:
    deadline = time.monotonic() + patience
    while process.pid() is not None and time.monotonic() < deadline:
        time.sleep(0.02)


def wait_for_end(pid: int, patience: float) -> None:
    """Until the process is no more. The first one of a PID namespace goes last: by then all of it have ended."""
    deadline = time.monotonic() + patience
    while _started(pid) is not None and time.monotonic() < deadline:
        time.sleep(0.02)


def _marked(mark: str) -> int | None:
    """The session leader that has the mark in its environment; what it started inherits the mark, not the session."""
    for each in Path("/proc").iterdir():
        try:
            leads = each.name.isdigit() and os.getsid(int(each.name)) == int(each.name)
            if leads and mark.encode() in (each / "environ").read_bytes().split(b"\0"):
                return int(each.name)
        except (OSError, ValueError):
            continue
    return None


def _started(pid: int) -> str | None:
    """Start time in clock ticks since boot (field 22 of /proc/PID/stat); None when there is no such process or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]
