"""A pool of one store with real members and data in it, and who acts on it; for the tests of pools beside this."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provider.api import kinds
from provider.hosting.datastores.etcd.cluster import EtcdCluster, Listed
from provider.hosting.desired.pool.network import member_endpoint
from provider.hosting.reconcile import access
from provider.hosting.reconcile import datastore as store_pass
from provider.hosting.reconcile import pool as pool_pass
from provider.hosting.storeview import PoolView
from provider.manifest import meta
from tests.integration.pool_pods import MANAGER, Pods
from tests.integration.pool_world import NAMESPACE, World

PATIENCE = 300.0  # seconds; a bound against hanging for ever
KEYS = 200


@dataclass
class Fleet:
    """A pool of one store, and who acts on it."""

    world: World
    name: str
    pods: Pods

    async def step(self) -> None:
        await pool_pass.pool(self.world.context, self.name)
        await self.pods.settle()

    async def until(self, done: Callable[[PoolView], bool]) -> None:
        """Passes and controllers in turn, until it is so."""
        async with asyncio.timeout(PATIENCE):
            while not done(await self.world.view(self.name)):
                await self.step()

    async def ready(self, count: int) -> None:
        """As many members, each with a vote, all serve, and nothing is left to do."""
        async with asyncio.timeout(PATIENCE):
            while True:
                await self.step()
                await store_pass.datastore(self.world.context, self.name)
                condition = await self.world.condition(kinds.DATA_STORE_POOL, self.name, "MembersReady")
                if condition[0] == "True" and len(await self.voters()) == count:
                    return

    async def condition(self, kind: str) -> tuple[str, str, str]:
        return await self.world.condition(kinds.DATA_STORE_POOL, self.name, kind)

    async def until_told(self, kind: str, *said: str) -> str:
        """Passes and controllers in turn, until the condition has these words for status and reason; its message."""
        now: tuple[str, ...] = ()
        try:
            async with asyncio.timeout(PATIENCE):
                while (now := await self.condition(kind))[: len(said)] != said:
                    await self.step()
        except TimeoutError:
            raise AssertionError(f"{kind} says {now}, and not {said}") from None
        return now[2]

    async def voters(self) -> list[Listed]:
        async with self.store() as store:
            return [each for each in await store.members() if not each.learner]

    @asynccontextmanager
    async def store(self) -> AsyncIterator[EtcdCluster]:
        async with access.opened(
            self.world.context, await self.world.view(self.name), f"{self.name}-etcd.{NAMESPACE}.svc:2379"
        ) as store:
            yield store

    async def fill(self) -> None:
        async with self.store() as store:
            for number in range(KEYS):
                await store.wire.kv.put(f"/tenant/{number}".encode(), b"x" * 1000)

    async def count(self) -> int:
        async with self.store() as store:
            return await store.count("tenant")


async def begun(world: World, name: str, folder: Path, running: list[Pods], members: int = 3, **spec: Any) -> Fleet:
    """A pool whose store serves and has data in it."""
    spec |= {"members": members}
    await world.cluster.apply(meta.new(kinds.DATA_STORE_POOL, name, spec=spec), manager=MANAGER)
    await pool_pass.pool(world.context, name)
    pods = world.pods(name, folder)
    running.append(pods)
    fleet = Fleet(world, name, pods)
    await fleet.ready(members)
    await fleet.fill()
    return fleet


async def asked(fleet: Fleet, **spec: Any) -> None:
    await fleet.world.cluster.merge(kinds.DATA_STORE_POOL, fleet.name, None, {"spec": spec}, manager=MANAGER)


def snapshots(fleet: Fleet) -> list[Path]:
    return sorted((fleet.pods.folder / "volumes").glob("*/snapshots/*.db"))


def is_whole(file: Path) -> bool:
    """A database (bbolt's magic) with the last key in it, and its checksum behind it, as etcdutl wants it."""
    content = file.read_bytes()
    database, checksum = content[:-32], content[-32:]
    assert database[16:20] == bytes.fromhex("edda0ced")
    assert f"/tenant/{KEYS - 1}".encode() in database
    return hashlib.sha256(database).digest() == checksum


async def until_counted(fleet: Fleet) -> None:
    """All keys are there, as soon as a quorum serves again."""
    async with asyncio.timeout(PATIENCE):
        while True:
            await fleet.pods.settle()
            try:
                assert await fleet.count() == KEYS
                return
            except Exception as error:
                if isinstance(error, AssertionError):
                    raise


async def lead(fleet: Fleet, member: str) -> None:
    """The lead passes to it, as it may do at any time."""
    now = await leader_of(fleet)
    if now == member:
        return
    target = next(each.id for each in await fleet.voters() if each.host.startswith(f"{member}."))
    view = await fleet.world.view(fleet.name)
    async with access.opened(fleet.world.context, view, member_endpoint(view, now)) as store:
        await store.wire.maintenance.move_leader(target)


async def leader_of(fleet: Fleet) -> str:
    """As soon as there is one: an election takes a moment."""
    async with asyncio.timeout(PATIENCE):
        while True:
            async with fleet.store() as store:
                listed = await store.members()
            for each in listed:
                view = await fleet.world.view(fleet.name)
                async with access.opened(fleet.world.context, view, f"{each.host}:2379") as member:
                    if (await member.answer()).leader:
                        return each.host.partition(".")[0]
            await asyncio.sleep(0.2)


async def a_quorum_serves(fleet: Fleet) -> None:
    """Two of three say so. Who has just lost the leader needs an election first, and nobody else is taken away meanwhile."""
    members = fleet.pods.members.values()
    async with asyncio.timeout(60):
        while sum(each.runs and each.answers("readyz") for each in members) < 2:
            await asyncio.sleep(0.1)
