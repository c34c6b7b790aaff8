"""A tenant's kube-apiserver as a real process, started from its Deployment, and what kubelet and controllers say of it.

The test plays the Deployment controller and the kubelet: `schedule` makes the pod object, `start` mounts the Secrets that the
pod's volumes name and runs kube-apiserver with the very flags of its container; only paths and the listening address differ.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from lab.servers import Process
from provider.api import kinds
from provider.cluster.client import Cluster
from provider.manifest import Manifest, meta

MANAGER = "tests"
LOOPBACK = "127.0.0.1"


@dataclass
class TenantPod:
    """One pod of a tenant's Deployment. `folder` is its file system."""

    cluster: Cluster
    namespace: str
    name: str
    folder: Path

    def __post_init__(self) -> None:
        self._process = Process("kube-apiserver", self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    async def schedule(self) -> None:
        """Make the pod that the Deployment asks for; nothing runs in it."""
        deployment = await self._deployment()
        template = deployment["spec"]["template"]
        pod = meta.new(kinds.POD, f"{self.name}-1", self.namespace, spec=template["spec"])
        pod["metadata"] |= template["metadata"]
        await self.cluster.apply(pod, manager=MANAGER)
        await self._say_deployment(deployment, ready=0)

    async def start(self) -> None:
        """Run the API server until it answers, and say so as the kubelet and the Deployment controller would."""
        await self.run()
        await self.say_ready()

    async def run(self) -> None:
        """Run the API server until it answers; nobody says so yet."""
        deployment = await self._deployment()
        container = self._container(deployment)
        flags = [each async for each in self._mounted(deployment, container)]
        port = next(each.split("=")[1] for each in flags if each.startswith("--secure-port="))
        self._process.start([*flags, f"--bind-address={LOOPBACK}"], lambda: _ready(int(port)))

    async def say_running(self) -> None:
        """What the kubelet says of a container that it has started and not yet seen ready."""
        await self._say_pod(ready=False)

    async def say_ready(self) -> None:
        """What kubelet and Deployment controller say when the probes have seen it ready."""
        await self._say_pod(ready=True)
        await self._say_deployment(await self._deployment(), ready=1)

    async def answers(self) -> None:
        """Say again that it is ready, of a Deployment that has changed since."""
        await self._say_deployment(await self._deployment(), ready=1)

    def stop(self) -> None:
        self._process.stop()

    async def _deployment(self) -> Manifest:
        found = await self.cluster.get(kinds.DEPLOYMENT, self.name, self.namespace)
        assert found is not None, f"there is no Deployment {self.name}"
        return found

    @staticmethod
    def _container(deployment: Manifest) -> Manifest:
        containers: list[Manifest] = deployment["spec"]["template"]["spec"]["containers"]
        return next(each for each in containers if each["name"] == "kube-apiserver")

    async def _mounted(self, deployment: Manifest, container: Manifest) -> Any:
        """The container's flags, its mounts' paths replaced by folders that hold the same files."""
        flags = list(container["args"])
        volumes = {each["name"]: each for each in deployment["spec"]["template"]["spec"]["volumes"]}
        for mount in container["volumeMounts"]:
            root = self.folder / mount["name"]
            for secret, items in _sources(volumes[mount["name"]]):
                data = meta.decoded(await self.cluster.get(kinds.SECRET, secret, self.namespace))
                for item in items:
                    (root / item["path"]).parent.mkdir(parents=True, exist_ok=True)
                    (root / item["path"]).write_bytes(data[item["key"]])
            flags = [each.replace(f"={mount['mountPath']}/", f"={root}/") for each in flags]
        for each in flags:
            yield each

    async def _say_pod(self, *, ready: bool) -> None:
        state = {"running": {"startedAt": "2026-11-24T12:00:00Z"}}
        container = {"name": "kube-apiserver", "image": "kube-apiserver", "imageID": "", "restartCount": 0}
        status = {
            "phase": "Running",
            "podIP": LOOPBACK,
            "podIPs": [{"ip": LOOPBACK}],
            "containerStatuses": [{**container, "ready": ready, "started": True, "state": state}],
        }
        await self._say(kinds.POD, f"{self.name}-1", status)

    async def _say_deployment(self, deployment: Manifest, *, ready: int) -> None:
        counts = {each: 1 for each in ("replicas", "updatedReplicas")}
        if ready:
            counts |= {"readyReplicas": ready, "availableReplicas": ready}
        status = {**counts, "observedGeneration": deployment["metadata"]["generation"]}
        await self._say(kinds.DEPLOYMENT, self.name, status)

    async def _say(self, kind: kinds.Kind, name: str, status: dict[str, Any]) -> None:
        await self.cluster.merge(kind, name, self.namespace, {"status": status}, subresource="status", manager=MANAGER)


def _sources(volume: Manifest) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """(Secret, its items) of a volume."""
    if "secret" in volume:
        yield volume["secret"]["secretName"], volume["secret"]["items"]
    for each in volume.get("projected", {}).get("sources", ()):
        yield each["secret"]["name"], each["secret"]["items"]


def _ready(port: int) -> bool:
    """As the kubelet's probe finds: whoever answers, certificate unseen."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urlopen(f"https://{LOOPBACK}:{port}/readyz", timeout=5, context=context) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
