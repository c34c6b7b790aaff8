"""Beside a real kube-controller-manager: a real kube-scheduler, a hand that does the kubelet's part, and a way to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from lab.servers import ApiServer, Process, free_port, listens
from provider.api import kinds
from provider.cluster.client import Cluster
from provider.manifest import Manifest

PATIENCE = 180.0  # seconds; a bound against hanging for ever


@dataclass
class Scheduler:
    """As clusters have it: nothing of it is set but where its API server is."""

    server: ApiServer

    def __post_init__(self) -> None:
        self._process = Process("kube-scheduler", self.server.folder)

    def start(self) -> Scheduler:
        """Run it; itself."""
        port = free_port()
        flags = [f"--kubeconfig={self.server.folder / 'kubeconfig'}", "--leader-elect=false"]
        flags += ["--bind-address=127.0.0.1", f"--secure-port={port}"]
        self._process.start(flags, lambda: listens(port))
        return self

    def stop(self) -> None:
        """As a power cut would."""
        self._process.stop()


async def pods_get_ready(cluster: Cluster, namespace: str, fits: Callable[[Manifest], bool]) -> None:
    """Say of each pod what its kubelet would say of one that runs well."""
    for each in await cluster.list(kinds.POD, namespace):
        if fits(each) and not (each.get("status") or {}).get("conditions"):
            said = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
            name = each["metadata"]["name"]
            await cluster.merge(kinds.POD, name, namespace, {"status": said}, subresource="status", manager="kubelet")


async def until(look: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Look until it is true; the truth."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not (seen := await look()):
        assert asyncio.get_running_loop().time() < deadline, f"{what}: not within {PATIENCE:.0f} s"
        await asyncio.sleep(0.1)
    return seen
