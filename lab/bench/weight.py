"""What one control plane takes while nobody asks anything of it: memory, CPU, and writes to etcd.

Its three programs run as its Deployment says, with the files of its Secrets, as processes on loopback instead of in a pod. Also
by itself: `python -m lab.bench.weight [NAME=VALUE…] [PROGRAM:--flag=value…]`, which tries other settings.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from lab.bench.scale import gauge, kubelet, planes
from lab.bench.scale.world import MANAGER, World, started
from lab.bench.table import Row, table
from lab.servers import Process, free_port, listens, ready
from provider.api import kinds
from provider.cluster.client import Cluster
from provider.manifest import Manifest, meta

RUNS, WINDOW, SETTLING = 5, 20.0, 120.0  # seconds; Go gives memory back within minutes
SIMULATED = "no pod: processes on loopback"
MEMORY, WRITES = "idle control plane: anonymous memory", "idle control plane: writes to etcd"
AFTER = ("kube-scheduler", "kube-controller-manager")


@dataclass
class Machine:
    """Runs the programs of the first Deployment it sees; `settings` are laid over what that says."""

    folder: Path
    port: int
    settings: Sequence[str] = ()
    processes: list[Process] = field(default_factory=list)

    async def play(self, cluster: Cluster) -> None:
        """Until cancelled."""
        async for change in cluster.watch(kinds.DEPLOYMENT, labels=kubelet.LABELS):
            if change.object and change.object["spec"].get("replicas") and not self.processes:
                await self._run(cluster, change.object)
                await kubelet.run(cluster, change.object)

    async def _run(self, cluster: Cluster, deployment: Manifest) -> None:
        pod = deployment["spec"]["template"]["spec"]
        volumes = {each["name"]: each for each in pod["volumes"]}
        containers = {each["name"]: each for each in pod["containers"]}
        for name in ("kube-apiserver", *AFTER):
            mounts = {each["name"]: each["mountPath"] for each in containers[name]["volumeMounts"]}
            for volume in mounts:
                await self._mount(cluster, deployment["metadata"]["namespace"], volumes[volume])
            await asyncio.to_thread(self._start, containers[name], mounts)

    async def _mount(self, cluster: Cluster, namespace: str, volume: Manifest) -> None:
        for secret, items in _sources(volume):
            data = meta.decoded(await cluster.get(kinds.SECRET, secret, namespace))
            for item in items:
                path = self.folder / volume["name"] / item["path"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data[item["key"]])

    def _start(self, container: Manifest, mounts: dict[str, str]) -> None:
        name, port = container["name"], self.port
        flags = list(container["args"])
        for volume, path in sorted(mounts.items(), key=lambda each: -len(each[1])):
            flags = [each.replace(f"={path}/", f"={self.folder / volume}/") for each in flags]
        if name in AFTER:
            port = free_port()
            flags.append(f"--secure-port={port}")
        flags += ["--bind-address=127.0.0.1", *self._said(f"{name}:")]
        said = {each["name"]: each.get("value", "") for each in container.get("env", ())}
        said |= dict(each.split("=", 1) for each in self.settings if ":" not in each)
        process = Process(name, self.folder, environment=said)
        authority = self.folder / "etc-kubernetes-pki" / "ca.crt"
        process.start(flags, lambda: listens(port) if name in AFTER else ready(port, authority))
        self.processes.append(process)

    def _said(self, program: str) -> list[str]:
        return [each.removeprefix(program) for each in self.settings if each.startswith(program)]

    def stop(self) -> None:
        """All of them."""
        for each in self.processes:
            each.stop()


async def rows(runs: int = RUNS, settings: Sequence[str] = (), settling: float = SETTLING) -> list[Row]:
    """Of one tenant with everything as it is when its user says nothing; measured after so many seconds of rest."""
    with tempfile.TemporaryDirectory(prefix="capi-kamaji-weight-", ignore_cleanup_errors=True) as name:
        machine = Machine(Path(name) / "pod", free_port(), settings)
        machine.folder.mkdir()
        try:
            async with started(Path(name), 1, machine.play) as world:
                await _born(world, machine)
                await asyncio.sleep(settling)
                return await _weighed(world, machine, runs)
        finally:
            machine.stop()


async def _born(world: World, machine: Machine) -> None:
    """Ready, and without the provider, whose own questions are not its tenants' weight."""
    await world.management.apply(meta.new(kinds.NAMESPACE, planes.namespace(0)), manager=MANAGER)
    await world.ask(planes.namespace(0), {"port": machine.port})
    world.provider.start()
    async with asyncio.timeout(300):
        while not await world.ready():
            await asyncio.sleep(1)
    await world.provider.at_rest(0)
    world.provider.stop()


async def _weighed(world: World, machine: Machine, runs: int) -> list[Row]:
    memory: dict[str, list[float]] = {each.program: [] for each in machine.processes}
    busy, written = [], []
    for _ in range(runs):
        before, revision, since = _readings(machine), await world.store.revision(), time.monotonic()
        await asyncio.sleep(WINDOW)
        after, seconds = _readings(machine), time.monotonic() - since
        written.append((await world.store.revision() - revision) / seconds)
        busy.append(sum(after[each].cpu - before[each].cpu for each in after) / seconds * 1000)
        for program, reading in after.items():
            memory[program].append(reading.anonymous)
    whole = tuple(map(sum, zip(*memory.values(), strict=True)))
    return [
        Row(MEMORY, whole, None, 165, "MiB", SIMULATED),
        *(Row(f"of it {name}", tuple(found), None, None, "MiB", SIMULATED) for name, found in memory.items()),
        Row("idle control plane: CPU", tuple(busy), None, 20, "mCPU", SIMULATED),
        Row(WRITES, tuple(written), None, 0.3, "/s", SIMULATED),
    ]


def _readings(machine: Machine) -> dict[str, gauge.Reading]:
    return {each.program: gauge.of(each.process.pid) for each in machine.processes if each.process}


def _sources(volume: Manifest) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """(Secret, its items) of a volume."""
    if "secret" in volume:
        yield volume["secret"]["secretName"], volume["secret"].get("items") or []
    for each in volume.get("projected", {}).get("sources", ()):
        if "secret" in each:
            yield each["secret"]["name"], each["secret"]["items"]


if __name__ == "__main__":
    Console(width=160).print(table(asyncio.run(rows(settings=sys.argv[1:])), 1.0))
