"""Who fills an etcd is held back and told, its neighbours write on, and it is let go again: on real etcds that get full."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from etcd3aio import EtcdPermissionDeniedError
from prometheus_client import REGISTRY

from lab.servers import Authority, Etcd
from provider.api import kinds
from provider.hosting.datastores.etcd import dialing, lately
from provider.hosting.reconcile import datastore as store_pass
from provider.hosting.reconcile.throttling import CLOSED, COOL
from provider.hosting.reconcile.upkeep import FULL_ROUND, Upkeep
from provider.manifest import Manifest
from tests.integration.tenant_world import Store, TenantWorld, key

MI = 2**20
SECOND = timedelta(seconds=1)


@pytest.fixture
async def store(hosting: TenantWorld, namespace: str, tmp_path: Path) -> AsyncIterator[Store]:
    authority = Authority()
    etcd = Etcd(tmp_path / "etcd", authority=authority, quota=16 * MI).start()
    yield await hosting.offer(f"shared-{namespace}", etcd, authority)
    etcd.stop()


@asynccontextmanager
async def writing(store: Store, tenant: Manifest) -> AsyncIterator[Any]:
    """etcd's own client with the tenant's rights: as its API server has them."""
    pair = store.authority.client(tenant["metadata"]["uid"])
    made: Any = await dialing.client([store.etcd.endpoint], store.authority.certificate, pair)
    async with made as wire:
        yield wire


async def residents(hosting: TenantWorld, store: Store, namespace: str, *names: str) -> list[Manifest]:
    found = [await hosting.ask_for(each, namespace, store) for each in names]
    for each in found:
        await hosting.passed(each)
    return found


def inside(tenant: Manifest, name: str) -> str:
    return f"/{tenant['metadata']['uid']}/registry/{name}"


async def fill(*writers: tuple[Any, Manifest]) -> None:
    """The same objects written again and again, until the store takes no more."""
    with pytest.raises(grpc.aio.AioRpcError, match="space exceeded"):
        for _ in range(1000):
            for wire, tenant in writers:
                await wire.kv.put(inside(tenant, "same"), bytes(MI // 2))


async def relieved(hosting: TenantWorld, store: Store, upkeep: Upkeep) -> None:
    """Looks, until the store takes writes; and the DataStore's own pass, which says so."""
    async with asyncio.timeout(120):
        while await upkeep(store.name) == FULL_ROUND:  # its pages become free a moment later
            await asyncio.sleep(0.2)
    await store_pass.datastore(hosting.context, store.name)


async def record(hosting: TenantWorld, tenant: Manifest) -> dict[str, str]:
    return dict((await hosting.now(tenant))["status"]["storage"].get("throttled") or {})


async def told(hosting: TenantWorld, namespace: str) -> list[tuple[str, str]]:
    """(type, reason) of the tenants' Events that have to do with this."""
    events = await hosting.admin.list(kinds.EVENT, namespace)
    ours = ("HeldBack", "StorageWithinLimits", "GrantRepaired")
    found = sorted(events, key=lambda each: str(each["eventTime"]))
    return [(each["type"], each["reason"]) for each in found if each["reason"] in ours]


def shown(store: Store, namespace: str, name: str) -> list[str]:
    """How the metric says that it is held back."""
    labels = {"tcp_namespace": namespace, "tcp_name": name, "datastore_name": store.name}
    found = "kamaji_tenant_storage_throttled"
    return [how for how in ("closed", "limited") if REGISTRY.get_sample_value(found, labels | {"how": how})]


@asynccontextmanager
async def steadily(wire: Any, tenant: Manifest) -> AsyncIterator[list[int]]:
    """Small writes, one after the other; any that fails fails the test. The revisions that they made."""
    made: list[int] = []

    async def write() -> None:
        while True:
            made.append(int((await dialing.settled(lambda: wire.kv.put(inside(tenant, "beat"), b"x"))).header.revision))
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(write())
        yield made
        task.cancel()


