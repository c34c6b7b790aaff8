"""A tenant with pods that are processes, and the Jobs of its backups, processes with the rights of their account."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from lab.servers import ApiServer
from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError, TooManyRequests
from provider.hosting.backupview import OFFERED, is_over
from provider.hosting.datastores.etcd.ranges import range_of
from provider.hosting.reconcile import backupschedule, task
from provider.hosting.reconcile.archiving import bringing, taking
from provider.hosting.reconcile.archiving.places import Place, Volume
from provider.hosting.reconcile.context import Context
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from provider.settings import Settings
from tests.integration import in_force
from tests.integration.hosted import MANAGER, Hosted, Store
from tests.integration.meanwhile import repeated
from tests.integration.rollout import Rollout

PATIENCE = 240.0  # seconds; a bound against hanging for ever
DEFAULT = "default"  # the namespace inside the tenant
HERE = Settings().namespace
CLAIM = "backups"
KEY_SECRET = "sealed"
ACCOUNT = f"system:serviceaccount:{HERE}:kamaji-backup"
RBAC = Path(__file__).parents[2] / "config/rbac"
BACKOFF = 3


@dataclass
class Plane:
    """A tenant with pods that are processes."""

    hosted: Hosted
    rollout: Rollout

    async def serve(self) -> None:
        """Passes and roll-outs until it is Ready."""
        async with asyncio.timeout(PATIENCE):
            while True:
                await self.hosted.look()
                await self.rollout.step()
                await self.hosted.look()
                if (await self.hosted.condition("Ready"))["status"] == "True":
                    return

    async def sleep(self) -> None:
        """Its pods end, as its Deployment asks."""
        self.rollout.asleep = True
        try:
            await self.rollout.step()
        finally:
            self.rollout.asleep = False

    async def step(self) -> None:
        """A pass, and what the Deployment controller does of a Deployment without replicas."""
        hosted = self.hosted
        if await hosted.cluster.get(kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace):
            with contextlib.suppress(ApiError):  # written meanwhile: the pass is taken again
                await hosted.look()
        deployment = await hosted.cluster.get(kinds.DEPLOYMENT, hosted.name, hosted.namespace)
        if deployment is not None and deployment["spec"]["replicas"] == 0:
            await self.sleep()

    @asynccontextmanager
    async def looked_after(self) -> AsyncIterator[None]:
        """The provider's passes go on meanwhile."""
        async with repeated(self.step):
            yield

    async def maps(self) -> dict[str, str]:
        """What ConfigMaps of its user are there."""
        async with self.session() as session:
            found = await session.list(kinds.CONFIG_MAP, DEFAULT)
        return {
            each["metadata"]["name"]: each["data"]["value"] for each in found if "value" in (each.get("data") or {})
        }

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Cluster]:
        session = await self.hosted.session("super-admin.conf")
        try:
            yield session
        finally:
            await session.close()

    async def put(self, name: str, value: str) -> Manifest:
        async with self.session() as session:
            made = meta.new(kinds.CONFIG_MAP, name, DEFAULT, data={"value": value})
            return await session.apply(made, manager=MANAGER)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Fifty a second."""

        async def forever() -> None:
            async with self.session() as session:
                for number in itertools.count():
                    made = meta.new(kinds.CONFIG_MAP, f"w-{number % 60}", DEFAULT, data={"value": str(number)})
                    await session.apply(made, manager=MANAGER)
                    await asyncio.sleep(0.02)

        task = asyncio.create_task(forever())
        try:
            await asyncio.sleep(0.5)
            assert not task.done()
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def fill(self, count: int, size: int = 2000) -> None:
        """Keys that its API server does not know, of bytes that do not pack."""
        start, noise = range_of(await self.schema()).start, random.Random(1)
        async with self.hosted.store.opened() as store:
            for number in range(count):
                await store.wire.kv.put(start + f"filled/{number:06}".encode(), noise.randbytes(size))

    async def schema(self) -> str:
        return str((await self.hosted.tcp())["status"]["storage"]["setup"]["schema"])

    async def end(self) -> None:
        """The tenant is deleted, and all its keys with it."""
        hosted = self.hosted
        await hosted.cluster.delete(kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace)
        await self.sleep()
        async with asyncio.timeout(PATIENCE):
            while await hosted.cluster.get(kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace) is not None:
                await hosted.look()
        await self.rollout.close()

    def to(self, where: Path | Place, **more: Any) -> taking.Order:
        hosted, place = self.hosted, Volume(where) if isinstance(where, Path) else where
        return taking.Order(namespace=hosted.namespace, tenant=hosted.name, key_secret=KEY_SECRET, place=place, **more)

    def back(self, where: Path | Place, **more: Any) -> bringing.Order:
        hosted, place = self.hosted, Volume(where) if isinstance(where, Path) else where
        given = {"namespace": hosted.namespace, "tenant": hosted.name, "key_secret": KEY_SECRET}
        return bringing.Order(**{**given, "place": place, "token": "restore", **more})


@asynccontextmanager
async def made(cluster: Cluster, namespace: str, store: Store, folder: Path, **more: Any) -> AsyncIterator[Plane]:
    hosted = Hosted(cluster, store, namespace, folder, **more)
    found = Plane(hosted, Rollout(hosted))
    await found.rollout.open()
    try:
        yield found
    finally:
        await found.rollout.close()
        await hosted.stop()


@dataclass
class Backups:
    """The volume, and what the Job controller and kubelets do of the Jobs in the provider's namespace."""

    cluster: Cluster
    provider: Context  # with the provider's rights
    folder: Path  # the volume
    kubeconfig: Path  # of the Jobs' account
    namespace: str
    killed_when: list[Callable[[], Awaitable[bool]]] = field(default_factory=list)  # the next processes are killed
    statuses: list[int] = field(default_factory=list)  # with which processes ended, in order

    @classmethod
    async def offer(
        cls, cluster: Cluster, provider: Context, server: ApiServer, folder: Path, namespace: str
    ) -> Backups:
        """The account's rights, and a claim that is offered."""
        rights = [*yaml.safe_load_all((RBAC / "backup.yaml").read_text())]
        bound = yaml.safe_load_all((RBAC / "process.yaml").read_text())
        rights += [each for each in bound if each.get("subjects", [{}])[0].get("name") == "kamaji-backup"]
        for each in rights:
            await cluster.apply(each, manager=MANAGER)
        for each in (one for one in rights if one["kind"] in ("ClusterRole", "Role")):
            await in_force.rights(cluster, each, ACCOUNT, HERE)
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_bytes(server.kubeconfig(ACCOUNT, "system:serviceaccounts", f"system:serviceaccounts:{HERE}"))
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        claim = meta.new(kinds.PERSISTENT_VOLUME_CLAIM, CLAIM, HERE, labels={OFFERED: "true"}, spec=spec)
        await cluster.apply(claim, manager=MANAGER)
        (folder / "volume").mkdir()
        context = replace(provider, settings=replace(provider.settings, image="provider:tests"))
        return cls(cluster, context, folder / "volume", kubeconfig, namespace)

    @property
    def scratch(self) -> Path:
        """Of Jobs with a bucket: each begins with an empty one."""
        found = self.folder.parent / "scratch"
        found.mkdir(exist_ok=True)
        return found

    async def ask(self, kind: Kind, name: str, namespace: str = "", **spec: Any) -> Manifest:
        """A TenantBackup or TenantRestore as a user writes it."""
        base: dict[str, Any] = {"tenantControlPlaneName": "demo", "encryptionSecretName": KEY_SECRET}
        if kind is not kinds.TENANT_RESTORE:
            base["destination"] = {"volume": {"claimName": CLAIM}}
        made = meta.new(kind, name, namespace or self.namespace, spec=base | spec)
        return await self.cluster.apply(made, manager=MANAGER)

    async def due(self, context: Context) -> None:
        """A pass over the schedule `often`, once the API server serves a kind that was installed just now."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await backupschedule.schedule(context, (self.namespace, "often"))
                except TooManyRequests:
                    await asyncio.sleep(0.2)
                else:
                    return

    async def over(self, asked: Manifest, *, limit: float = PATIENCE) -> Manifest:
        """Passes and Jobs until it is done or has failed for good; as it is then."""
        async with asyncio.timeout(limit):
            while not is_over(found := await self.now(asked)):
                await self.look(asked)
                await self.work()
        return found

    async def look(self, asked: Manifest) -> float | None:
        """One pass."""
        key = (asked["metadata"]["namespace"], asked["metadata"]["name"])
        return await task.task(self.provider, kinds.of(asked), key)

    async def now(self, asked: Manifest) -> Manifest:
        found = await self.cluster.get(kinds.of(asked), asked["metadata"]["name"], asked["metadata"]["namespace"])
        assert found is not None
        return found

    async def ready(self, asked: Manifest) -> tuple[str, str, str]:
        """(status, reason, message) of the condition."""
        found = find(((await self.now(asked)).get("status") or {}).get("conditions"), "Ready") or {}
        return found.get("status", ""), found.get("reason", ""), found.get("message", "")

    async def jobs(self) -> list[Manifest]:
        """Those of this test's objects that are not over."""
        found = await self.cluster.list(kinds.JOB, HERE, labels={names.LABEL_TASK: "*"})
        return [
            each
            for each in found
            if meta.annotations_of(each)[names.ANNOTATION_TASK_OF].startswith(self.namespace)
            and not (each.get("status") or {}).get("conditions")
            and not each["metadata"].get("deletionTimestamp")
        ]

    async def work(self) -> None:
        """One try of each Job."""
        for job in await self.jobs():
            status, said = await self._ran(job)
            self.statuses.append(status)
            tries = await self._told(job, status, said)
            rules = job["spec"]["podFailurePolicy"]["rules"]
            for_good = any(status in each["onExitCodes"]["values"] for each in rules)
            if status == 0 or for_good or tries > min(BACKOFF, job["spec"]["backoffLimit"]):
                await self._end(job, "Complete" if status == 0 else "Failed")

    async def _ran(self, job: Manifest) -> tuple[int, str]:
        """A Job's container as a process, with the volume as it is here; its exit status and its last words."""
        container, report = job["spec"]["template"]["spec"]["containers"][0], self.folder.parent / "report"
        report.unlink(missing_ok=True)
        swapped = {"/backups/": f"{self.folder}/", "=/scratch": f"={self.scratch}", "/dev/termination-log": str(report)}
        arguments = list(container["args"])
        for old, new in swapped.items():
            arguments = [each.replace(old, new) for each in arguments]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "provider", *arguments, f"--kubeconfig={self.kubeconfig}"),
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )
        await self._ended(process)
        assert process.stderr is not None
        errors = (await process.stderr.read()).decode()
        status = process.returncode if (process.returncode or 0) >= 0 else 137
        return status or 0, report.read_text() if report.is_file() else errors

    async def _ended(self, process: asyncio.subprocess.Process) -> None:
        """By itself, or killed as soon as it has come as far as a test says."""
        is_far = self.killed_when.pop(0) if self.killed_when else None
        async with asyncio.timeout(PATIENCE):
            while is_far is not None and process.returncode is None:
                if await is_far():
                    process.kill()
                    is_far = None
                await asyncio.sleep(0.002)
            await process.wait()

    async def _told(self, job: Manifest, status: int, said: str) -> int:
        """A pod that ended so; how many there were."""
        labels = {"batch.kubernetes.io/job-name": job["metadata"]["name"]}
        number = len(await self.cluster.list(kinds.POD, HERE, labels=labels)) + 1
        name = f"{job['metadata']['name']}-{number}"
        spec = {"containers": [{"name": "task", "image": "provider:tests"}]}
        await self.cluster.apply(meta.new(kinds.POD, name, HERE, labels=labels, spec=spec), manager=MANAGER)
        ended = {"exitCode": status, "message": said}
        told = {"name": "task", "ready": False, "image": "", "imageID": "", "restartCount": 0}
        patch = {"status": {"containerStatuses": [{**told, "state": {"terminated": ended}}]}}
        await self.cluster.merge(kinds.POD, name, HERE, patch, subresource="status", manager=MANAGER)
        return number

    async def _end(self, job: Manifest, kind: str) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        said = [
            {"type": each, "status": "True", "lastTransitionTime": now, "reason": "Tests"}
            for each in ({"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}[kind], kind)
        ]
        times = {"startTime": now} | ({"completionTime": now, "succeeded": 1} if kind == "Complete" else {})
        patch = {"status": {"conditions": said, **times}}
        name = job["metadata"]["name"]
        await self.cluster.merge(kinds.JOB, name, HERE, patch, subresource="status", manager=MANAGER)
