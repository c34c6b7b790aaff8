"""A tenant moves from one real etcd to another by its spec, with clients that read, write and watch all the time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.cluster.address import path
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError, Expired, Unreachable
from provider.cluster.watch import Watch
from provider.hosting import migration
from provider.hosting.datastores.etcd.copying.engine import Copy
from provider.hosting.reconcile import moving
from provider.hosting.view import Keyspace
from provider.manifest import Manifest, meta
from tests.integration.fixtures import COUNTER
from tests.integration.hosted import MANAGER, Hosted, Store
from tests.integration.rollout import Rollout

PATIENCE = 480.0  # seconds; a bound against hanging for ever
NIGHTLY = dict.fromkeys(("Copying", "StandingBy", "Moved"), pytest.mark.nightly)
DEFAULT = "default"  # the namespace inside the tenant in which its client works


@dataclass
class Client:
    """A user of the tenant, fifty writes a second; what was acknowledged, and what he and his watch have seen."""

    session: Cluster
    acknowledged: dict[str, str | None] = field(default_factory=dict)
    reads: int = 0
    failed_reads: list[str] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    watched: dict[str, str] = field(default_factory=dict)
    frozen: list[float] = field(default_factory=list)  # when a write was refused
    acknowledgements: int = 0
    refusals: set[str] = field(default_factory=set)  # in the words of the tenant's API server
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[asyncio.Task[None]]:
        """Until the block ends; the writer, which ends once it is told to stop and its last write was answered."""
        tasks = [asyncio.create_task(each()) for each in (self._write, self._read, self._watch)]
        try:
            yield tasks[0]
        finally:
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _write(self) -> None:
        for number in itertools.count():
            if self.stopped.is_set():
                return
            name, value = f"w-{number % 40}", str(number)
            try:
                if number % 9 == 5:
                    await self.session.delete(kinds.CONFIG_MAP, name, DEFAULT)
                    self.acknowledged[name] = None
                else:
                    made = meta.new(kinds.CONFIG_MAP, name, DEFAULT, data={"number": value})
                    await self.session.apply(made, manager=MANAGER)
                    self.acknowledged[name] = value
                self.acknowledgements += 1
            except ApiError as error:
                self.refusals.add(str(error))
                self.frozen.append(asyncio.get_running_loop().time())
                self.acknowledged.pop(name, None)  # it may have been done before its answer was lost
            await asyncio.sleep(0.02)

    async def _read(self) -> None:
        where = f"/api/v1/namespaces/{DEFAULT}/configmaps"
        while True:
            try:
                self.versions.append(await self._listed(where))
            except ApiError as error:
                self.failed_reads.append(str(error))
            self.reads += 1
            await asyncio.sleep(0.05)

    async def _listed(self, where: str) -> int:
        """The version of a list. Who meets a server that ends asks again for a second, as every client library does."""
        for _ in range(10):
            with contextlib.suppress(ApiError):
                return int((await self.session.listed(where, {}, kinds.CONFIG_MAP))[1])
            await asyncio.sleep(0.1)
        return int((await self.session.listed(where, {}, kinds.CONFIG_MAP))[1])

    async def _watch(self) -> None:
        async for change in self.session.watch(kinds.CONFIG_MAP, DEFAULT):
            if change.object is None:
                continue
            name = change.object["metadata"]["name"]
            if change.type == "DELETED":
                self.watched.pop(name, None)
            else:
                self.watched[name] = (change.object.get("data") or {}).get("number", "")

    async def there(self) -> dict[str, str]:
        found = await self.session.list(kinds.CONFIG_MAP, DEFAULT)
        return {each["metadata"]["name"]: (each.get("data") or {}).get("number", "") for each in found}


@dataclass
class Moved:
    """A tenant, its pods, and passes that are taken when something calls for one, until the test's block ends."""

    hosted: Hosted
    rollout: Rollout
    stores: tuple[Store, Store]
    killed_at: set[str] = field(default_factory=set)  # phases at which the provider dies once
    seen: list[str] = field(default_factory=list)  # phases, in order

    async def move(self, store: Store) -> None:
        patch = {"spec": {"dataStore": store.name}}
        hosted = self.hosted
        await hosted.cluster.merge(kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace, patch, manager=MANAGER)

    async def record(self) -> Manifest:
        return (await self.hosted.tcp())["status"]["storage"]

    async def phase(self) -> str:
        return str(((await self.record()).get("migration") or {}).get("phase", ""))

    async def until(self, done: Callable[[], Awaitable[bool]]) -> None:
        """Passes and roll-outs until it is so; a provider that dies at a phase comes back and knows nothing."""
        async with asyncio.timeout(PATIENCE):
            while not await done():
                await self.hosted.look()
                phase = await self.phase()
                if not self.seen or self.seen[-1] != phase:
                    self.seen.append(phase)
                if phase in self.killed_at:
                    self.killed_at.remove(phase)
                    await self.restart()
                await self.rollout.step()
                await asyncio.sleep(0.05)

    async def restart(self) -> None:
        """Another process: what was only remembered is gone."""
        await self.hosted.run.moving.stop_all()
        await self.hosted.tenants.close_all()
        self.hosted.__post_init__()

    async def at(self, phase: str) -> bool:
        return await self.phase() == phase

    def is_there(self, store: Store) -> Callable[[], Awaitable[bool]]:
        async def there() -> bool:
            return (await self.record())["dataStoreName"] == store.name and await self.phase() == "Moved"

        return there

    async def is_over(self) -> bool:
        return await self.phase() in ("Moved", "Failed")

    async def keyspace(self) -> Keyspace:
        setup = (await self.record())["setup"]
        return Keyspace(schema=setup["schema"], user=setup["user"])

    async def count(self, store: Store) -> int:
        async with store.opened() as opened:
            return await opened.count((await self.keyspace()).schema)


