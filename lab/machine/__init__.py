"""A machine: a network namespace, an inner pid 1, containerd and a kubelet that waits to be configured.

    create   namespaces, folders, containerd; a kubelet loop that waits for kubeadm
    exec     a command inside
    stop     ends every process of it at once, as a power cut does; what is on its disk stays
    delete   stop, and nothing of it is left

Called by the management cluster, by the LabMachine controller and by `lab machine`. Everything can be done twice.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import programs, state
from lab.machine import cgroups, disk, settings
from lab.network import ip, namespaces
from lab.state import Lab, Process

PATIENCE = 120.0  # seconds; a bound against hanging for ever, on a machine that has much to do


@dataclass(frozen=True)
class Machine:
    """One machine of a lab, whether it exists or not."""

    lab: Lab
    name: str

    @property
    def root(self) -> Path:
        """Its disk, on the host."""
        return self.lab.root / "machines" / self.name

    @property
    def netns(self) -> str:
        """Name of its network namespace."""
        return f"{self.lab.name}.{self.name}"

    @property
    def address(self) -> str:
        """Its IPv4 address on the lab's bridge."""
        return self.lab.network().allocate(self.name)

    @property
    def cgroup(self) -> str:
        """Its cgroup, in every hierarchy."""
        return f"{self.lab.name}.{self.name}"

    def create(self, *, labels: Mapping[str, str] | None = None) -> None:
        """Make it and let it run. `labels` are node labels that its kubelet registers with."""
        self.root.mkdir(parents=True, exist_ok=True)
        disk.lay_out(self.root)
        settings.write(self, labels or {})
        self.start()

    def exists(self) -> bool:
        """Whether it has a disk."""
        return self.root.exists()

    def running(self) -> bool:
        """Whether it is powered on."""
        return self._process().pid() is not None

    def start(self) -> None:
        """Power on; returns when containerd answers. RuntimeError names the log when it does not."""
        if not self.running():
            network = self.lab.network()
            network.create()
            network.attach(self.netns, self.address, f"m{self.address.rpartition('.')[2]}")
            cgroups.create(self.cgroup)
            boot = Path(__file__).parent / "boot.sh"
            outer = ["nsenter", f"--net=/run/netns/{self.netns}", "unshare", "--mount", "--uts", "--ipc", "--pid"]
            inner = ["--fork", "--kill-child", "bash", str(boot), str(self.root), self.name]
            self._process().start([*outer, *inner], self.root / "log" / "boot.log", settings.environment())
        self._await_containerd()

    def stop(self) -> None:
        """Power off: every process of it has ended, so that nothing writes to its disk or holds its cgroup any more."""
        inner = None
        with contextlib.suppress(OSError):  # it ends by itself just now
            inner = self._inner()
        self._process().end(patience=0.0)
        if inner is not None:
            state.wait_for_end(int(inner), PATIENCE)

    def delete(self) -> None:
        """Take it away with its disk, namespace, cgroups and address."""
        self.stop()
        if self.netns in namespaces():
            ip("netns", "delete", self.netns)
        cgroups.remove(self.cgroup)
        if self.root.exists():
            shutil.rmtree(self.root)
        self.lab.network().release(self.name)

    def exec(
        self, argv: Sequence[str], *, stdin: bytes | None = None, timeout: float | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command inside all its namespaces; what came of it, whatever its exit status."""
        return subprocess.run(
            [*self.enter(), *argv],
            input=stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
            env=settings.environment(),
        )

    def enter(self) -> list[str]:
        """Words before a command that is to run inside. RuntimeError when the machine is off."""
        inner = self._inner()
        if inner is None:
            raise RuntimeError(f"machine {self.name} of lab {self.lab.name} is off; start it first")
        return ["nsenter", f"--target={inner}", "--mount", "--uts", "--ipc", "--net", "--pid", "--wd=/", "--"]

    def write_file(self, path: str, content: bytes, mode: int = 0o600, owner: str = "root:root") -> None:
        """Write a file as seen inside. CalledProcessError says why it could not."""
        script = 'mkdir -p "$(dirname "$1")" && cat > "$1" && chmod "$2" "$1" && chown "$3" "$1"'
        done = self.exec(["sh", "-c", script, "sh", path, f"{mode:o}", owner], stdin=content)
        if done.returncode != 0:
            raise subprocess.CalledProcessError(done.returncode, ["write", path], done.stdout, done.stderr)

    def _inner(self) -> str | None:
        """The inner pid 1 as the host counts it; None when the machine is off or not yet that far."""
        outer = self._process().pid()
        children = Path(f"/proc/{outer}/task/{outer}/children").read_text().split() if outer else []
        return children[0] if children else None

    def _process(self) -> Process:
        return self.lab.process(f"machine-{self.name}")

    def _await_containerd(self, patience: float = PATIENCE) -> None:
        deadline, ctr = time.monotonic() + patience, str(programs.path("ctr"))
        while not (self._inner() and self.exec([ctr, "version"]).returncode == 0):
            if not self.running() or time.monotonic() > deadline:
                raise RuntimeError(f"containerd of machine {self.name} does not answer; see {self.root / 'log'}")
            time.sleep(0.1)
