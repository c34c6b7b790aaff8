"""What Deployment controller, kubelet and Service do for a tenant while its pods are replaced: blue and green, a process each.

Each pod is a kube-apiserver with the flags and Secrets of the Deployment's template, on the tenant's port at an address of its
own, by which the provider finds it. Clients dial the port on 127.0.0.1, where a plain forwarder leads new connections to the
pod that was ready last, as a Service would; connections to the older one live until it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

from lab.servers import Process
from provider.api import kinds
from provider.cluster.address import path
from provider.cluster.errors import NotFound
from provider.cluster.transport import Request
from provider.manifest import Manifest, meta
from provider.manifest.condition import holds
from tests.integration.hosted import MANAGER, Hosted, placed
from tests.piping import carried

KUBELET = "kubelet"  # who writes the conditions that are its own, and leaves others'
GRACE = 30.0  # seconds that a pod has to end, as Kubernetes gives it
ADDRESSES = (f"127.1.{high}.{low}" for high in itertools.count(1) for low in range(1, 255))


@dataclass
class Pod:
    """One kube-apiserver of the tenant."""

    name: str
    folder: Path
    template: Manifest
    port: int
    address: str = field(default_factory=lambda: next(ADDRESSES))
    process: Process | None = None
    ending: asyncio.Task[None] | None = None

    @property
    def gates(self) -> list[str]:
        return [each["conditionType"] for each in self.template["spec"].get("readinessGates") or ()]

    def answers(self) -> bool:
        context = ssl.create_default_context(cafile=str(self.folder / "pki/ca.crt"))
        context.check_hostname = False
        try:
            with urlopen(f"https://{self.address}:{self.port}/readyz", timeout=5, context=context) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@dataclass
class Rollout:
    """The pods of one tenant, and the way to them."""

    hosted: Hosted
    pods: list[Pod] = field(default_factory=list)  # without those that are told to end
    ending: list[Pod] = field(default_factory=list)
    ready: Pod | None = None
    broken: bool = False  # new pods do not come up
    asleep: bool = False  # replicas are 0
    _server: asyncio.Server | None = None
    _number: int = 0

    async def open(self) -> None:
        """The tenant's address takes connections from now on."""
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self.hosted.port)

    async def step(self) -> bool:
        """One look of the Deployment controller: whether the pods are what the Deployment asks for."""
        deployment = await self.hosted.cluster.get(kinds.DEPLOYMENT, self.hosted.name, self.hosted.namespace)
        if deployment is None:
            return False
        if self.asleep:
            await self._end(self.pods)
            await self.ended()
            await self._say(deployment, updated=0, ready=0)
            return True
        template = deployment["spec"]["template"]
        pod = next((each for each in self.pods if each.template == template), None)
        if pod is None:
            if not self.broken:
                pod = await self._start(template)
            else:  # what is not ready and not wanted any more goes first, whether the next comes up or not
                await self._end([each for each in self.pods if each is not self.ready])
                await self._say(deployment, updated=0, ready=1)
                return False
        if pod is not self.ready and (self.broken or not await self._let_in(pod)):
            await self._tell(pod, ready=False, runs=True)
            await self._end([each for each in self.pods if each not in (pod, self.ready)])
            await self._say(deployment, updated=1, ready=len(self.pods) - 1)
            return False
        self.ready = pod
        await self._tell(pod, ready=True, runs=True)
        await self._say(deployment, updated=1, ready=len(self.pods))
        await self._end([each for each in self.pods if each is not pod])
        await self._say(deployment, updated=1, ready=1)
        return True

    async def begin(self) -> None:
        """The next pod is up and serves nobody through the Service yet; the one before serves on."""
        deployment = await self.hosted.get(kinds.DEPLOYMENT)
        await self._start(deployment["spec"]["template"])

    async def ended(self) -> None:
        """Whoever was told to end is gone."""
        await asyncio.gather(*(each.ending for each in self.ending if each.ending is not None))

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for each in [*self.pods, *self.ending]:
            if each.ending is not None:
                each.ending.cancel()
                await asyncio.gather(each.ending, return_exceptions=True)
            if each.process is not None:
                each.process.stop()

    async def vanish(self) -> None:
        """All pods are gone, as when their Deployment is deleted."""
        await self._end(self.pods)
        await self.ended()

    async def _start(self, template: Manifest) -> Pod:
        self._number += 1
        name = f"{self.hosted.name}-{self._number}"
        pod = Pod(name, self.hosted.folder / name, template, self.hosted.port)
        await self.hosted.mount(template["spec"], pod.folder)
        container = next(each for each in template["spec"]["containers"] if each["name"] == "kube-apiserver")
        args = placed(container["args"], pod.folder)
        pod.process = Process("kube-apiserver", pod.folder)
        self.pods.append(pod)
        await self._tell(pod, ready=False)
        await asyncio.to_thread(pod.process.start, [*args, f"--bind-address={pod.address}"], pod.answers)
        return pod

    async def _let_in(self, pod: Pod) -> bool:
        """Whether all its gates are open: conditions that others write, and a kubelet looks at."""
        seen = await self.hosted.cluster.get(kinds.POD, pod.name, self.hosted.namespace)
        said = ((seen or {}).get("status") or {}).get("conditions")
        return all(holds(said, each) for each in pod.gates)

    async def _end(self, pods: Sequence[Pod]) -> None:
        for each in list(pods):
            self.pods.remove(each)
            self.ending.append(each)
            await self.hosted.cluster.delete(kinds.POD, each.name, self.hosted.namespace)
            each.ending = asyncio.create_task(self._ended(each))

    async def _ended(self, pod: Pod) -> None:
        """As a kubelet does: told to end, it closes its connections, and is ended after a while; then its object goes."""
        if pod.process is not None and pod.process.process is not None:
            pod.process.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(pod.process.process.wait, GRACE)
            pod.process.stop()
        self.ending.remove(pod)
        shutil.rmtree(pod.folder / "pki")
        where = path(kinds.POD, self.hosted.namespace, pod.name)
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
        with contextlib.suppress(NotFound):
            await self.hosted.cluster._transport.send(Request(method="DELETE", path=where, body=body))

    async def _tell(self, pod: Pod, *, ready: bool, runs: bool = False) -> None:
        wanted = ("containers", "volumes", "readinessGates")
        template = pod.template["spec"]
        spec = {"nodeName": "node", **{each: template[each] for each in wanted if each in template}}
        labels = pod.template["metadata"]["labels"]
        made = meta.new(kinds.POD, pod.name, self.hosted.namespace, labels=labels, spec=spec)
        await self.hosted.cluster.apply(made, manager=MANAGER)
        told = {"ready": runs, "imageID": "", "restartCount": 0, "state": {"running": {}}}
        said = [{"name": each["name"], "image": each["image"], **told} for each in template["containers"]]
        status = {
            "podIP": pod.address,
            "podIPs": [{"ip": pod.address}],
            "containerStatuses": said,
            "conditions": [
                {"type": "ContainersReady", "status": str(runs)},
                {"type": "Ready", "status": str(ready)},
            ],
        }
        spoken = meta.new(kinds.POD, pod.name, self.hosted.namespace, status=status)
        await self.hosted.cluster.apply(spoken, manager=KUBELET, subresource="status")

    async def _say(self, deployment: Manifest, *, updated: int, ready: int) -> None:
        counts = {"replicas": len(self.pods), "updatedReplicas": updated, "readyReplicas": ready}
        counts |= {"availableReplicas": ready, "observedGeneration": deployment["metadata"]["generation"]}
        await self.hosted.said(kinds.DEPLOYMENT, self.hosted.name, counts)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if self.ready is not None:
                there, back = await asyncio.open_connection(self.ready.address, self.ready.port)
                await asyncio.gather(carried(reader, back), carried(there, writer))
        writer.close()