@pytest.fixture
async def stores(management: Cluster, tmp_path: Path) -> AsyncIterator[tuple[Store, Store]]:
    number = next(COUNTER)
    found = (
        await Store.start(management, tmp_path / "from", f"from-{number}"),
        await Store.start(management, tmp_path / "to", f"to-{number}"),
    )
    yield found
    for each in found:
        each.stop()


@pytest.fixture
async def moved(
    management: Cluster, namespace: str, stores: tuple[Store, Store], tmp_path: Path
) -> AsyncIterator[Moved]:
    """Born in the first store and served from there."""
    hosted = Hosted(management, stores[0], namespace, tmp_path / "tenant")
    rollout = Rollout(hosted)
    await rollout.open()
    found = Moved(hosted, rollout, stores)
    await hosted.say(dataStore=stores[0].name)
    await hosted.look()
    await rollout.step()
    await hosted.look(2)
    yield found
    await rollout.close()
    await hosted.stop()


@asynccontextmanager
async def client(moved: Moved) -> AsyncIterator[Client]:
    """At work until the block ends; then what was acknowledged is there, the watch has seen it, and no version went back."""
    session = await moved.hosted.session("super-admin.conf")
    found = Client(session)
    try:
        async with found.at_work() as writer:
            await written(found)
            yield found
            await written(found)
            found.stopped.set()
            async with asyncio.timeout(120):
                await writer
                while found.watched != (there := await found.there()):
                    await asyncio.sleep(0.2)
    finally:
        await session.close()
    assert {name: there.get(name) for name in found.acknowledged} == found.acknowledged
    assert found.versions == sorted(found.versions), "resourceVersions go up and never back"
    assert found.reads > 10
    assert not found.failed_reads


async def written(client: Client) -> None:
    """Some more writes are acknowledged."""
    client.acknowledgements = 0
    async with asyncio.timeout(120):
        while client.acknowledgements < 10:
            await asyncio.sleep(0.05)


async def is_told_to_list_anew(client: Client, kind: Kind, version: int) -> None:
    """A watch that goes on from an old version; one that was left without events would end without a word."""
    watch = Watch(client.session, client.session._transport, kind, path(kind, DEFAULT), {}, _version=str(version))
    with pytest.raises(Expired):
        async with asyncio.timeout(120):
            async for _ in watch._streamed():
                pass


async def erased(moved: Moved, store: Store) -> None:
    """What is left in a store goes, once it was there to be looked at for long enough."""
    migration.KEPT, kept = timedelta(0), migration.KEPT
    try:
        await moved.until(lambda: moved.at(""))
    finally:
        migration.KEPT = kept
    keyspace = await moved.keyspace()
    async with store.opened() as opened:
        assert await opened.count(keyspace.schema) == 0
        assert keyspace.schema not in await opened.users() | await opened.roles()


