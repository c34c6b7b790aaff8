"""A node whose pods are network namespaces on one bridge, and where a real kube-router enforces NetworkPolicies.

The API server is on the host's loopback; a Unix socket leads there from the node's.
"""

from __future__ import annotations

import itertools
import os
import secrets
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab import programs
from lab.network import ip
from lab.servers import PATIENCE, ApiServer
from provider.api import kinds
from provider.cluster.client import Cluster
from provider.manifest import Manifest, meta

MANAGER = "tests"
BRIDGE = "10.78.0.1"
GREETING = "here"
BINARIES = "/usr/sbin:/usr/bin:/sbin:/bin"  # iptables and ipset are root's


@dataclass
class Node:
    """One node. Its pods run nothing but what a test starts in them."""

    server: ApiServer
    folder: Path
    name: str = field(default_factory=lambda: f"policed-{secrets.token_hex(3)}")
    pods: dict[str, str] = field(default_factory=dict)  # address by name
    _namespaces: dict[str, str] = field(default_factory=dict)
    _ends: ExitStack = field(default_factory=ExitStack)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(10))

    @contextmanager
    def powered_on(self) -> Iterator[Node]:
        """Nothing of it is left afterwards."""
        with self._ends:
            self._namespace(self.name)
            ip("-n", self.name, "link", "add", "cni0", "type", "bridge")
            ip("-n", self.name, "address", "add", f"{BRIDGE}/24", "dev", "cni0")
            ip("-n", self.name, "link", "set", "cni0", "up")
            socket = f"/tmp/{self.name}.sock"
            self._ends.callback(Path(socket).unlink, missing_ok=True)
            self._run("socat", f"UNIX-LISTEN:{socket},fork", f"TCP:127.0.0.1:{self.server.port}")
            self._run_in(self.name, "socat", f"TCP-LISTEN:{self.server.port},bind=127.0.0.1,fork", f"UNIX:{socket}")
            yield self

    def enforce(self) -> None:
        """From now on, once it has looked."""
        flags = [f"--kubeconfig={self.server.folder / 'kubeconfig'}", f"--hostname-override={self.name}"]
        flags.append(f"--service-cluster-ip-range={self.server.services}")
        self._run_in(self.name, str(programs.path("policies")), *flags)

    @asynccontextmanager
    async def registered(self, cluster: Cluster) -> AsyncIterator[Node]:
        """Its API server knows it, and its pods, until the block ends."""
        await cluster.apply(meta.new(kinds.NODE, self.name), manager=MANAGER)
        said = {"addresses": [{"type": "InternalIP", "address": BRIDGE}]}
        await cluster.merge(kinds.NODE, self.name, None, {"status": said}, subresource="status", manager=MANAGER)
        yield self
        for each, namespace in self._namespaces.items():
            await cluster.delete(kinds.POD, each, namespace)
        await cluster.delete(kinds.NODE, self.name)

    async def pod(
        self, cluster: Cluster, name: str, namespace: str, labels: Mapping[str, str], *listening: int
    ) -> None:
        """One with these labels that greets at these ports."""
        netns, address, port = f"{self.name}-{name}", f"10.78.0.{next(self._numbers)}", f"v{secrets.token_hex(4)}"
        self._namespace(netns)
        ip("-n", netns, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", self.name)
        ip("-n", self.name, "link", "set", port, "master", "cni0", "up")
        ip("-n", netns, "address", "add", f"{address}/24", "dev", "eth0")
        ip("-n", netns, "link", "set", "eth0", "up")
        ip("-n", netns, "route", "add", "default", "via", BRIDGE)
        for each in listening:
            self._run_in(netns, "socat", f"TCP-LISTEN:{each},fork,reuseaddr", f"SYSTEM:echo {GREETING}")
        spec: Manifest = {"nodeName": self.name, "containers": [{"name": "pod", "image": "pod"}]}
        spec["terminationGracePeriodSeconds"] = 0
        await cluster.apply(meta.new(kinds.POD, name, namespace, labels=dict(labels), spec=spec), manager=MANAGER)
        said = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
        said |= {"hostIP": BRIDGE, "hostIPs": [{"ip": BRIDGE}]}
        await cluster.merge(kinds.POD, name, namespace, {"status": said}, subresource="status", manager=MANAGER)
        self.pods[name], self._namespaces[name] = address, namespace

    def reaches(self, who: str, whom: str, port: int) -> bool:
        """Whether a pod can open a connection to another; without a name, its kubelet."""
        command = self._in(
            f"{self.name}-{who}" if who else self.name, "socat", "-", f"TCP:{self.pods[whom]}:{port},connect-timeout=1"
        )
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return done.stdout.strip() == GREETING

    def _namespace(self, name: str) -> None:
        ip("netns", "add", name)
        self._ends.callback(ip, "netns", "delete", name)
        ip("-n", name, "link", "set", "lo", "up")

    @staticmethod
    def _in(netns: str, *command: str) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{netns}", *command]

    def _run_in(self, netns: str, *command: str) -> None:
        self._run(*self._in(netns, *command))

    def _run(self, *command: str) -> None:
        """Until the node is powered off."""
        with (self.folder / f"{self.name}.log").open("ab") as log:
            environment = os.environ | {"PATH": f"{os.environ['PATH']}:{BINARIES}"}
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        self._ends.callback(process.wait)
        self._ends.callback(process.kill)

    def until(self, seen: Mapping[tuple[str, str, int], bool]) -> None:
        """Until who may reach whom at which port is so; AssertionError says what is not."""
        deadline = time.monotonic() + PATIENCE
        while wrong := {each: want for each, want in seen.items() if self.reaches(*each) != want}:
            said = (self.folder / f"{self.name}.log").read_text()[-2000:]
            assert time.monotonic() < deadline, f"is not so: {wrong}; {said}"
            time.sleep(0.2)
