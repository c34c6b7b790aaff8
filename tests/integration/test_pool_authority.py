"""A pool's own authorities are replaced under real members and clients that write all the while: no write is lost or refused.

A client writes with the certificate that its tenant's Secret holds at that moment, as an API server does at each handshake,
into whichever member the Service leads it to. The tenants' pods are played: they are told of, and do not run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.reconcile import datastore as store_pass
from provider.hosting.rotation.stores import CLIENTS, PEERS
from provider.manifest import meta, pem, x509
from provider.manifest.x509 import Pair
from tests.integration.hosted import Hosted
from tests.integration.pool_fleet import KEYS, Fleet, begun
from tests.integration.pool_pods import MANAGER, Pods
from tests.integration.pool_service import StoreService
from tests.integration.pool_world import World

pytestmark = pytest.mark.nightly

PAUSE = 0.1  # seconds between two writes, whether the last was answered or not
UNSENT = "Handshake read failed (Socket closed)"  # it was led to a member that ended before both knew each other
PATIENCE = 300.0  # seconds; a bound against hanging for ever
AUTHORITIES = {"clients": CLIENTS, "peers": PEERS}


@dataclass
class Writer:
    """Writes into a tenant's range, each time over a connection of its own."""

    tenant: Hosted
    service: StoreService
    written: int = 0
    failed: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Writer]:
        setup = (await self.tenant.tcp())["status"]["storage"]["setup"]
        task = asyncio.create_task(self._work(f"/{setup['schema']}/"))
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _work(self, prefix: str) -> None:
        async with asyncio.TaskGroup() as writes:
            number = 0
            while True:
                number += 1
                writes.create_task(self._write(f"{prefix}{number}".encode()))
                await asyncio.sleep(PAUSE)

    async def _write(self, key: bytes) -> None:
        for last in (False, False, True):
            try:
                data = await self.held()
                pair = Pair(certificate=data["server.crt"], key=data["server.key"])
                async with EtcdStore([self.service.address], data["ca.crt"], pair) as store:
                    await store.wire.kv.put(key, b"x" * 1000)
            except Exception as error:
                if UNSENT in str(error) and not last:
                    continue
                self.failed.append(f"{self.tenant.name}: {key!r}: {error!r}")
                return
            self.written += 1
            return

    async def held(self) -> dict[str, bytes]:
        """What the tenant shows its store, and whom it trusts there."""
        return meta.decoded(await self.tenant.get(kinds.SECRET, names.datastore_certificate_secret(self.tenant.name)))


@dataclass
class Ground:
    """A store with tenants, and another store with one, which it does not concern."""

    fleet: Fleet
    tenants: list[Hosted]

    async def step(self, *, following: bool = True) -> None:
        """One look of everybody; of tenants only while they are `following`."""
        await self.fleet.step()
        await store_pass.datastore(self.fleet.world.context, self.fleet.name)
        for each in self.tenants if following else ():
            await each.look()
            await each.tell(await each.get(kinds.DEPLOYMENT))

    async def until(self, done: Callable[[], object], *, following: bool = True) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not await done():  # type: ignore[misc]
                    await self.step(following=following)
        except TimeoutError:
            status = (await self.fleet.world.get(kinds.DATA_STORE_POOL, self.fleet.name)).get("status")
            raise AssertionError(status) from None


@pytest.fixture
async def tenants(world: World, namespace: str, tmp_path: Path) -> AsyncIterator[Callable[..., object]]:
    made: list[Hosted] = []

    async def one(name: str, store: str) -> Hosted:
        context = replace(world.context, settings=replace(world.context.settings, default_datastore=""))
        found = Hosted(world.cluster, None, namespace, tmp_path / name, name, passes=context)  # type: ignore[arg-type]
        made.append(found)
        await found.say(dataStore=store)
        await found.look()
        await found.tell(await found.get(kinds.DEPLOYMENT))
        return found

    yield one
    for each in made:
        await each.stop()


async def asked(cluster: Cluster, kind: kinds.Kind, name: str, annotations: dict[str, str]) -> None:
    await cluster.merge(kind, name, None, {"metadata": {"annotations": annotations}}, manager=MANAGER)


