"""The life of a pool with tenants in it that are asked all the time: filled, grown, a member lost, all of it upgraded.

Of the management cluster and of etcd all is real; the kubelet, the StatefulSet controller and the Service are `pool_pods` and
`pool_service`. A member ends by a power cut, which is harder than the end that a kubelet gives it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from provider.api import kinds, names, poolnames
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.hosting.reconcile import access, placing
from provider.hosting.reconcile import datastore as store_pass
from provider.hosting.reconcile import pool as pool_pass
from provider.manifest import meta
from tests.integration import held
from tests.integration.hosted import Hosted
from tests.integration.pool_pods import MANAGER, Pods
from tests.integration.pool_service import StoreService
from tests.integration.pool_world import NAMESPACE, World

pytestmark = pytest.mark.nightly

POOL, SECOND = "laden", "laden-2"
LABELS = {"pool": POOL}
NEXT, PROGRAM = "3.7.3", "etcd-3.7"  # the minor that it becomes
TOOK = 4  # tenants in one store
PATIENCE = 480.0  # seconds; a bound against hanging for ever
PAUSE = 0.1  # seconds between two questions, whether the last was answered or not
SILENCE = 20.0  # seconds for which a tenant may answer nothing: an election takes one or two, a busy machine the rest
ENDS = 1 + 3 + 3  # members that end: the lost one, and each of both stores for its other version
WEIGHT = "x" * 20_000


@dataclass
class Client:
    """Reads and writes inside a tenant at a steady pace, and asks nothing twice: what fails, counts."""

    session: Cluster
    asked: int = 0
    failed: list[str] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)  # names of what was written
    heard: float = 0.0
    silence: float = 0.0  # the longest
    _numbers: Any = field(default_factory=itertools.count)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Client]:
        self.heard = asyncio.get_running_loop().time()
        task = asyncio.create_task(self._work())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.session.close()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as questions:
            for number in itertools.count():
                questions.create_task(self._asked(self._write if number % 3 == 0 else self._read))
                await asyncio.sleep(PAUSE)

    async def _asked(self, question: Callable[[], Awaitable[None]]) -> None:
        clock = asyncio.get_running_loop().time
        self.asked += 1
        try:
            await question()
        except ApiError as error:
            self.failed.append(f"{question.__name__}: {error}")
            return
        self.silence, self.heard = max(self.silence, clock() - self.heard), clock()

    async def _read(self) -> None:
        await self.session.get(kinds.NAMESPACE, "default")

    async def _write(self) -> None:
        name = f"w-{next(self._numbers)}"
        await self.session.create(meta.new(kinds.CONFIG_MAP, name, "default", data={"what": WEIGHT}))
        self.acknowledged.add(name)

    async def there(self) -> set[str]:
        found = await self.session.list(kinds.CONFIG_MAP, "default")
        return {str(each["metadata"]["name"]) for each in found}


@dataclass
class Ground:
    """The pool with both its stores, and who acts on them."""

    world: World
    folder: Path
    stores: dict[str, Pods] = field(default_factory=dict)

    async def step(self) -> None:
        """One look of everybody."""
        await pool_pass.pool(self.world.context, POOL)
        await placing.wave(self.world.context)
        for name in (POOL, SECOND):
            if await self.world.cluster.get(kinds.STATEFUL_SET, f"{name}-etcd", NAMESPACE):
                pods = self.stores.setdefault(name, self.world.pods(name, self.folder / name))
                pods.programs = {NEXT: PROGRAM}
                await pods.settle()
            if await self.world.cluster.get(kinds.DATA_STORE, name):
                await store_pass.datastore(self.world.context, name)

    async def until(self, done: Callable[[], Awaitable[bool]], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self.step()
                while not await done():
                    await self.step()
        except TimeoutError:
            status = (await self.world.get(kinds.DATA_STORE_POOL, POOL)).get("status")
            raise AssertionError(f"{what}: not within {PATIENCE:.0f} s: {status}") from None

    async def ready(self, *stores: str) -> bool:
        """These stores are offered, and nothing is left to do with members."""
        for kind in ("MembersReady", "Ready"):
            if (await self.world.condition(kinds.DATA_STORE_POOL, POOL, kind))[0] != "True":
                return False
        found = [await self.world.cluster.get(kinds.DATA_STORE, each) for each in stores]
        return all(each and (each.get("status") or {}).get("ready") for each in found)

    async def members(self) -> dict[str, int]:
        """Those of the first store that have a vote."""
        view = await self.world.view(POOL)
        async with access.opened(self.world.context, view, f"{POOL}-etcd.{NAMESPACE}.svc:2379") as store:
            return {each.host.partition(".")[0]: each.id for each in await store.members() if not each.learner}

    async def images(self) -> set[str]:
        pods = await self.world.cluster.list(kinds.POD, NAMESPACE, labels={names.LABEL_POOL: POOL})
        return {str(each["spec"]["containers"][0]["image"]).rpartition(":")[2] for each in pods}

    def stop(self) -> None:
        for each in self.stores.values():
            each.stop()


@pytest.fixture
async def ground(world: World, tmp_path: Path) -> AsyncIterator[Ground]:
    spec = {
        "members": 3,
        "maxStores": 2,
        "headroomPercent": 30,
        "tenantSelector": {"matchLabels": LABELS},
        "placement": {"maxTenants": TOOK},
    }
    await world.cluster.apply(meta.new(kinds.DATA_STORE_POOL, POOL, spec=spec), manager=MANAGER)
    found = Ground(world, tmp_path)
    yield found
    found.stop()


@pytest.fixture
async def tenants(world: World, namespace: str, tmp_path: Path) -> AsyncIterator[Callable[[str], Hosted]]:
    made: list[Hosted] = []

    def one(name: str) -> Hosted:
        context = replace(world.context, settings=replace(world.context.settings, default_datastore=""))
        made.append(Hosted(world.cluster, None, namespace, tmp_path / name, name, passes=context))
        return made[-1]

    yield one
    for each in made:
        await each.stop()


async def born(ground: Ground, tenant: Hosted) -> str:
    """It is placed and let in; the store."""
    await tenant.say()
    labels = {"metadata": {"labels": LABELS}}
    await tenant.cluster.merge(kinds.TENANT_CONTROL_PLANE, tenant.name, tenant.namespace, labels, manager="labels")

    async def placed() -> bool:
        status = (await tenant.tcp()).get("status") or {}
        return bool((status.get("storage") or {}).get("dataStoreName"))

    await ground.until(placed, f"{tenant.name} is placed")
    await tenant.look()
    assert (await tenant.condition("StorageIsolated"))["status"] == "True"
    return str((await tenant.tcp())["status"]["storage"]["dataStoreName"])


async def served(tenant: Hosted, service: StoreService, stack: AsyncExitStack) -> Client:
    """Its API server runs, and is asked from now on."""
    await stack.enter_async_context(service)
    tenant.reached = {service.cluster_address: service.address}
    await tenant.serve()
    return await stack.enter_async_context(Client(await tenant.session("super-admin.conf")).at_work())


async def holds_no_key_of_its_store(ground: Ground, tenant: Hosted) -> None:
    """Neither root's nor one that signs; it has its own."""
    inside = await tenant.session("super-admin.conf")
    found = await held.by(tenant.cluster, tenant.namespace, inside)
    await inside.close()
    own = await tenant.get(kinds.SECRET, names.datastore_certificate_secret(tenant.name))
    assert held.key(found, meta.decoded(own)["server.key"])
    for secret in (poolnames.root_secret, poolnames.authority_secret, poolnames.peer_authority_secret):
        data = meta.decoded(await ground.world.get(kinds.SECRET, secret(POOL)))
        (pem,) = [value for key, value in data.items() if key.endswith(".key")]
        assert held.key(found, pem) == [], secret.__name__