@pytest.mark.keeps("better.upkeep")
async def test_who_filled_the_store_is_held_back_and_told_its_neighbour_writes_on_and_it_is_let_go(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    heavy, light = await residents(hosting, store, namespace, "heavy", "light")
    upkeep = Upkeep(hosting.context, lambda: 0.0)
    async with writing(store, heavy) as busy, writing(store, light) as calm, hosting.started() as tenant_pass:
        await calm.kv.put(inside(light, "some"), bytes(MI // 2))
        await tenant_pass(key(heavy))
        await fill((busy, heavy))
        await relieved(hosting, store, upkeep)
        async with steadily(calm, light) as beats:
            # closed: the store itself refuses it
            said = await record(hosting, heavy)
            assert said["dataStore"] == store.name
            assert "of what came last into DataStore" in said["reason"]
            with pytest.raises(EtcdPermissionDeniedError):
                await dialing.settled(lambda: busy.kv.put(inside(heavy, "same"), b"x"))
            assert (await dialing.settled(lambda: busy.kv.get(inside(heavy, "same")))).kvs, "it reads on"
            await tenant_pass(key(heavy))
            assert (await hosting.condition(heavy, "StorageWithinLimits"))[:2] == ("False", "HeldBack")
            assert (await hosting.condition(heavy, "StorageIsolated"))[0] == "True"
            assert (await hosting.condition(light, "StorageWithinLimits"))[0] == ""
            assert shown(store, namespace, "heavy") == ["closed"]
            with pytest.raises(EtcdPermissionDeniedError):
                await dialing.settled(lambda: busy.kv.put(inside(heavy, "same"), b"x"))

            # limited: its own API server does
            hosting.later = CLOSED + SECOND
            await upkeep(store.name)
            assert "closedUntil" not in await record(hosting, heavy)
            await tenant_pass(key(heavy))
            assert shown(store, namespace, "heavy") == ["limited"]
            assert (await hosting.condition(heavy, "StorageIsolated"))[0] == "True"
            await dialing.settled(lambda: busy.kv.put(inside(heavy, "lease"), b"x"))

            # free
            hosting.later = COOL + SECOND
            await upkeep(store.name)
            assert await record(hosting, heavy) == {}
            await tenant_pass(key(heavy))
            assert (await hosting.condition(heavy, "StorageWithinLimits"))[0] == ""
            assert shown(store, namespace, "heavy") == []
            await dialing.settled(lambda: busy.kv.put(inside(heavy, "same"), b"x"))
            assert len(beats) > 10
        assert beats == sorted(set(beats)), "each write of the neighbour was made"
    assert await told(hosting, namespace) == [("Warning", "HeldBack"), ("Normal", "StorageWithinLimits")]
    notes = [each["note"] for each in await hosting.admin.list(kinds.EVENT, "default") if store.name in str(each)]
    assert any(f"{namespace}/heavy wrote most of what came last" in each for each in notes)


async def test_whom_its_api_server_did_not_stop_the_store_refuses_until_the_end(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    heavy, light = await residents(hosting, store, namespace, "heavy", "light")
    upkeep = Upkeep(hosting.context, lambda: 0.0)
    async with writing(store, heavy) as busy, writing(store, light) as calm:
        await fill((busy, heavy))
        await relieved(hosting, store, upkeep)
        first = await record(hosting, heavy)
        hosting.later = CLOSED + SECOND
        await upkeep(store.name)
        await fill((busy, heavy))
        await relieved(hosting, store, upkeep)
        again = await record(hosting, heavy)
        assert (again["since"], again["closedUntil"]) == (first["since"], again["until"])
        hosting.later += CLOSED + SECOND
        await upkeep(store.name)
        assert await record(hosting, heavy) == again
        with pytest.raises(EtcdPermissionDeniedError):
            await dialing.settled(lambda: busy.kv.put(inside(heavy, "same"), b"x"))
        await calm.kv.put(inside(light, "beat"), b"x")
        hosting.later += COOL
        await upkeep(store.name)
        assert await record(hosting, heavy) == {}
        await dialing.settled(lambda: busy.kv.put(inside(heavy, "same"), b"x"))


async def test_where_nobody_is_clearly_the_one_nobody_is_held_back(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    one, other = await residents(hosting, store, namespace, "one", "other")
    async with writing(store, one) as first, writing(store, other) as second:
        await fill((first, one), (second, other))
        await relieved(hosting, store, Upkeep(hosting.context, lambda: 0.0))
        for wire, tenant in ((first, one), (second, other)):
            assert await record(hosting, tenant) == {}
            await wire.kv.put(inside(tenant, "again"), b"x")


async def test_who_is_alone_in_a_store_is_left_to_itself_and_of_what_is_dropped_nothing_is_said(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    (alone,) = await residents(hosting, store, namespace, "alone")
    async with writing(store, alone) as wire, store.root() as root:
        for _ in range(40):
            last = (await wire.kv.put(inside(alone, "small"), b"xyz")).header.revision
        async with root.asking() as raw:
            await raw.kv.compact(last - 9)
        found = await lately.written(root)
        uid = alone["metadata"]["uid"]
        assert 0 < found[uid] <= 10 * (len(inside(alone, "small")) + 3), "what is kept"
        await fill((wire, alone))
        await relieved(hosting, store, Upkeep(hosting.context, lambda: 0.0))
        assert await record(hosting, alone) == {}
        await wire.kv.put(inside(alone, "again"), b"x")


async def test_a_store_full_of_what_stands_lets_everybody_delete_and_holds_nobody_back_for_it(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    heavy, _ = await residents(hosting, store, namespace, "heavy", "light")
    upkeep = Upkeep(hosting.context, lambda: 0.0)
    async with writing(store, heavy) as busy:
        with pytest.raises(grpc.aio.AioRpcError, match="space exceeded"):
            for number in range(2000):
                await busy.kv.put(inside(heavy, f"data-{number}"), bytes(MI // 16))
        assert await upkeep(store.name) == FULL_ROUND
        hosting.later = COOL + SECOND
        assert await upkeep(store.name) == FULL_ROUND
        assert await record(hosting, heavy) == {}
        await busy.kv.delete(inside(heavy, ""), inside(heavy, "") + "\xff")
        await relieved(hosting, store, upkeep)
        assert await record(hosting, heavy) == {}
        await busy.kv.put(inside(heavy, "again"), b"x")
