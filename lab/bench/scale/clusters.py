"""A hundred Clusters of Cluster API at once, each with an in-memory machine: born, looked at, scaled, upgraded, ended.

What acts is real: our provider, Cluster API's core, its kubeadm bootstrap provider and its infrastructure provider for
development, each with the rights of its release, the garbage collector, API servers and etcds. Pods and kubelets are played:
all control planes are one kube-apiserver, which no upgrade changes, and all Nodes are in it. Also by itself:
`python -m lab.bench.scale.clusters 100`.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from lab import capi_repository, managers
from lab.bench.scale import kubelet, nodes, planes
from lab.bench.scale.world import MANAGER, World, started
from lab.bench.table import Row, table
from lab.infrastructure.kinds import MACHINE
from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.cluster.connect import from_file
from provider.manifest import Manifest, meta

VERSION, NEWER = "v1.36.3", "v1.37.2"
COUNT, AT_ONCE = 100, 16
PATIENCE = 1200.0  # seconds; a bound against hanging for ever
LOOP = 3  # failed passes over one object; more are a loop
PROGRAM, TREE = "capi-dev-infrastructure", "infrastructure/docker/config/default"
TEMPLATE = capi_repository.PROJECT / "clusterctl/templates/docker/cluster-template-kamaji.yaml"
DEV_MACHINE = Kind("infrastructure.cluster.x-k8s.io/v1beta2", "DevMachine", "devmachines")
DEPLOYMENT = Kind(f"{names.CAPI_GROUP}/v1beta2", "MachineDeployment", "machinedeployments")
NAME = planes.TENANT
WORKERS = f"{NAME}-md-0"
SIMULATED = (
    "pods and kubelets: all control planes are one kube-apiserver, which no upgrade changes; machines are in memory"
)
LEFT = (kinds.CLUSTER, kinds.KAMAJI_CONTROL_PLANE, kinds.TENANT_CONTROL_PLANE, kinds.DEPLOYMENT, MACHINE, DEV_MACHINE)
So = Callable[[Manifest], bool]


@dataclass
class Lived:
    """What came of so many Clusters."""

    count: int
    seconds: dict[str, float] = field(default_factory=dict)  # by what was waited for
    writes: int = -1  # of ours, in the passes over all of them when nothing had changed
    failures: int = -1  # passes of ours that failed, in all
    failed: Counter[str] = field(default_factory=Counter)  # the same by object
    left: list[str] = field(default_factory=list)  # once all were deleted
    spent: float = 0.0  # seconds of CPU, ours

    def loops(self) -> dict[str, int]:
        """What failed more often than meets an object while others write it."""
        return {key: number for key, number in self.failed.items() if number > LOOP}

    def rows(self) -> list[Row]:
        """For the table."""
        what = f"{self.count} Clusters with an in-memory machine each"
        timed = [Row(f"{what}, {key}", (taken,), simulated=SIMULATED) for key, taken in self.seconds.items()]
        return [
            *timed,
            Row(f"{what}: writes of a pass over each at rest", (self.writes,), None, 0, "writes", SIMULATED),
            Row(
                f"{what}: objects that failed more than {LOOP} times",
                (len(self.loops()),),
                None,
                0,
                "objects",
                SIMULATED,
            ),
            Row(f"{what}: passes that failed, in all", (self.failures,), None, None, "passes", SIMULATED),
            Row(f"{what}: CPU of the provider in all, a Cluster", (self.spent / self.count,), simulated=SIMULATED),
        ]


async def lived(count: int, console: Console | None = None) -> Lived:
    """From nothing to nothing."""
    found = Lived(count)
    async with _fleet(found, console or Console(quiet=True)) as fleet:
        await fleet.born()
        await fleet.looked_at()
        await fleet.scaled()
        await fleet.upgraded()
        await fleet.ended()
        found.failures, found.failed = await fleet.world.provider.failures(), fleet.world.provider.failed()
        found.spent = fleet.world.provider.reading().cpu
    return found


@asynccontextmanager
async def _fleet(found: Lived, console: Console) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        name = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="capi-kamaji-clusters-", ignore_cleanup_errors=True)
        )
        world = await stack.enter_async_context(started(Path(name), found.count))
        managers.kinds(world.server)
        managers.ours(world.server)
        stack.enter_context(managers.controlling(world.server, managers.COLLECTION))
        stack.enter_context(managers.cluster_api(world.server, webhooks=True))
        stack.enter_context(managers.infrastructure(world.server, PROGRAM, TREE))
        plane = await from_file(world.plane.folder / "kubeconfig")
        stack.push_async_callback(plane.close)
        playing = asyncio.create_task(nodes.play(world.management, plane, DEV_MACHINE))
        stack.callback(playing.cancel)
        world.provider.start()
        yield Fleet(world, found, console, playing)


@dataclass
class Fleet:
    """All of them, and who waits for them."""

    world: World
    found: Lived
    console: Console
    playing: asyncio.Task[None]

    async def born(self) -> None:
        """From `kubectl apply` of our template to machines that run."""
        await self._each(self._prepare)
        with self._timed("created at once: the last machine runs"):
            await self._each(self._ask)
            await self._all(kinds.TENANT_CONTROL_PLANE, bool)
            await self._running(1)

    async def looked_at(self) -> None:
        """A pass over each while there is nothing to do."""
        provider = self.world.provider
        await provider.at_rest(0)
        written, passes = self._written(), await provider.passes("kamajicontrolplane")
        await self._each(lambda each: self._merge(kinds.CLUSTER, NAME, each, {"metadata": {"annotations": LOOKED_AT}}))
        async with asyncio.timeout(PATIENCE):
            while await provider.passes("kamajicontrolplane") < passes + self.found.count:
                await asyncio.sleep(0.5)
        await provider.at_rest(0)
        self.found.writes = self._written() - written

    async def scaled(self) -> None:
        """Control planes and machines, to two and back."""
        for number, what in ((2, "scaled to two: the last machine runs"), (1, "scaled back to one: the last is gone")):
            with self._timed(what):
                await self._each(lambda each, n=number: self._replicas(each, n))  # type: ignore[misc]
                await self._all(kinds.KAMAJI_CONTROL_PLANE, lambda each, n=number: _replicas(each) == n)  # type: ignore[misc]
                await self._running(number)

    async def upgraded(self) -> None:
        """First the control planes, as Cluster API does it, then the machines."""
        with self._timed("upgraded one minor: the last control plane is"):
            wanted = {"spec": {"version": NEWER}}
            await self._each(lambda each: self._merge(kinds.KAMAJI_CONTROL_PLANE, NAME, each, wanted))
            await self._all(kinds.KAMAJI_CONTROL_PLANE, lambda each: _versions(each) == [NEWER])
        with self._timed("upgraded one minor: the last machine is"):
            machine = {"spec": {"template": {"spec": {"version": NEWER}}}}
            await self._each(lambda each: self._merge(DEPLOYMENT, WORKERS, each, machine))
            await self._running(1, NEWER)

    async def ended(self) -> None:
        """`kubectl delete cluster`, to the last trace."""
        with self._timed("deleted: the last is gone"):
            await self._each(lambda each: self.world.management.delete(kinds.CLUSTER, NAME, each))
            await self._all(kinds.CLUSTER, bool, 0)
        async with asyncio.timeout(PATIENCE):
            while await self._left(kinds.DEPLOYMENT):  # by the garbage collector
                await asyncio.sleep(0.5)
        self.found.left = [one for kind in LEFT for one in await self._left(kind)]

    # --- one of them

    async def _prepare(self, namespace: str) -> None:
        """What a user brings: the authority, so that the planes' server is trusted."""
        pair, management = self.world.plane.authority.pair, self.world.management
        data = {"ca.crt": pair.certificate, "ca.key": pair.key, "tls.crt": pair.certificate, "tls.key": pair.key}
        await management.apply(meta.new(kinds.NAMESPACE, namespace), manager=MANAGER)
        brought = meta.new(
            *(kinds.SECRET, names.ca_secret(NAME), namespace),
            labels={names.LABEL_CLUSTER_NAME: NAME},
            type=names.CLUSTER_SECRET_TYPE,
            data=meta.secret_data(data),
        )
        await management.apply(brought, manager=MANAGER)

    async def _ask(self, namespace: str) -> None:
        for each in documents(namespace, self.world.plane.port):
            await self.world.management.apply(each, manager=MANAGER)

    async def _replicas(self, namespace: str, number: int) -> None:
        await self._merge(kinds.KAMAJI_CONTROL_PLANE, NAME, namespace, {"spec": {"replicas": number}})
        await self._merge(DEPLOYMENT, WORKERS, namespace, {"spec": {"replicas": number}})

    async def _merge(self, kind: Kind, name: str, namespace: str, patch: dict[str, Any]) -> None:
        await self.world.management.merge(kind, name, namespace, patch, manager=MANAGER)

    # --- all of them

    async def _each(self, work: Callable[[str], Awaitable[Any]]) -> None:
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(namespace: str) -> None:
            async with turns:
                await work(namespace)

        await asyncio.gather(*(one(planes.namespace(each)) for each in range(self.found.count)))

    async def _running(self, number: int, version: str = VERSION) -> None:
        """So many machines of each Cluster run, all of this version, and no others are there."""
        wanted = self.found.count * number
        await self._all(MACHINE, lambda each: _phase(each) == "Running" and each["spec"]["version"] == version, wanted)

    async def _all(self, kind: Kind, so: So, wanted: int | None = None) -> None:
        """Exactly so many are there, one for each Cluster unless said, and all are so."""
        wanted = self.found.count if wanted is None else wanted
        deadline = time.monotonic() + PATIENCE
        while True:
            assert self.world.provider.pid
            for each in (self.playing, self.world.playing):
                if each.done():
                    each.result()
            there = await self.world.management.list(kind)
            if len(there) == wanted and all(map(so, there)):
                return
            told = f"{sum(map(so, there))} of {len(there)} {kind.kind} are, {wanted} shall be"
            assert time.monotonic() < deadline, f"{told}: not within {PATIENCE:.0f} s"
            await asyncio.sleep(0.5)

    async def _left(self, kind: Kind) -> list[str]:
        return [f"{kind.kind} {each['metadata']['namespace']}" for each in await self.world.management.list(kind)]

    def _written(self) -> int:
        return sum(self.world.writes().values())

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.found.seconds[what] = time.monotonic() - began
        self.console.print(f"{self.found.count} Clusters, {what}: {self.found.seconds[what]:.0f} s")


