"""A tenant with pods that are processes, clients that never stop, and what its etcd holds, read behind everybody's back."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from provider.api import kinds, names
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError, Unreachable
from provider.hosting.datastores.etcd.ranges import range_of
from provider.hosting.encryption.document import FILE
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from tests.integration.hosted import MANAGER, Hosted, Store
from tests.integration.rollout import Pod, Rollout

DEFAULT = "default"
PATIENCE = 300.0  # seconds; a bound against hanging for ever
PLAIN = "plain"


@dataclass
class Vault:
    """One tenant."""

    hosted: Hosted
    rollout: Rollout
    store: Store
    seen: list[str] = field(default_factory=list)  # phases, in order
    killed_at: set[str] = field(default_factory=set)  # phases at which the provider dies once
    kills: int = 0
    mutual: int = 0  # how often two pods were found to read what the other wrote

    async def say(self, **annotations: str | None) -> None:
        """On the TenantControlPlane, by names of `provider.api.names`."""
        said = {getattr(names, f"ANNOTATION_{each.upper()}"): value for each, value in annotations.items()}
        patch = {"metadata": {"annotations": said}}
        hosted = self.hosted
        await hosted.cluster.merge(kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace, patch, manager=MANAGER)

    async def told(self) -> tuple[str, str, str]:
        """Status, reason and message of the condition."""
        found = find(((await self.hosted.tcp()).get("status") or {}).get("conditions"), "Encrypted") or {}
        return str(found.get("status", "")), str(found.get("reason", "")), str(found.get("message", ""))

    async def status(self) -> dict[str, Any]:
        storage = (await self.hosted.tcp())["status"]["storage"]
        return dict(storage.get("encryption") or {})

    async def until(self, done: Callable[[tuple[str, str, str]], bool]) -> None:
        """Passes and roll-outs until the condition is so. Whenever two pods serve, what one writes the other can read."""
        async with asyncio.timeout(PATIENCE):
            while not done(told := await self.told()):
                await self.step()
                phase = told[1]
                if not self.seen or self.seen[-1] != phase:
                    self.seen.append(phase)
                if phase in self.killed_at:
                    self.killed_at.remove(phase)
                    await self.restart()
                await asyncio.sleep(0.05)

    async def step(self) -> None:
        """A pass, and a look of the Deployment controller, in the midst of which two pods serve."""
        await self.hosted.look()
        deployment = await self.hosted.get(kinds.DEPLOYMENT)
        before = list(self.rollout.pods)
        if before and all(each.template != deployment["spec"]["template"] for each in before):
            await self.rollout.begin()
            await self._mutually(self.rollout.pods[0], self.rollout.pods[-1])
        await self.rollout.step()

    async def _mutually(self, one: Pod, other: Pod) -> None:
        """Each writes a Secret, and both read both."""
        async with self.at(one) as first, self.at(other) as second:
            for writer in (first, second):
                name = f"mutual-{next(COUNTER)}"
                data = meta.secret_data({"written": name})
                await writer.apply(meta.new(kinds.SECRET, name, DEFAULT, data=data), manager=MANAGER)
                for reader in (first, second):
                    found = await reader.get(kinds.SECRET, name, DEFAULT)
                    assert meta.decoded(found) == {"written": name.encode()}
            for reader in (first, second):
                await reader.list(kinds.SECRET)
        self.mutual += 1

    async def encrypted(self) -> None:
        await self.until(lambda told: told[:2] == ("True", "Encrypted"))

    async def restart(self) -> None:
        """Another process: what was only remembered is gone."""
        self.kills += 1
        await self.hosted.run.stop_all()
        await self.hosted.tenants.close_all()
        self.hosted.__post_init__()

    @asynccontextmanager
    async def at(self, pod: Pod | None = None) -> AsyncIterator[Cluster]:
        """A connection as the super-admin, to one pod or to whichever the Service leads to."""
        hosted = self.hosted
        content = meta.decoded(await hosted.get(kinds.SECRET, names.admin_kubeconfig_secret(hosted.name)))
        session = await connect.from_kubeconfig(
            content["super-admin.conf"],
            server=f"https://127.0.0.1:{pod.port if pod else hosted.port}",
            tls_server_name=names.service_host(hosted.name, hosted.namespace),
        )
        try:
            yield session
        finally:
            await session.close()

    async def fill(self, count: int) -> dict[str, bytes]:
        """So many Secrets, some of which nobody may change; what is in them."""
        made = {}
        async with self.at() as session:
            for number in range(count):
                made[f"mine-{number}"] = f"secret number {number}".encode()
                body: dict[str, Any] = {"data": meta.secret_data({"said": made[f"mine-{number}"]})}
                body |= {"immutable": True} if number % 5 == 0 else {}
                await session.apply(meta.new(kinds.SECRET, f"mine-{number}", DEFAULT, **body), manager=MANAGER)
        return made

    async def read(self) -> dict[str, bytes]:
        """The same as the tenant tells it now."""
        async with self.at() as session:
            found = await session.list(kinds.SECRET, DEFAULT)
        return {each["metadata"]["name"]: meta.decoded(each)["said"] for each in found if "said" in meta.decoded(each)}

    async def stored(self, folder: str = "secrets/") -> Counter[str]:
        """How what is stored begins, up to the name of its key, and how often."""
        schema = (await self.hosted.tcp())["status"]["storage"]["setup"]["schema"]
        start = range_of(schema).start + folder.encode()
        async with self.store.opened() as opened:
            values = [bytes(each.value) for each in (await opened.wire.kv.get(start, start[:-1] + b"0")).kvs]
        said = [each.split(b":")[:5] for each in values]
        return Counter(b":".join(each).decode() if each[:2] == [b"k8s", b"enc"] else PLAIN for each in said)

    async def secret(self, name: str) -> Manifest:
        return await self.hosted.get(kinds.SECRET, name)

    async def change(self, name: str, old: bytes, new: bytes) -> None:
        """By hand, as with kubectl edit."""
        found = meta.decoded(await self.secret(name))[FILE]
        assert old in found
        patch = {"data": meta.secret_data({FILE: found.replace(old, new)})}
        await self.hosted.cluster.merge(kinds.SECRET, name, self.hosted.namespace, patch, manager="by-hand")

    @asynccontextmanager
    async def used(self) -> AsyncIterator[Client]:
        """A client writes and reads meanwhile, and is refused nothing."""
        client = Client()
        async with self.at() as session:
            task = asyncio.create_task(client.forever(session))
            try:
                yield client
                assert not task.done(), await task
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        assert client.refused == []
        assert client.writes > 3


COUNTER = itertools.count(1)


@dataclass
class Client:
    """Counts up in a Secret of its own and reads all of them, some times a second."""

    writes: int = 0
    reads: int = 0
    refused: list[str] = field(default_factory=list)

    async def forever(self, session: Cluster) -> None:
        for number in itertools.count():
            data = meta.secret_data({"count": str(number)})
            try:
                await session.apply(meta.new(kinds.SECRET, "counter", DEFAULT, data=data), manager="client")
                self.writes += 1
                listed = await session.list(kinds.SECRET, DEFAULT)
                now = next(each for each in listed if each["metadata"]["name"] == "counter")
                if int(meta.decoded(now)["count"]) != number:
                    self.refused.append(f"{number} was written and {json.dumps(now['data'])} is read")
                self.reads += 1
            except Unreachable:
                pass  # a connection to a pod that ends
            except ApiError as error:
                self.refused.append(f"{error.status} {error}")
            await asyncio.sleep(0.05)
