"""What the StatefulSet controller, the volume controller and the kubelet would make of a pool's store, with a real etcd a pod.

`settle` does what they would do next, and can be called as often as one likes. What it knows is in the API server and in
processes.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import shutil
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.servers import free_ports
from provider.api import kinds, names, poolnames
from provider.cluster.client import Cluster
from provider.hosting.desired.pool.repair import REVISION
from provider.manifest import Manifest, meta
from tests.integration.pool_member import PORTS, Member

MANAGER = "tests"


@dataclass
class Pods:
    """The pods of one store. `dialled` leads names inside the cluster to loopback."""

    cluster: Cluster
    store: str
    namespace: str
    folder: Path
    dialled: dict[str, str]
    members: dict[str, Member] = field(default_factory=dict)  # by pod
    held: set[str] = field(default_factory=set)  # pods that a test keeps from starting
    programs: dict[str, str] = field(default_factory=dict)  # by etcd's version, where not the one everybody has
    gentle: bool = False  # pods end as they are asked to, not by a power cut; and kubelets bring their files up to date
    _uids: dict[str, str] = field(default_factory=dict)  # of the pod that a member runs for
    _network: str = field(default_factory=lambda: f"127.{random.randint(2, 250)}.{random.randint(0, 250)}")

    async def settle(self) -> None:
        """One round."""
        stateful_set = await self._get(kinds.STATEFUL_SET, f"{self.store}-etcd")
        template = stateful_set["spec"]["template"]
        revision = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
        wanted = [f"{self.store}-etcd-{number}" for number in range(stateful_set["spec"]["replicas"])]
        self._write_hosts(5)
        for name in wanted:
            await self._pod(name, stateful_set, revision)
        for job in await self.cluster.list(kinds.JOB, self.namespace, labels={names.LABEL_STORE: self.store}):
            await self._ran(job)
        ready = [await self._told(name) for name in wanted]
        if first := next((self.members[name] for name, is_ready in zip(wanted, ready, strict=True) if is_ready), None):
            self.dialled[f"{self.store}-etcd.{self.namespace}.svc:2379"] = first.endpoint
        counts = {"replicas": len(wanted), "readyReplicas": sum(ready), "updateRevision": revision}
        counts["observedGeneration"] = stateful_set["metadata"]["generation"]
        await self._say(kinds.STATEFUL_SET, f"{self.store}-etcd", counts)

    async def lose_volume(self, name: str) -> None:
        """Its node burns: pod, claim and everything on the disk."""
        self.members[name].stop()
        shutil.rmtree(self.members[name].data, ignore_errors=True)
        for kind, each in ((kinds.POD, name), (kinds.PERSISTENT_VOLUME_CLAIM, f"data-{name}")):
            await self.cluster.delete(kind, each, self.namespace)

    def hold(self, name: str) -> None:
        """Its pod goes down and stays down."""
        self.held.add(name)
        self.members[name].stop()

    def stop(self) -> None:
        for each in self.members.values():
            each.stop()

    async def _ran(self, job: Manifest) -> None:
        """A Job's container, as a process of the provider with the paths as they are here, and what became of it."""
        if (job.get("status") or {}).get("conditions"):
            return
        pod = job["spec"]["template"]["spec"]
        claim = next(each["persistentVolumeClaim"]["claimName"] for each in pod["volumes"] if each["name"] == "data")
        secret = next(each["secret"]["secretName"] for each in pod["volumes"] if each["name"] == "root")
        credentials = self.folder / "root"
        credentials.mkdir(exist_ok=True)
        for file, content in meta.decoded(await self._get(kinds.SECRET, secret)).items():
            (credentials / file).write_bytes(content)
        data = self.members[claim.removeprefix("data-")].data
        arguments = [
            each.replace("/var/lib/etcd", str(data)).replace("/etc/etcd/root", str(credentials))
            for each in pod["containers"][0]["args"]
        ]
        arguments = [
            f"--endpoint={self.dialled[value]}" if key == "--endpoint" else each
            for each in arguments
            for key, _, value in [each.partition("=")]
        ]
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "provider", *arguments)
        kind = "Complete" if await process.wait() == 0 else "Failed"
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        said = [
            {"type": each, "status": "True", "lastTransitionTime": now, "reason": "Tests"}
            for each in ({"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}[kind], kind)
        ]
        times = {"startTime": now} | ({"completionTime": now, "succeeded": 1} if kind == "Complete" else {})
        await self._say(kinds.JOB, job["metadata"]["name"], {"conditions": said, **times})

    async def _pod(self, name: str, stateful_set: Manifest, revision: str) -> None:
        pod = await self.cluster.get(kinds.POD, name, self.namespace)
        gone = pod is None or pod["metadata"]["uid"] != self._uids.get(name)
        if gone and name in self.members:
            await (self._ended(name) if self.gentle else asyncio.to_thread(self.members[name].stop))
        claim = await self._claim(name, stateful_set, in_use=pod is not None)
        if pod is None and claim is not None:
            pod = await self._made(name, stateful_set["spec"]["template"], revision)
        if pod is None or claim is None or name in self.held:
            return
        if pod["metadata"]["uid"] != self._uids.get(name):
            self.members[name] = await self._mounted(name, pod, claim)
            self._uids[name] = pod["metadata"]["uid"]
        elif self.gentle:
            await self._brought(self.members[name])
        if not self.members[name].runs:  # also a container that has ended: what its pod mounts stays as it was
            self.members[name].launch()

    async def _claim(self, name: str, stateful_set: Manifest, *, in_use: bool) -> Manifest | None:
        """The pod's claim, bound to a volume of its own; None while an old one goes."""
        claim = f"data-{name}"
        live = await self.cluster.get(kinds.PERSISTENT_VOLUME_CLAIM, claim, self.namespace)
        if live is not None and live["metadata"].get("deletionTimestamp"):
            if not in_use:
                patch = {"metadata": {"finalizers": []}}
                await self.cluster.merge(kinds.PERSISTENT_VOLUME_CLAIM, claim, self.namespace, patch, manager=MANAGER)
            return None
        if live is None:
            (template,) = stateful_set["spec"]["volumeClaimTemplates"]
            metadata = {**template["metadata"], "name": claim, "namespace": self.namespace}
            made = {**template, "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata}
            made.pop("status", None)
            live = await self.cluster.apply(made, manager=MANAGER)
            await self._say(kinds.PERSISTENT_VOLUME_CLAIM, claim, {"phase": "Bound"})
        return live

    async def _made(self, name: str, template: Manifest, revision: str) -> Manifest:
        labels = {**template["metadata"]["labels"], REVISION: revision}
        claim = {"name": "data", "persistentVolumeClaim": {"claimName": f"data-{name}"}}
        spec = {**template["spec"], "volumes": [*template["spec"]["volumes"], claim]}
        annotations = template["metadata"].get("annotations")
        made = meta.new(kinds.POD, name, self.namespace, labels=labels, annotations=annotations, spec=spec)
        return await self.cluster.apply(made, manager=MANAGER)

    async def _mounted(self, name: str, pod: Manifest, claim: Manifest) -> Member:
        """The process of a pod that is new: what it mounts is as it is at this moment."""
        before = self.members.get(name)
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        version = str(pod["spec"]["containers"][0]["image"]).rpartition(":v")[2]
        member = Member(
            name=name,
            folder=folder,
            data=self.folder / "volumes" / claim["metadata"]["uid"],
            address=self._address(name),
            ports=before.ports if before else tuple(free_ports(len(PORTS))),
            hosts=self.folder / "hosts",
            program=self.programs.get(version, "etcd"),
        )
        await self._brought(member)
        config = await self._get(kinds.CONFIG_MAP, f"{self.store}-etcd")
        member.configure(config["data"].get(f"{name}.yaml") or "data-dir: /nowhere\nclient-transport-security: {}\n")
        host = f"{name}.{poolnames.members_service(self.store)}.{self.namespace}.svc:2379"
        self.dialled[host] = member.endpoint
        return member

    async def _ended(self, name: str) -> None:
        """Of a pod that ends the endpoint goes at once; its process is asked to end when the pod's own pause is over."""
        live = await self._get(kinds.STATEFUL_SET, f"{self.store}-etcd")
        (container,) = live["spec"]["template"]["spec"]["containers"]
        self.members[name].leaves = True
        await asyncio.sleep(container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0))
        await asyncio.to_thread(self.members[name].end)

    async def _brought(self, member: Member) -> None:
        """The files that its pod mounts are as the Secrets are now."""
        for each in ("server", "peer"):
            secret = await self._get(kinds.SECRET, f"{self.store}-etcd-{each}")
            member.mount({each: meta.decoded(secret)})

    async def _told(self, name: str) -> bool:
        """Whether the pod is ready, written where the kubelet would."""
        pod = await self.cluster.get(kinds.POD, name, self.namespace)
        if pod is None or name not in self.members:
            return False
        ready = self.members[name].runs and await asyncio.to_thread(self.members[name].answers, "readyz")
        before = next(iter((pod.get("status") or {}).get("conditions") or ()), {})
        word = "True" if ready else "False"
        if before.get("status") != word:
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            condition = {"type": "Ready", "status": word, "lastTransitionTime": now}
            await self._say(kinds.POD, name, {"conditions": [condition]})
        return ready

    def _write_hosts(self, count: int) -> None:
        service = poolnames.members_service(self.store)
        own = [f"{self.store}-etcd-{number}" for number in range(count)]
        lines = [f"{self._address(each)} {each}.{service}.{self.namespace}.svc\n" for each in own]
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "hosts").write_text("".join(["127.0.0.1 localhost\n", *lines]))

    def _address(self, name: str) -> str:
        return f"{self._network}.{int(name.rpartition('-')[2]) + 1}"

    async def _get(self, kind: kinds.Kind, name: str) -> Manifest:
        found = await self.cluster.get(kind, name, self.namespace)
        assert found is not None, f"{kind.kind} {name} does not exist"
        return found

    async def _say(self, kind: kinds.Kind, name: str, status: dict[str, Any]) -> None:
        patch = {"status": status}
        await self.cluster.merge(kind, name, self.namespace, patch, subresource="status", manager=MANAGER)
