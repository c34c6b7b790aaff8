"""spec.dataStoreOverrides before real etcds and a real tenant API server: granted, used, and taken back without a trace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lab.servers import Authority
from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.cluster.client import Cluster
from provider.cluster.errors import Refused
from provider.hosting.view import Keyspace
from provider.manifest import meta
from provider.manifest.condition import find
from tests.integration.fixtures import COUNTER
from tests.integration.hosted import Hosted, Store

EVENT = Kind("v1", "Event", "events")


@pytest.fixture
async def main(management: Cluster, tmp_path: Path) -> AsyncIterator[Store]:
    found = await Store.start(management, tmp_path / "main", f"main-{next(COUNTER)}")
    yield found
    found.stop()


@pytest.fixture
async def other(management: Cluster, tmp_path: Path, main: Store) -> AsyncIterator[Store]:
    """Another etcd under the same authority."""
    found = await Store.start(management, tmp_path / "other", f"other-{next(COUNTER)}", main.authority)
    yield found
    found.stop()


@pytest.fixture
async def tenant(management: Cluster, namespace: str, main: Store, tmp_path: Path) -> AsyncIterator[Hosted]:
    found = Hosted(management, main, namespace, tmp_path / "tenant")
    yield found
    await found.stop()


def overriding(store: Store | str, resource: str = "/events") -> dict[str, Any]:
    name = store if isinstance(store, str) else store.name
    return {"dataStoreOverrides": [{"resource": resource, "dataStore": name}]}


async def keyspace(tenant: Hosted) -> tuple[str, str]:
    setup = (await tenant.tcp())["status"]["storage"]["setup"]
    return setup["schema"], setup["user"]


async def count(store: Store, schema: str) -> int:
    async with store.opened() as opened:
        return await opened.count(schema)


async def granted(store: Store, schema: str, user: str) -> bool:
    async with store.opened() as opened:
        return schema in await opened.roles() and user in await opened.users()


async def finalizers(tenant: Hosted) -> list[str]:
    return [str(each) for each in (await tenant.tcp())["metadata"].get("finalizers") or ()]


@pytest.mark.keeps("better.overrides")
@pytest.mark.fields("TenantControlPlane", "spec.dataStoreOverrides[].resource", "spec.dataStoreOverrides[].dataStore")
async def test_events_lie_in_the_other_store_and_all_else_in_the_main_one(
    tenant: Hosted, main: Store, other: Store
) -> None:
    await tenant.say(**overriding(other))
    await tenant.look()
    schema, user = await keyspace(tenant)
    assert await granted(main, schema, user) and await granted(other, schema, user)
    assert names.FINALIZER_OVERRIDE + other.name in await finalizers(tenant)
    await tenant.serve()
    await tenant.until_joinable()
    session = await tenant.session("super-admin.conf")
    involved = {"kind": "Pod", "namespace": "default", "name": "p"}
    await session.create(meta.new(EVENT, "it-happened", "default", involvedObject=involved, reason="x", type="Normal"))
    async with other.opened() as opened:
        assert schema in await opened.keyspaces()
        assert await opened.count(schema) >= 1
    assert await session.get(EVENT, "it-happened", "default") is not None
    assert await count(main, schema) > 10
    await other.look()
    store = await tenant.cluster.get(kinds.DATA_STORE, other.name)
    assert store is not None and store["status"]["usedBy"] == [f"{tenant.namespace}/{tenant.name}"]
    assert find((await tenant.tcp())["status"]["conditions"], "StorageReleased") is None
    await session.close()


async def test_an_override_that_is_taken_out_is_erased_once_no_pod_uses_it(
    tenant: Hosted, main: Store, other: Store
) -> None:
    await tenant.say(**overriding(other))
    await tenant.look()
    schema, user = await keyspace(tenant)
    await tenant.tell(await tenant.get(kinds.DEPLOYMENT), ready=False)
    async with other.opened() as opened, main.opened() as opened_main:
        await opened.wire.kv.put(f"/{schema}/events/a".encode(), b"x")
        await opened_main.wire.kv.put(f"/{schema}/pods/a".encode(), b"x")

    await tenant.say()
    await tenant.look()
    flags = (await tenant.get(kinds.DEPLOYMENT))["spec"]["template"]["spec"]["containers"][0]["args"]
    assert not [each for each in flags if "overrides" in each]
    found = await tenant.condition("StorageReleased")
    assert (found["status"], found["reason"]) == ("False", "OverrideInUse")
    assert f"{tenant.name}-0" in found["message"] and other.name in found["message"]
    assert await count(other, schema) == 1

    await tenant.cluster.delete(kinds.POD, f"{tenant.name}-0", tenant.namespace)
    await tenant.look()
    assert find((await tenant.tcp())["status"]["conditions"], "StorageReleased") is None
    assert await count(other, schema) == 0 and not await granted(other, schema, user)
    assert await count(main, schema) == 1 and await granted(main, schema, user)
    assert await finalizers(tenant) == [names.FINALIZER_TENANT]
    await other.look()
    store = await tenant.cluster.get(kinds.DATA_STORE, other.name)
    assert store is not None and not store["status"].get("usedBy")


@pytest.mark.keeps("better.overrides")
async def test_the_end_of_a_tenant_erases_every_store(tenant: Hosted, main: Store, other: Store) -> None:
    await tenant.say(**overriding(other))
    await tenant.look()
    schema, user = await keyspace(tenant)
    async with other.opened() as opened:
        await opened.wire.kv.put(f"/{schema}/events/a".encode(), b"x")
    await tenant.cluster.delete(kinds.TENANT_CONTROL_PLANE, tenant.name, tenant.namespace)
    await tenant.look()
    assert await tenant.cluster.get(kinds.TENANT_CONTROL_PLANE, tenant.name, tenant.namespace) is None
    for store in (main, other):
        assert await count(store, schema) == 0 and not await granted(store, schema, user)


async def test_a_store_of_an_override_that_is_gone_is_named_and_can_be_given_up(
    tenant: Hosted, main: Store, other: Store
) -> None:
    await tenant.say(**overriding(other))
    await tenant.look()
    schema, user = await keyspace(tenant)
    await tenant.cluster.merge(kinds.DATA_STORE, other.name, None, {"metadata": {"finalizers": []}}, manager="tests")
    await tenant.cluster.delete(kinds.DATA_STORE, other.name)
    await tenant.cluster.delete(kinds.TENANT_CONTROL_PLANE, tenant.name, tenant.namespace)
    await tenant.look()
    found = await tenant.condition("Ready")
    finalizer = names.FINALIZER_OVERRIDE + other.name
    assert found["reason"] == "DataStoreGone" and other.name in found["message"] and finalizer in found["message"]
    left = [each for each in await finalizers(tenant) if each != finalizer]
    await tenant.cluster.merge(
        kinds.TENANT_CONTROL_PLANE, tenant.name, tenant.namespace, {"metadata": {"finalizers": left}}, manager="tests"
    )
    await tenant.look()
    assert await tenant.cluster.get(kinds.TENANT_CONTROL_PLANE, tenant.name, tenant.namespace) is None
    assert not await granted(main, schema, user)
    assert await granted(other, schema, user)  # given up, as was asked


async def refused(tenant: Hosted, reason: str, *words: str) -> None:
    await tenant.look()
    found = await tenant.condition("StorageReady")
    assert (found["status"], found["reason"]) == ("False", reason), found
    for word in words:
        assert word in found["message"]


async def test_a_store_under_another_authority_is_refused(
    management: Cluster, tenant: Hosted, main: Store, tmp_path: Path
) -> None:
    foreign = await Store.start(management, tmp_path / "foreign", f"foreign-{next(COUNTER)}", Authority())
    await tenant.say(**overriding(foreign))
    await refused(tenant, "OverrideAuthorityDiffers", foreign.name, main.name, "same authority")
    assert await finalizers(tenant) == [names.FINALIZER_TENANT]
    foreign.stop()


@pytest.mark.keeps("rules.overrides", "better.overrides")
async def test_a_store_that_is_not_there_or_not_ready_is_named(tenant: Hosted, other: Store) -> None:
    await tenant.say(**overriding("nowhere"))
    await refused(tenant, "OverrideNotFound", "nowhere", "create it")
    await tenant.say(**overriding(other))
    other.stop()
    await other.look()
    await refused(tenant, "OverrideNotReady", other.name, "nobody answers")
    other.etcd.start()
    await other.look()
    await tenant.look()
    assert (await tenant.condition("StorageReady"))["status"] == "True"


async def test_a_second_name_for_the_main_etcd_is_refused_and_erases_nothing(tenant: Hosted, main: Store) -> None:
    alias = f"alias-{next(COUNTER)}"
    await tenant.cluster.apply(meta.new(kinds.DATA_STORE, alias, spec=main.spec()), manager="tests")
    await Store(main.etcd, alias, tenant.cluster).look()
    await tenant.say(**overriding(alias))
    await refused(tenant, "OverrideIsMainStore", alias, main.name)
    assert await finalizers(tenant) == [names.FINALIZER_TENANT]

    # Even where it was recorded, as by a DataStore whose endpoints changed later, the main store's keys stay.
    schema, user = await keyspace(tenant)
    async with main.opened() as opened:
        await opened.wire.kv.put(f"/{schema}/pods/a".encode(), b"x")
    held = [names.FINALIZER_TENANT, names.FINALIZER_OVERRIDE + alias]
    await tenant.cluster.merge(
        kinds.TENANT_CONTROL_PLANE, tenant.name, tenant.namespace, {"metadata": {"finalizers": held}}, manager="tests"
    )
    await tenant.say()
    await tenant.look()
    assert await finalizers(tenant) == [names.FINALIZER_TENANT]
    assert await count(main, schema) == 1 and await granted(main, schema, user)


async def test_what_the_store_itself_says_is_anothers_is_left_alone(tenant: Hosted, other: Store) -> None:
    async with other.opened() as opened:
        await opened.ensure(Keyspace(schema="foreign", user="mine"))
    await tenant.say(**overriding(other), dataStoreSchema="mine", dataStoreUsername="mine")
    await refused(tenant, "KeyspaceTaken", other.name, "choose another")
    assert await finalizers(tenant) == [names.FINALIZER_TENANT]
    await tenant.cluster.delete(kinds.TENANT_CONTROL_PLANE, tenant.name, tenant.namespace)
    await tenant.look()
    assert await granted(other, "foreign", "mine")


async def test_what_one_tenant_has_in_a_store_by_override_no_other_can_claim_there(
    management: Cluster, namespace: str, tenant: Hosted, other: Store, tmp_path: Path
) -> None:
    await tenant.say(**overriding(other), dataStoreSchema="mine", dataStoreUsername="mine")
    await tenant.look()
    rival = Hosted(management, other, namespace, tmp_path / "rival", "rival")
    await rival.say(dataStoreSchema="mine", dataStoreUsername="mine")
    await refused(rival, "KeyspaceTaken", f"{namespace}/{tenant.name}")
    await rival.stop()


async def test_what_another_tenant_has_in_a_store_no_override_can_claim_there(
    management: Cluster, namespace: str, tenant: Hosted, other: Store, tmp_path: Path
) -> None:
    rival = Hosted(management, other, namespace, tmp_path / "rival", "rival")
    await rival.say(dataStoreSchema="mine", dataStoreUsername="mine")
    await rival.look()
    await tenant.say(**overriding(other), dataStoreSchema="mine", dataStoreUsername="mine")
    await refused(tenant, "KeyspaceTaken", f"{namespace}/rival", other.name)
    assert await finalizers(tenant) == [names.FINALIZER_TENANT]
    await rival.stop()


async def test_once_there_is_data_only_events_may_come_and_go(tenant: Hosted, other: Store) -> None:
    await tenant.say(**overriding(other, "/pods"))
    await tenant.look()
    with pytest.raises(Refused, match="can come and go for /events only"):
        await tenant.say()
    two = overriding(other, "/pods")["dataStoreOverrides"] + overriding(other)["dataStoreOverrides"]
    await tenant.say(dataStoreOverrides=two)
    await tenant.say(**overriding(other, "/pods"))
    with pytest.raises(Refused, match="can come and go for /events only"):
        await tenant.say(**overriding(other, "/secrets"))
    await tenant.say(**overriding("elsewhere", "/pods"))
    await tenant.look()
    assert (await tenant.condition("Migrated"))["reason"] == "DataStoreNotFound"


async def test_a_quiet_tenant_with_an_override_opens_no_store(tenant: Hosted, main: Store, other: Store) -> None:
    await tenant.say(**overriding(other))
    await tenant.look(passes=3)
    version = (await tenant.tcp())["metadata"]["resourceVersion"]
    main.stop()
    other.stop()
    await tenant.look(passes=2)
    assert (await tenant.condition("StorageReady"))["status"] == "True"
    assert (await tenant.tcp())["metadata"]["resourceVersion"] == version
    main.etcd.start()
    other.etcd.start()