@pytest.mark.keeps("rules.freeze", "better.migration-race")
async def test_a_tenant_moves_under_load_and_back_and_nothing_that_was_acknowledged_is_lost(moved: Moved) -> None:
    first, second = moved.stores
    for source, target in ((first, second), (second, first)):
        async with client(moved) as user:
            old = user.versions[-1]
            await moved.move(target)
            await moved.until(moved.is_over)
            assert (await moved.record())["dataStoreName"] == target.name, (await moved.record())["migration"]
            for kind in (kinds.CONFIG_MAP, kinds.EVENT):  # the one is answered from a cache, the other by etcd
                await is_told_to_list_anew(user, kind, old)
        assert any("permission denied" in each for each in user.refusals)
        assert moved.seen[-5:] == ["Copying", "StandingBy", "Frozen", "Switching", "Moved"]
        assert user.frozen
        print(f"writes were refused for {user.frozen[-1] - user.frozen[0]:.1f} s")
        assert (await moved.hosted.condition("Migrated"))["reason"] == "Migrated"
        assert await moved.count(source) > 0, "it can be looked at for a while"
        async with source.opened() as opened, source.as_tenant(await moved.keyspace()) as tenant:
            assert await opened.ensure(await moved.keyspace(), writable=False) is False, "and not written"
            await tenant.verify(await moved.keyspace(), writable=False)
        await erased(moved, source)


async def test_people_who_write_meanwhile_are_told_in_words_why_that_is_refused(moved: Moved) -> None:
    session = await moved.hosted.session("admin.conf")
    person = Client(session)
    try:
        async with person.at_work():
            await written(person)
            for target in (moved.stores[1], moved.stores[0]):
                person.refusals.clear()
                await moved.move(target)
                await moved.until(moved.is_there(target))
                await written(person)
                assert any("writes are held" in each for each in person.refusals), person.refusals
        for kind in (kinds.ADMISSION_POLICY, kinds.ADMISSION_POLICY_BINDING):
            assert await session.get(kind, names.HELD_POLICY) is None
    finally:
        await session.close()


@pytest.mark.keeps("better.migration-race")
async def test_a_provider_that_dies_at_every_step_goes_on_with_the_move(moved: Moved) -> None:
    moved.killed_at |= {"Copying", "StandingBy", "Frozen", "Switching", "Moved"}
    async with client(moved):
        await moved.move(moved.stores[1])
        await moved.until(moved.is_over)
        await moved.hosted.look()
    assert not moved.killed_at
    assert (await moved.record())["dataStoreName"] == moved.stores[1].name
    await erased(moved, moved.stores[0])


@pytest.mark.nightly
@pytest.mark.parametrize("phase", ["Copying", "Frozen"])
async def test_a_target_that_dies_in_the_midst_leaves_the_tenant_where_it_was_and_unfrozen(
    moved: Moved, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "PATIENCE", 3.0)
    monkeypatch.setattr(migration, "FREEZE_PATIENCE", timedelta(seconds=5))
    monkeypatch.setattr(Copy, "level" if phase == "Copying" else "finish", never)
    first, second = moved.stores
    async with client(moved):
        await moved.move(second)
        await moved.until(lambda: moved.at(phase))
        second.stop()
        await moved.until(lambda: moved.at("Failed"))
        await moved.hosted.look()
        assert (await moved.record())["dataStoreName"] == first.name
        assert (await moved.hosted.condition("Ready"))["status"] == "True"
    assert moved.seen[-1] == "Failed"
    assert "Switching" not in moved.seen

    async def pending() -> bool:  # once the pods that stood by are gone
        return bool((await moved.hosted.condition("StorageReleased"))["reason"] == "ErasurePending")

    await moved.until(pending)
    assert second.name in (await moved.hosted.condition("StorageReleased"))["message"]


async def never(_: Copy, *__: Any) -> None:
    """So that the target dies while it is at that."""
    await asyncio.Event().wait()


@pytest.mark.nightly
async def test_pods_that_do_not_come_up_on_the_target_are_taken_back_and_the_tenant_writes_again(
    moved: Moved, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "SWITCH_PATIENCE", timedelta(seconds=2))
    first, second = moved.stores
    async with client(moved):
        await moved.move(second)
        await moved.until(lambda: moved.at("Frozen"))
        moved.rollout.broken = True
        await moved.until(moved.is_over)
        assert moved.seen[-4:] == ["Frozen", "Switching", "Returning", "Failed"]
        await moved.hosted.look()
    told = await moved.hosted.condition("Migrated")
    assert (told["status"], told["reason"]) == ("False", "PodsNotServing")
    assert first.name in told["message"]
    assert (await moved.hosted.condition("Stalled"))["reason"] == "PodsNotServing"
    assert (await moved.record())["dataStoreName"] == first.name
    assert await moved.count(second) == 0, "what was copied is erased"
    moved.rollout.broken = False
    for store in (first, second):  # asked for once more
        await moved.move(store)
        await moved.until(lambda: moved.at("" if store is first else "Moved"))  # noqa: B023


