"""Carrying out bootstrap data in a lab machine, as cloud-init would: in the machine, on its own, once.

The caller only puts the work into the machine and starts it; the machine goes on when the caller is killed, and ends with the
machine. What stands in /run/cloud-init says how far it is. Blocking calls; `machines` runs them in threads.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from lab.infrastructure.cloudconfig import CloudConfig, File, Refused
from lab.machine import Machine
from lab.machine.disk import FOLDERS

WORK = "/run/cloud-init"
SCRIPT = f"{WORK}/carry-out"
LOG = "/var/log/cloud-init-output.log"
MARKER = "/run/cluster-api/bootstrap-success.complete"  # Cluster API's bootstrap contract, "sentinel file"
PATIENCE = 60.0  # seconds for one short command in the machine
TOKEN = re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b")  # a kubeadm bootstrap token

State = Literal["absent", "running", "done", "failed", "interrupted"]

# Says the state in one word. The lock is held while the script runs, and by nobody after a reboot in the midst of it.
LOOK = f"""
if [ -e {MARKER} ]; then echo done
elif [ -e {WORK}/result ]; then echo failed
elif [ ! -e {WORK}/started ]; then echo absent
elif flock --nonblock {WORK}/lock true; then echo interrupted
else echo running
fi
"""


@dataclass(frozen=True)
class Progress:
    """How far the machine is; `message` is its last words when it failed."""

    state: State
    message: str = ""


def check(config: CloudConfig) -> None:
    """Raise Refused when a file is not for the machine's own disk: the rest of what it sees is the host's."""
    for each in config.files:
        if not any(PurePosixPath(each.path).is_relative_to(folder) for folder in FOLDERS):
            raise Refused(f"{each.path} is not on a lab machine's own disk, which has only {', '.join(FOLDERS)}")


def look(machine: Machine) -> Progress:
    """How far the machine is with its bootstrap data. OSError when the machine cannot be asked."""
    state = _in(machine, ["sh", "-c", LOOK]).strip()
    if state == "failed":
        return Progress("failed", _last_words(machine))
    if state in ("absent", "running", "done", "interrupted"):
        return Progress(state)  # type: ignore[arg-type]
    raise OSError(f"machine {machine.name} answered {state!r} when asked for its bootstrap state")


def start(machine: Machine, config: CloudConfig) -> None:
    """Put the work into the machine and start it. Two starts, or one repeated, carry it out once."""
    for index, each in enumerate(config.files):
        machine.write_file(f"{WORK}/files/{index}", each.content, 0o600)
    machine.write_file(f"{WORK}/bootcmd", _lines(config.boot_commands), 0o700)
    machine.write_file(f"{WORK}/runcmd", _lines(config.commands), 0o700)
    machine.write_file(SCRIPT, script(config.files).encode(), 0o700)
    # In a session of its own and with no pipe to us, so that it outlives us.
    _in(machine, ["sh", "-c", f"setsid --fork sh {SCRIPT} </dev/null >>{LOG} 2>&1"])


def script(files: tuple[File, ...]) -> str:
    """The shell script that does the work in cloud-init's order: boot commands, files, commands, each to its end."""
    lines = [
        f"exec 9>{WORK}/lock",
        "flock --nonblock 9 || exit 0",
        f"mkdir {WORK}/started || exit 0",
        f"sh {WORK}/bootcmd 9>&-",
        *(_put(index, each) for index, each in enumerate(files)),
        f"rm -rf {WORK}/files",
        f"sh {WORK}/runcmd 9>&-",
        f"echo $? >{WORK}/result",
    ]
    return "\n".join(lines) + "\n"


def _lines(commands: tuple[str, ...]) -> bytes:
    return "".join(f"{each}\n" for each in commands).encode()


def _put(index: int, file: File) -> str:
    """One line that puts a file in its place; nobody reads it before it has its owner and mode."""
    folder, target = shlex.quote(str(PurePosixPath(file.path).parent)), shlex.quote(file.path)
    redirect = ">>" if file.append else ">"
    return (
        f"(mkdir -p {folder}; umask 077; cat {WORK}/files/{index} {redirect}{target}"
        f" && chown {shlex.quote(file.owner)} {target} && chmod {file.mode:o} {target})"
    )


def _last_words(machine: Machine) -> str:
    """The end of the log, without anything that looks like a token, cut to what a condition should hold."""
    tail = _in(machine, ["sh", "-c", f"tail -n 5 {LOG} 2>/dev/null || true"]).strip()
    return TOKEN.sub("(token)", tail)[-800:] or "it left no output"


def _in(machine: Machine, argv: list[str]) -> str:
    done = machine.exec(argv, timeout=PATIENCE)
    if done.returncode:
        raise OSError(f"machine {machine.name}: {shlex.join(argv)[:80]} ended with {done.returncode}")
    return done.stdout.decode(errors="replace")