LOOKED_AT = {"example.com/looked-at": "now"}


def documents(namespace: str, port: int) -> list[Manifest]:
    """Our template for that provider, with machines in memory and the shared API server. The DevCluster says no endpoint: it
    would be its own."""
    said = {"CLUSTER_NAME": NAME, "NAMESPACE": namespace, "CONTROL_PLANE_ENDPOINT_IP": kubelet.ADDRESS}
    said |= {"CONTROL_PLANE_MACHINE_COUNT": "1", "WORKER_MACHINE_COUNT": "1", "KUBERNETES_VERSION": VERSION}
    text = re.sub(r"\$\{(\w+)(?::=([^}]*))?\}", lambda found: said.get(found[1], found[2] or ""), TEMPLATE.read_text())
    found: list[Manifest] = [each for each in yaml.safe_load_all(text.replace("docker: {}", "inMemory: {}")) if each]
    for each in found:
        match each["kind"]:
            case "Cluster":
                each["spec"]["clusterNetwork"]["apiServerPort"] = port
            case "DevCluster":
                del each["spec"]["controlPlaneEndpoint"]
                each["metadata"]["annotations"] = LOOKED_AT  # its manager panics where there is none
            case "KamajiControlPlane":
                each["spec"]["network"] = {"serviceType": "ClusterIP", "serviceAddress": kubelet.ADDRESS}
                del each["spec"]["addons"]["konnectivity"]  # nobody runs its agents
    return found


def _phase(machine: Manifest) -> str:
    return str((machine.get("status") or {}).get("phase"))


def _replicas(kcp: Manifest) -> int:
    return int((kcp.get("status") or {}).get("readyReplicas") or 0)


def _versions(kcp: Manifest) -> list[str]:
    return [each["version"] for each in (kcp.get("status") or {}).get("versions") or ()]


def main() -> None:
    """Print the table alone."""
    console = Console(width=200)
    found = asyncio.run(lived(int(sys.argv[1]) if sys.argv[1:] else COUNT, console))
    console.print(table(found.rows(), 1.0))
    console.print(f"left: {found.left or 'nothing'}; failed most: {found.failed.most_common(5)}")


if __name__ == "__main__":
    main()