@pytest.mark.keeps("better.pool-life")
async def test_a_pool_is_filled_grows_loses_a_member_and_is_upgraded_while_its_tenants_answer(
    ground: Ground, tenants: Callable[[str], Hosted]
) -> None:
    await ground.until(lambda: ground.ready(POOL), "the pool is ready")
    async with AsyncExitStack() as stack:
        first = tenants("first")
        assert await born(ground, first) == POOL
        clients = [await served(first, StoreService(ground.stores[POOL]), stack)]
        await holds_no_key_of_its_store(ground, first)

        # Filled: the further store is made while there is still a place in the first.
        for number in range(TOOK - 2):
            assert await born(ground, tenants(f"more-{number}")) == POOL
        await ground.until(lambda: ground.ready(POOL, SECOND), "the pool has grown")
        assert (await ground.world.condition(kinds.DATA_STORE_POOL, POOL, "TakesTenants"))[0] == "True"
        second = tenants("second")
        assert await born(ground, second) == SECOND
        clients.append(await served(second, StoreService(ground.stores[SECOND]), stack))

        # A member is lost with its volume.
        before = await ground.members()
        lost = f"{POOL}-etcd-1"
        await ground.stores[POOL].lose_volume(lost)

        async def replaced() -> bool:
            with contextlib.suppress(Exception):  # whoever is asked may be the one that went
                now = await ground.members()
                return len(now) == 3 and now[lost] != before[lost] and await ground.ready(POOL, SECOND)
            return False

        await ground.until(replaced, "the member is replaced")

        # All six become the next minor.
        version = {"spec": {"version": NEXT}}
        await ground.world.cluster.merge(kinds.DATA_STORE_POOL, POOL, None, version, manager=MANAGER)

        async def upgraded() -> bool:
            return await ground.images() == {f"v{NEXT}"} and await ground.ready(POOL, SECOND)

        await ground.until(upgraded, "both stores are upgraded")
        for each in (POOL, SECOND):
            assert (await ground.world.get(kinds.DATA_STORE, each))["status"]["version"] == NEXT

        for each in clients:
            assert each.asked > 50, "it was asked all the time"
            assert each.silence < SILENCE
            acknowledged = set(each.acknowledged)  # more come while it is asked
            assert await each.there() >= acknowledged > set(), "what was acknowledged is there"
        # Whoever reads is led on to another member by the client of etcd. A write that was under way when its member ended may
        # fail, for nobody knows whether it was done: one an end. An outage of a second would be ten questions.
        failed = [words for each in clients for words in each.failed]
        assert len(failed) <= ENDS, failed