async def test_pods_that_do_not_come_up_beside_the_others_cost_the_tenant_nothing(
    moved: Moved, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "STANDBY_PATIENCE", timedelta(seconds=3))
    first, second = moved.stores
    async with client(moved) as user:
        moved.rollout.broken = True
        await moved.move(second)
        await moved.until(moved.is_over)
        assert moved.seen[-3:] == ["Copying", "StandingBy", "Failed"]
        await moved.hosted.look()
    assert not user.refusals
    assert (await moved.hosted.condition("Migrated"))["reason"] == "PodsNotServing"
    assert (await moved.record())["dataStoreName"] == first.name
    assert await moved.count(second) == 0, "what was copied is erased"


@pytest.mark.nightly
async def test_pods_that_clients_have_overtaken_do_not_serve_and_others_are_made(
    moved: Moved, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that is written so fast that its revisions come to those at which pods that stand by saw the target."""
    monkeypatch.setattr(migration, "SLACK", 10**9)
    async with client(moved):
        await moved.move(moved.stores[1])
        await moved.until(moved.is_over)
    assert moved.seen[-5:] == ["Copying", "StandingBy", "Frozen", "Switching", "Moved"]
    assert (await moved.record())["migration"].get("standbyRevision") is None


@pytest.mark.nightly
async def test_a_tenant_whose_pods_cannot_come_up_beside_each_other_is_frozen_until_others_have_started(
    moved: Moved,
) -> None:
    hosted = moved.hosted
    patch = {"spec": {"controlPlane": {"deployment": {"strategy": {"type": "Recreate"}}}}}
    await hosted.cluster.merge(kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace, patch, manager=MANAGER)
    await hosted.look()
    assert (await hosted.get(kinds.DEPLOYMENT))["spec"]["strategy"] == {"type": "Recreate"}
    async with client(moved):
        await moved.move(moved.stores[1])
        await moved.until(moved.is_over)
    assert moved.seen[-4:] == ["Copying", "Frozen", "Switching", "Moved"]


@pytest.mark.nightly
async def test_who_changes_his_mind_in_the_midst_stays_or_goes_to_the_third(
    moved: Moved, management: Cluster, tmp_path: Path
) -> None:
    first, second = moved.stores
    third = await Store.start(management, tmp_path / "third", f"third-{next(COUNTER)}")
    try:
        async with client(moved):
            await moved.move(second)
            await moved.until(lambda: moved.at("Copying"))
            await moved.move(third)
            await moved.until(moved.is_there(third))
            assert (await moved.record())["migration"]["source"] == first.name
            assert await moved.count(second) == 0
            await moved.move(second)
            await moved.until(lambda: moved.at("Copying"))
            assert await moved.count(first) == 0, "who goes on is not waited for"
            await moved.move(third)
            await moved.until(lambda: moved.at(""))
            assert (await moved.record())["dataStoreName"] == third.name
    finally:
        third.stop()


async def test_a_target_that_has_keys_of_that_name_is_refused_and_they_are_left_alone(moved: Moved) -> None:
    second = moved.stores[1]
    keyspace = await moved.keyspace()
    async with second.opened() as opened:
        await opened.wire.kv.put(f"/{keyspace.schema}/theirs", b"theirs")
    async with client(moved):
        await moved.move(second)
        await moved.hosted.look(3)
    told = await moved.hosted.condition("Migrated")
    assert (told["status"], told["reason"]) == ("False", "KeyspaceTaken")
    assert await moved.count(second) == 1
    assert await moved.phase() == ""
    assert (await moved.hosted.condition("Ready"))["status"] == "True"


@pytest.mark.parametrize(
    "phase",
    [
        pytest.param(each, marks=NIGHTLY.get(each, ()))
        for each in ("Copying", "StandingBy", "Frozen", "Switching", "Moved")
    ],
)
async def test_a_tenant_that_is_deleted_while_it_moves_leaves_nothing_in_either_store(moved: Moved, phase: str) -> None:
    keyspace = await moved.keyspace()
    await moved.move(moved.stores[1])
    await moved.until(lambda: moved.at(phase))
    hosted = moved.hosted
    await hosted.cluster.delete(kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace)
    async with asyncio.timeout(PATIENCE):
        while await hosted.cluster.get(kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace) is not None:
            await moved.rollout.vanish()
            await hosted.look()
    for store in moved.stores:
        async with store.opened() as opened:
            assert await opened.count(keyspace.schema) == 0
            assert keyspace.schema not in await opened.users() | await opened.roles()


async def test_a_tenant_that_sleeps_moves_as_well_and_wakes_in_its_new_store(moved: Moved) -> None:
    hosted, second = moved.hosted, moved.stores[1]
    asleep = {"spec": {"controlPlane": {"deployment": {"replicas": 0}}, "dataStore": second.name}}
    await hosted.cluster.merge(kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace, asleep, manager=MANAGER)
    moved.rollout.asleep = True
    await moved.until(moved.is_over)
    assert await moved.at("Moved")
    assert await hosted.phase() == "Sleeping"
    awake = {"spec": {"controlPlane": {"deployment": {"replicas": 1}}}}
    await hosted.cluster.merge(kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace, awake, manager=MANAGER)
    moved.rollout.asleep = False
    await hosted.look()
    await moved.rollout.step()
    async with client(moved):
        await hosted.look()


def overriding(store: Store) -> Manifest:
    said = [{"resource": each, "dataStore": store.name} for each in ("/events", "/configmaps")]
    return {"spec": {"dataStoreOverrides": said}}


@pytest.mark.keeps("better.overrides")
async def test_what_lies_in_an_overrides_store_moves_alone_and_nothing_else_is_held(
    management: Cluster, namespace: str, tmp_path: Path
) -> None:
    number = next(COUNTER)
    main = await Store.start(management, tmp_path / "main", f"main-{number}")
    one, other = [
        await Store.start(management, tmp_path / each, f"{each}-{number}", main.authority) for each in ("one", "other")
    ]
    hosted = Hosted(management, main, namespace, tmp_path / "tenant")
    rollout = Rollout(hosted)
    await rollout.open()
    moved = Moved(hosted, rollout, (one, other))
    try:
        await hosted.say(dataStore=main.name, **overriding(one)["spec"])
        await hosted.look()
        await rollout.step()
        await hosted.look(2)
        before = await moved.count(main)
        async with client(moved) as user, secrets(user.session) as refused:
            where = (kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace)
            await hosted.cluster.merge(*where, overriding(other), manager=MANAGER)
            await moved.until(lambda: moved.at("Moved"))
        assert moved.seen[-5:] == ["Copying", "StandingBy", "Frozen", "Switching", "Moved"]
        assert user.refusals
        assert not refused, "what lies in the main store is written all the time"
        record = await moved.record()
        assert record["dataStoreName"] == main.name
        assert {each["dataStoreName"] for each in record["overrides"]} == {other.name}
        assert record["migration"]["resources"] == ["/events", "/configmaps"]
        assert await moved.count(other) > 0
        assert await moved.count(main) >= before
        await erased(moved, one)
    finally:
        await rollout.close()
        await hosted.stop()
        for each in (main, one, other):
            each.stop()


@asynccontextmanager
async def secrets(session: Cluster) -> AsyncIterator[list[str]]:
    """Twenty are written a second meanwhile; what was refused. A server that ends is asked again, as by every client."""
    refused: list[str] = []

    async def forever() -> None:
        for number in itertools.count():
            made = meta.new(kinds.SECRET, f"s-{number % 20}", DEFAULT, stringData={"number": str(number)})
            try:
                await session.apply(made, manager=MANAGER)
            except Unreachable:
                await asyncio.sleep(0.1)
            except ApiError as error:
                refused.append(str(error))
            await asyncio.sleep(0.05)

    task = asyncio.create_task(forever())
    try:
        yield refused
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_store_that_leads_to_the_same_etcd_is_no_place_to_move_to(moved: Moved) -> None:
    first = moved.stores[0]
    twin = Store(first.etcd, f"twin-{next(COUNTER)}", first.cluster)
    await first.cluster.apply(meta.new(kinds.DATA_STORE, twin.name, spec=first.spec()), manager=MANAGER)
    await twin.look()
    before = await moved.count(first)
    await moved.move(twin)
    await moved.hosted.look(2)
    assert (await moved.hosted.condition("Migrated"))["reason"] == "SameStore"
    await moved.move(first)
    await moved.hosted.look(2)
    assert await moved.count(first) >= before
