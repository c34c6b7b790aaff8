"""Tenants that name no DataStore, before a real API server and with the provider's own rights: all placed, once, in limits."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from lab.servers import Authority, Etcd
from provider.api import kinds, names
from provider.cluster.watch import Change
from provider.hosting.reconcile import placing
from provider.hosting.reconcile import pool as pool_pass
from provider.hosting.reconcile.context import Context
from provider.hosting.reconcile.sampling import Sampler
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from tests.integration.tenant_world import MANAGER, VERSION, Store, TenantWorld

NOBODYS = Authority().client("root")
PAIR = {
    "certificate": {"content": b64encode(NOBODYS.certificate).decode()},
    "privateKey": {"content": b64encode(NOBODYS.key).decode()},
}


async def brought(world: TenantWorld, fleet: str, name: str, *, ready: bool = True) -> None:
    """A DataStore that somebody else has made; nobody lives in it yet."""
    spec = {"driver": "etcd", "endpoints": ["127.0.0.1:1"]}
    spec |= {"tlsConfig": {"certificateAuthority": PAIR, "clientCertificate": PAIR}}
    made = meta.new(kinds.DATA_STORE, name, spec=spec, labels={"fleet": fleet})
    await world.admin.apply(made, manager=MANAGER)
    await world.admin.merge(
        kinds.DATA_STORE, name, None, {"status": {"ready": ready}}, subresource="status", manager=MANAGER
    )


async def pool_of(world: TenantWorld, fleet: str, **placement: Any) -> None:
    selector = {"matchLabels": {"fleet": fleet}}
    spec = {"minStores": 0, "storeSelector": selector, "tenantSelector": selector, "placement": placement}
    await world.admin.apply(meta.new(kinds.DATA_STORE_POOL, fleet, spec=spec), manager=MANAGER)


async def born(world: TenantWorld, fleet: str, namespace: str, number: int, **spec: Any) -> Manifest:
    wanted = {
        "kubernetes": {"version": VERSION, "kubelet": {}},
        "controlPlane": {"service": {"serviceType": "ClusterIP"}},
    }
    labels = {"fleet": fleet}
    made = meta.new(kinds.TENANT_CONTROL_PLANE, f"t{number}", namespace, spec=wanted | spec, labels=labels)
    return await world.admin.apply(made, manager=MANAGER)


async def tenants(world: TenantWorld, fleet: str) -> list[Manifest]:
    return await world.admin.list(kinds.TENANT_CONTROL_PLANE, labels={"fleet": fleet})


def place_of(tcp: Manifest) -> str:
    return str(((tcp.get("status") or {}).get("storage") or {}).get("dataStoreName") or "")


@dataclass
class History:
    """Of a fleet, as a watch sees it: every store that a tenant was ever in, and the most that were in one at a time."""

    seen: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    most: Counter[str] = field(default_factory=Counter)
    _now: dict[str, str] = field(default_factory=dict)

    def note(self, change: Change) -> None:
        if change.object is None:
            return
        name, place = change.object["metadata"]["name"], place_of(change.object)
        self._now[name] = place
        if place:
            self.seen[name].add(place)
            self.most[place] = max(self.most[place], list(self._now.values()).count(place))


@asynccontextmanager
async def history(world: TenantWorld, fleet: str) -> AsyncIterator[History]:
    """From now on, no change left out."""
    found = History()

    async def follow() -> None:
        async for change in world.admin.watch(kinds.TENANT_CONTROL_PLANE, labels={"fleet": fleet}):
            found.note(change)

    task = asyncio.create_task(follow())
    try:
        yield found
    finally:
        task.cancel()


@pytest.mark.keeps("better.placement")
async def test_two_hundred_at_once_are_each_placed_once_and_no_store_was_ever_over_its_limit(
    hosting: TenantWorld, namespace: str
) -> None:
    for number in range(3):
        await brought(hosting, "burst", f"burst-{number}")
    await pool_of(hosting, "burst", maxTenants=60)
    async with history(hosting, "burst") as past:
        async with asyncio.TaskGroup() as tasks:
            births = [tasks.create_task(born(hosting, "burst", namespace, number)) for number in range(200)]
            while not all(each.done() for each in births):
                await placing.wave(hosting.context)
                counts = Counter(map(place_of, await tenants(hosting, "burst")))
                assert all(counts[f"burst-{number}"] <= 60 for number in range(3))
        await placing.wave(hosting.context)
        full = {f"burst-{n}": 60 for n in range(3)}
        assert Counter(map(place_of, await tenants(hosting, "burst"))) == {**full, "": 20}

        await brought(hosting, "burst", "burst-3")
        await placing.wave(hosting.context)
        async with asyncio.timeout(120):
            while len(past.seen) < 200:
                await asyncio.sleep(0.05)
    assert Counter(map(place_of, await tenants(hosting, "burst"))) == {**full, "burst-3": 20}
    assert past.seen.keys() == {f"t{number}" for number in range(200)}, "nobody was lost"
    assert {len(stores) for stores in past.seen.values()} == {1}, "nobody was in two places"
    assert past.most == {**full, "burst-3": 20}, "at no moment was more in a store than may be"


async def test_two_replicas_that_both_believe_to_lead_put_nobody_in_two_places(
    hosting: TenantWorld, namespace: str
) -> None:
    for number in range(4):
        await brought(hosting, "two", f"two-{number}")
    await pool_of(hosting, "two")
    for number in range(40):
        await born(hosting, "two", namespace, number)
    async with history(hosting, "two") as past:
        await asyncio.gather(*(placing.wave(hosting.context) for _ in range(4)))
        await placing.wave(hosting.context)
        async with asyncio.timeout(120):
            while len(past.seen) < 40:
                await asyncio.sleep(0.05)
    assert {len(stores) for stores in past.seen.values()} == {1}
    counts = Counter(map(place_of, await tenants(hosting, "two")))
    assert counts.keys() == {f"two-{number}" for number in range(4)}
    assert max(counts.values()) - min(counts.values()) <= 4, "each wave is even by itself, and there were four"


async def test_the_place_is_recorded_before_use_with_a_finalizer_and_the_reason(
    hosting: TenantWorld, namespace: str
) -> None:
    await brought(hosting, "told", "told-0")
    await brought(hosting, "told", "told-1", ready=False)
    await pool_of(hosting, "told")
    tcp = await born(hosting, "told", namespace, 1)
    await placing.wave(hosting.context)
    now = await hosting.now(tcp)
    assert now["status"]["storage"] == {"dataStoreName": "told-0", "driver": "etcd"}
    assert names.FINALIZER_TENANT in now["metadata"]["finalizers"]
    await hosting.passed(tcp)
    now = await hosting.now(tcp)
    placed = find(now["status"]["conditions"], "Placed")
    assert placed is not None
    assert placed["message"].startswith("DataStore told-0 of DataStorePool told: Spread: the least in it")
    assert "told-1 (it is not ready)" in placed["message"]
    events = await hosting.admin.list(kinds.EVENT, namespace)
    assert [each["note"] for each in events if each["reason"] == "Placed"] == [placed["message"]]


async def test_while_there_is_no_room_the_tenant_says_so_and_the_pool_says_what_to_do(
    hosting: TenantWorld, namespace: str
) -> None:
    await brought(hosting, "full", "full-0")
    await pool_of(hosting, "full", maxTenants=1)
    for number in range(2):
        await born(hosting, "full", namespace, number)
    assert await placing.wave(hosting.context) == placing.AGAIN
    await pool_pass.pool(hosting.context, "full")
    pool = await hosting.admin.get(kinds.DATA_STORE_POOL, "full")
    assert pool is not None
    assert (pool["status"]["tenants"], pool["status"]["waiting"]) == (1, 1)
    (load,) = pool["status"]["stores"]
    assert (load["name"], load["made"], load["tenants"], load["maxTenants"], load["takes"]) == (
        "full-0",
        False,
        1,
        1,
        False,
    )
    takes = find(pool["status"]["conditions"], "TakesTenants")
    assert takes is not None
    assert (takes["status"], takes["reason"]) == ("False", "NoRoom")
    (left,) = [each for each in await tenants(hosting, "full") if not place_of(each)]
    await hosting.passed(left)
    ready = find((await hosting.now(left))["status"]["conditions"], "Ready")
    assert ready is not None
    assert (ready["reason"], ready["message"]) == (
        "WaitingForPlace",
        "waiting for a place in DataStorePool full: full-0: it is full: 1 of 1 tenants, 16Mi, 120 writes a minute",
    )


async def test_who_names_a_store_or_has_no_pool_is_not_placed(hosting: TenantWorld, namespace: str) -> None:
    await brought(hosting, "named", "named-0")
    await pool_of(hosting, "named")
    named = await born(hosting, "named", namespace, 1, dataStore="named-0")
    other = await born(hosting, "nobodys", namespace, 2)
    await placing.wave(hosting.context)
    assert [place_of(await hosting.now(each)) for each in (named, other)] == ["", ""]


async def test_a_tenant_is_granted_its_keyspace_where_it_was_placed_and_a_moved_one_finds_its_own_again(
    hosting: TenantWorld, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    etcds = []
    try:
        for number in range(2):
            authority = Authority()
            etcds.append(Etcd(tmp_path_factory.mktemp("etcd"), authority).start())
            await hosting.offer(f"real-{number}", etcds[-1], authority)
            patch = {"metadata": {"labels": {"fleet": "real"}}}
            await hosting.admin.merge(kinds.DATA_STORE, f"real-{number}", None, patch, manager=MANAGER)
        await pool_of(hosting, "real", policy="BinPack")
        tcp = await born(hosting, "real", namespace, 1)
        await placing.wave(hosting.context)
        await hosting.passed(tcp)
        setup = (await hosting.now(tcp))["status"]["storage"]
        assert setup["dataStoreName"] == "real-0"
        assert setup["setup"]["schema"] == tcp["metadata"]["uid"]

        # As after `clusterctl move`: spec and Secrets are there, the record is not; and the pool would choose another store.
        await hosting.admin.merge(
            kinds.TENANT_CONTROL_PLANE, "t1", namespace, {"status": None}, subresource="status", manager=MANAGER
        )
        weight = {"metadata": {"annotations": {names.ANNOTATION_WEIGHT: "9"}}}
        await hosting.admin.merge(kinds.DATA_STORE, "real-1", None, weight, manager=MANAGER)
        await placing.wave(hosting.context)
        await hosting.passed(tcp)
        again = (await hosting.now(tcp))["status"]["storage"]
        assert (again["dataStoreName"], again["setup"]["schema"]) == ("real-0", setup["setup"]["schema"])
    finally:
        for etcd in etcds:
            etcd.stop()


async def test_a_tenant_goes_where_less_is_written_as_the_last_sample_measured_and_its_place_says_so(
    hosting: TenantWorld, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    etcds: list[Etcd] = []
    stores: list[Store] = []
    try:
        for number in range(2):
            authority = Authority()
            etcds.append(Etcd(tmp_path_factory.mktemp("etcd"), authority).start())
            stores.append(await hosting.offer(f"busy-{number}", etcds[-1], authority))
            patch = {"metadata": {"labels": {"fleet": "busy"}}}
            await hosting.admin.merge(kinds.DATA_STORE, f"busy-{number}", None, patch, manager=MANAGER)
        await pool_of(hosting, "busy", maxWritesPerMinute=2000, writesPerTenant=60)
        writer = await born(hosting, "busy", namespace, 0)
        await placing.wave(hosting.context)
        await hosting.passed(writer)
        assert place_of(await hosting.now(writer)) == "busy-0"

        async with await stores[0].wire() as root:
            task = asyncio.create_task(writing(root, writer["metadata"]["uid"]))
            await Sampler(hosting.context, lambda: 0.0, window=2.0)("busy-0")
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        measured = (await hosting.now(writer))["status"]["storage"]["usage"]["writesPerMinute"]
        assert measured > 600, "ten times what is set aside"
        for number in range(1, 6):
            await born(hosting, "busy", namespace, number)
        await placing.wave(hosting.context)
        found = await tenants(hosting, "busy")
        assert Counter(map(place_of, found)) == {"busy-0": 1, "busy-1": 5}
        told = [each["metadata"]["annotations"][names.ANNOTATION_PLACED] for each in found if each != writer]
        assert any("240 of 2000 writes a minute" in each for each in told)
        await pool_pass.pool(hosting.context, "busy")
        loads = ((await hosting.admin.get(kinds.DATA_STORE_POOL, "busy")) or {})["status"]["stores"]
        assert [(each["writesPerMinute"], each["maxWritesPerMinute"]) for each in loads] == [
            (measured, 2000),
            (0, 2000),
        ]
    finally:
        for etcd in etcds:
            etcd.stop()


async def writing(root: Any, keyspace: str) -> None:
    """As somebody inside the tenant does, twenty-five times a second, however long each takes."""
    async with asyncio.TaskGroup() as writes:
        while True:
            writes.create_task(root.kv.put(f"/{keyspace}/registry/x".encode(), b"x"))
            await asyncio.sleep(0.04)


async def test_with_the_default_pool_a_tenant_without_a_store_is_placed_there(
    hosting: TenantWorld, namespace: str
) -> None:
    context: Context = replace(
        hosting.context, settings=replace(hosting.context.settings, default_datastore="standard")
    )
    await hosting.admin.apply(meta.new(kinds.DATA_STORE_POOL, "standard", spec={"minStores": 0}), manager=MANAGER)
    tcp = await born(hosting, "", namespace, 1)
    assert await placing.wave(context) == placing.AGAIN
    selector = {"matchLabels": {"fleet": "standard"}}
    spec = {"minStores": 0, "storeSelector": selector}
    await hosting.admin.apply(meta.new(kinds.DATA_STORE_POOL, "standard", spec=spec), manager=MANAGER)
    await brought(hosting, "standard", "standard-a")
    await placing.wave(context)
    assert place_of(await hosting.now(tcp)) == "standard-a"
    await hosting.admin.delete(kinds.DATA_STORE_POOL, "standard")
