"""A real etcd with the very configuration and certificates of a member of a pool, on loopback; for the tests beside this.

Members know each other by their DNS names. Each has a loopback address of its own, and a mount namespace in which /etc/hosts
says whose is which.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import yaml

from lab import programs
from lab.servers import PATIENCE
from provider.hosting.desired.pool import configuration
from provider.hosting.desired.pool.network import CLIENT_PORT, HTTP_PORT, METRICS_PORT, PEER_PORT

PORTS = (CLIENT_PORT, PEER_PORT, METRICS_PORT, HTTP_PORT)
SCRIPT = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'


@dataclass
class Member:
    """One member. `folder` has what its pod mounts; `data` is its volume and keeps what is on it over restarts."""

    name: str
    folder: Path
    data: Path
    address: str  # of its own on loopback, where peers find it
    ports: tuple[int, ...]
    hosts: Path
    program: str = "etcd"
    process: subprocess.Popen[bytes] | None = None
    leaves: bool = False  # its pod is ending: the Service leads nobody to it any more

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.ports[0]}"

    def mount(self, secrets: Mapping[str, Mapping[str, bytes]]) -> None:
        """Put Secrets where the pod would have them: folder → file → content."""
        for folder, files in secrets.items():
            (self.folder / folder).mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                (self.folder / folder / name).write_bytes(content)

    def configure(self, text: str) -> None:
        """What the ConfigMap says, with paths and ports as they are here."""
        said: dict[str, Any] = yaml.safe_load(text)
        said |= {key: self._local(each) for key, each in said.items() if isinstance(each, str)}
        for each in ("client", "peer"):
            block = said[f"{each}-transport-security"]
            block |= {key: self._local(value) for key, value in block.items() if isinstance(value, str)}
        said["listen-peer-urls"] = f"https://{self.address}:{PEER_PORT},https://127.0.0.1:{self.ports[1]}"
        # On loopback everybody comes from 127.0.0.1, which is nobody's name.
        said["peer-transport-security"]["skip-client-san-verification"] = True
        said["unsafe-no-fsync"] = True
        (self.folder / "etcd.yaml").write_text(yaml.safe_dump(said))

    def _local(self, said: str) -> str:
        for mounted, own in (
            (configuration.SERVER, self.folder / "server"),
            (configuration.PEER, self.folder / "peer"),
            (configuration.DATA, self.data),
        ):
            said = re.sub(rf"^{mounted}(?=/)", str(own), said)
        for cluster_port, port in zip(PORTS, self.ports, strict=True):
            said = re.sub(rf"^(https?://)(0\.0\.0\.0|127\.0\.0\.1):{cluster_port}$", rf"\g<1>127.0.0.1:{port}", said)
        return said

    def start(self) -> None:
        """Until it is ready."""
        self.launch()
        deadline = time.monotonic() + PATIENCE
        while not self.answers("readyz"):
            assert self.runs, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def launch(self) -> None:
        """As a kubelet does it: whether it gets ready is seen later."""
        self.data.mkdir(parents=True, exist_ok=True)
        command = [str(programs.path(self.program)), f"--config-file={self.folder / 'etcd.yaml'}"]
        apart = ["unshare", "--mount", "--propagation", "private", "sh", "-c", SCRIPT, "member", str(self.hosts)]
        with (self.folder / "etcd.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*apart, *command], stdout=log, stderr=log, env={"PATH": os.environ["PATH"]}
            )

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def log(self) -> str:
        """The end of what it has said."""
        return (self.folder / "etcd.log").read_text()[-3000:]

    def answers(self, path: str) -> bool:
        """Whether a probe of the kubelet would succeed."""
        try:
            with urlopen(f"http://127.0.0.1:{self.ports[2]}/{path}", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def end(self) -> None:
        """As a kubelet ends a pod's process: it is asked to, and hands over what it leads."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=PATIENCE)
            self.process = None

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
