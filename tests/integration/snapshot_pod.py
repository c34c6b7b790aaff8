"""What the controllers of CronJobs and Jobs and the kubelet would make of a store's snapshots: each container a real process.

Containers run one after the other, the etcd beside those that come after it, with the paths of their mounts as they are here.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab import programs
from lab.servers import free_ports
from provider.api import kinds, poolnames
from provider.manifest import Manifest, meta
from tests.integration.pool_fleet import Fleet
from tests.integration.pool_pods import MANAGER
from tests.integration.pool_world import NAMESPACE

Between = Callable[[str], Awaitable[None]]
PORTS = re.compile(r"127\.0\.0\.1:(2379|2380)\b")


@dataclass
class SnapshotPod:
    """One run. `volume` is what the claim leads to; `folder` has everything else and is this run's own."""

    fleet: Fleet
    folder: Path
    volume: Path
    ended: dict[str, dict[str, Any]] = field(default_factory=dict)  # by container
    _ports: tuple[int, ...] = field(default_factory=lambda: free_ports(2))
    _etcd: asyncio.subprocess.Process | None = None

    async def run(self, between: Between | None = None) -> Manifest:
        """The Job, after its pod. `between` is called before each container, with its name."""
        job = await self._job()
        spec = job["spec"]["template"]["spec"]
        await self._mount(spec)
        try:
            for each in (*spec["initContainers"], *spec["containers"]):
                if between is not None:
                    await between(each["name"])
                if not await self._ran(each, spec):
                    break
        finally:
            if self._etcd is not None:
                self._etcd.kill()
                await self._etcd.wait()
        await self._tell(job, spec)
        return job

    @property
    def kept(self) -> list[str]:
        """Files of the store on the volume."""
        return sorted(each.name for each in (self.volume / self.fleet.name).glob("*"))

    async def _job(self) -> Manifest:
        cron = await self.fleet.world.get(kinds.CRON_JOB, poolnames.snapshots(self.fleet.name))
        template = cron["spec"]["jobTemplate"]
        name = f"{cron['metadata']['name']}-{self._ports[0]}"
        made = meta.new(kinds.JOB, name, NAMESPACE, labels=template["metadata"]["labels"], spec=template["spec"])
        return await self.fleet.world.cluster.apply(meta.owned(made, cron), manager=MANAGER)

    async def _mount(self, spec: dict[str, Any]) -> None:
        for each in spec["volumes"]:
            folder = self._folder(each)
            folder.mkdir(parents=True, exist_ok=True)
            if "secret" in each:
                secret = await self.fleet.world.get(kinds.SECRET, each["secret"]["secretName"])
                for file, content in meta.decoded(secret).items():
                    (folder / file).write_bytes(content)

    def _folder(self, volume: dict[str, Any]) -> Path:
        return self.volume if "persistentVolumeClaim" in volume else self.folder / str(volume["name"])

    async def _ran(self, container: dict[str, Any], spec: dict[str, Any]) -> bool:
        """Whether it ended well, or goes on beside the others."""
        words = self.folder / f"{container['name']}.last"
        words.touch()
        program, told = self._command(container)
        command = [*program, *(self._local(each, container, spec) for each in told)]
        log = (self.folder / f"{container['name']}.log").open("wb")
        with log:
            process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, env=dict(os.environ))
        if container.get("restartPolicy") == "Always":
            self._etcd = process
            return True
        code = await process.wait()
        said = words.read_text() or ("" if code == 0 else self.log(container["name"])[-2000:])
        self.ended[container["name"]] = {"exitCode": code, "message": said}
        return code == 0

    def log(self, container: str) -> str:
        return (self.folder / f"{container}.log").read_text(errors="replace")

    def _command(self, container: dict[str, Any]) -> tuple[list[str], list[str]]:
        """The program, of the version that the image has, and what it is told."""
        command = [*container.get("command", ()), *container.get("args", ())]
        if command[0] in ("etcd", "etcdutl"):
            version = str(container["image"]).rpartition(":v")[2]
            program = self.fleet.pods.programs.get(version, "etcd").replace("etcd", command[0], 1)
            return [str(programs.path(program))], command[1:]
        return [sys.executable, "-m", "provider"], command

    def _local(self, said: str, container: dict[str, Any], spec: dict[str, Any]) -> str:
        folders = {each["name"]: str(self._folder(each)) for each in spec["volumes"]}
        mounts = {each["mountPath"]: folders[each["name"]] for each in container["volumeMounts"]}
        mounts["/dev/termination-log"] = str(self.folder / f"{container['name']}.last")
        said = re.sub(rf"(?<![\w/])({'|'.join(mounts)})(?=/|$)", lambda found: mounts[found[1]], said)
        for inside, outside in self.fleet.pods.dialled.items():
            said = re.sub(rf"(?<==){re.escape(inside)}$", outside, said)
        return PORTS.sub(lambda found: f"127.0.0.1:{self._ports[found[1] == '2380']}", said)

    async def _tell(self, job: Manifest, spec: dict[str, Any]) -> None:
        """As the kubelet and the Job's controller tell what came of it."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        cluster, name = self.fleet.world.cluster, job["metadata"]["name"]
        labels = job["spec"]["template"]["metadata"]["labels"]
        claim = {key: value for key, value in spec.items() if key != "serviceAccountName"}
        pod = meta.owned(meta.new(kinds.POD, f"{name}-pod", NAMESPACE, labels=labels, spec=claim), job)
        await cluster.apply(pod, manager=MANAGER)
        well = self.ended.get("keep", {}).get("exitCode") == 0
        status: dict[str, Any] = {"phase": "Succeeded" if well else "Failed"}
        for key in ("initContainerStatuses", "containerStatuses"):
            of = [each["name"] for each in spec[key.replace("Statuses", "s")]]
            status[key] = [_status(each, self.ended[each]) for each in of if each in self.ended]
        await self._say(kinds.POD, f"{name}-pod", status)
        kind = "Complete" if well else "Failed"
        before = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}[kind]
        said = [
            {"type": each, "status": "True", "lastTransitionTime": now, "reason": "Tests"} for each in (before, kind)
        ]
        times = {"startTime": now} | ({"completionTime": now, "succeeded": 1} if well else {})
        await self._say(kinds.JOB, name, {"conditions": said, **times})

    async def _say(self, kind: kinds.Kind, name: str, status: dict[str, Any]) -> None:
        patch = json.loads(json.dumps({"status": status}))
        await self.fleet.world.cluster.merge(kind, name, NAMESPACE, patch, subresource="status", manager=MANAGER)


def _status(name: str, ended: dict[str, Any]) -> dict[str, Any]:
    state = {"terminated": {"exitCode": ended["exitCode"], "message": ended["message"]}}
    return {"name": name, "image": "x", "imageID": "x", "ready": False, "restartCount": 0, "state": state}