async def rotation(fleet: Fleet) -> tuple[str, str]:
    """Reason and message of the condition; empty words while there is none."""
    status = (await fleet.world.get(kinds.DATA_STORE_POOL, fleet.name)).get("status") or {}
    found = next((each for each in status["conditions"] if each["type"] == "RotationComplete"), {})
    return found.get("reason", ""), found.get("message", "")


@pytest.mark.keeps("better.authority-overlap")
@pytest.mark.parametrize("which", AUTHORITIES)
async def test_another_authority_comes_under_writes_of_which_none_fails_and_other_stores_do_not_notice(
    world: World, tmp_path: Path, running: list[Pods], tenants: Callable[..., object], which: str
) -> None:
    ring, name = AUTHORITIES[which], f"turn-{which}"
    fleet = await begun(world, name, tmp_path / name, running)
    other = await begun(world, f"calm-{which}", tmp_path / "calm", running, members=1)
    fleet.pods.gentle = True
    first, second = [await tenants(each, name) for each in ("first", "second")]  # type: ignore[misc]
    beside = await tenants("beside", other.name)  # type: ignore[misc]
    ground, before = Ground(fleet, [first, second]), (await world.view(name)).secret(ring.secret(name))
    standing = await beside.get(kinds.SECRET, names.datastore_certificate_secret("beside"))
    voters = {each.id for each in await fleet.voters()}
    async with AsyncExitStack() as stack:
        services = [await stack.enter_async_context(StoreService(each)) for each in (fleet.pods, other.pods)]
        pairs = ((first, services[0]), (second, services[0]), (beside, services[1]))
        writers = [await stack.enter_async_context(Writer(*each).at_work()) for each in pairs]
        await asked(world.cluster, kinds.DATA_STORE_POOL, name, {ring.request: "one"})

        async def over() -> bool:
            now = (await world.view(name)).secret(ring.secret(name))
            whole = (await fleet.condition("MembersReady"))[0] == "True"
            return now["ca.crt"] != before["ca.crt"] and not {"former.crt", "next.crt"} & now.keys() and whole

        await ground.until(over)
        for _ in range(3):
            await ground.step()
        after = (await world.view(name)).secret(ring.secret(name))
        for each in writers[:2]:
            data = await each.held()
            if ring is CLIENTS:
                assert pem.same_certificates(data["ca.crt"], after["ca.crt"])
                assert x509.verifies(data["server.crt"], after["ca.crt"])
    assert [each.failed for each in writers] == [[], [], []]
    assert all(each.written > 50 for each in writers), "they wrote all the while"
    assert await rotation(fleet) == ("", "")
    assert await fleet.count() == KEYS
    assert {each.id for each in await fleet.voters()} == voters
    assert await beside.get(kinds.SECRET, names.datastore_certificate_secret("beside")) == standing


async def test_a_tenant_that_does_not_follow_is_named_and_the_former_authority_stays_until_it_has(
    world: World, tmp_path: Path, running: list[Pods], tenants: Callable[..., object]
) -> None:
    fleet = await begun(world, "lags", tmp_path / "lags", running, members=1)
    fleet.pods.gentle = True
    lazy = await tenants("lazy", "lags")  # type: ignore[misc]
    ground = Ground(fleet, [lazy])
    await asked(world.cluster, kinds.DATA_STORE, "lags", {CLIENTS.request: "one"})

    async def named() -> bool:
        reason, message = await rotation(fleet)
        return reason == "TenantsBehind" and f"tenants that have yet to follow: {lazy.namespace}/lazy" in message

    await ground.until(named, following=False)
    for _ in range(3):
        await ground.step(following=False)
    assert "is trusted beside the one that signs" in (await rotation(fleet))[1]

    async def over() -> bool:
        return await rotation(fleet) == ("", "") and "former.crt" not in (await world.view("lags")).secret(
            "lags-etcd-ca"
        )

    await ground.until(over)
    async with StoreService(fleet.pods) as service, Writer(lazy, service).at_work() as writer:
        while not writer.written:
            assert not writer.failed
            await asyncio.sleep(PAUSE)
