"""A tenant that `clusterctl move` brings: spec and Secrets come along, status and UID do not; its state is where it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.servers import Authority, Etcd
from provider.api import kinds, names
from provider.hosting.view import Keyspace
from provider.manifest import Manifest, meta
from tests.integration.tenant_world import MANAGER, Store, TenantWorld

NAME = "moves"
CARRIED = (names.datastore_config_secret(NAME), names.datastore_certificate_secret(NAME), names.ca_secret(NAME))


@pytest.fixture(scope="module")
def etcds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[Etcd, Authority]]]:
    found = []
    for each in ("one", "other"):
        authority = Authority()
        found.append((Etcd(tmp_path_factory.mktemp(each), authority=authority).start(), authority))
    yield found
    for etcd, _ in found:
        etcd.stop()


@pytest.fixture
async def store(hosting: TenantWorld, etcds: list[tuple[Etcd, Authority]]) -> Store:
    return await hosting.offer("moved-from", *etcds[0])


async def born(hosting: TenantWorld, namespace: str, store: Store) -> tuple[Manifest, dict[str, str]]:
    """With a few keys, as its API server would have written them."""
    tenant = await hosting.ask_for(NAME, namespace, store)
    await hosting.passed(tenant)
    keyspace = await hosting.keyspace(tenant)
    async with await store.wire() as wire:
        for number in range(3):
            await wire.kv.put(f"/{keyspace['schema']}/{number}", b"value")
    return tenant, keyspace


async def moved(hosting: TenantWorld, tenant: Manifest, **spec: Any) -> Manifest:
    """As clusterctl does: mark, delete, strip finalizers, and make it and its Secrets anew with other UIDs."""
    namespace = tenant["metadata"]["namespace"]
    secrets = {each: await hosting.secret(tenant, each) for each in CARRIED}
    marked = {"metadata": {"annotations": {names.ANNOTATION_DELETE_FOR_MOVE: ""}}}
    await hosting.admin.merge(kinds.TENANT_CONTROL_PLANE, NAME, namespace, marked, manager=MANAGER)
    await hosting.admin.delete(kinds.TENANT_CONTROL_PLANE, NAME, namespace)
    await hosting.passed(tenant)  # should we be faster than clusterctl
    if await hosting.look(kinds.TENANT_CONTROL_PLANE, tenant) is not None:
        stripped = {"metadata": {"finalizers": None}}
        await hosting.admin.merge(kinds.TENANT_CONTROL_PLANE, NAME, namespace, stripped, manager=MANAGER)
    await hosting.admin.delete(kinds.DEPLOYMENT, NAME, namespace)  # as garbage collection does
    for each in CARRIED:
        await hosting.admin.delete(kinds.SECRET, each, namespace)
    again = meta.new(kinds.TENANT_CONTROL_PLANE, NAME, namespace, spec={**tenant["spec"], **spec})
    arrived = await hosting.admin.apply(again, manager=MANAGER)
    for each, data in secrets.items():
        await carry(hosting, arrived, each, data)
    return arrived


async def carry(hosting: TenantWorld, owner: Manifest, name: str, data: dict[str, bytes]) -> None:
    labels = names.tenant_labels(NAME, "carried")
    secret = meta.new(kinds.SECRET, name, owner["metadata"]["namespace"], labels=labels, data=meta.secret_data(data))
    await hosting.admin.apply(meta.owned(secret, owner), manager=MANAGER)


async def count(store: Store, schema: str) -> int:
    async with store.root() as opened:
        return await opened.count(schema)


async def test_a_tenant_that_was_moved_goes_on_with_its_keys_and_its_certificates(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    tenant, keyspace = await born(hosting, namespace, store)
    before = {each: await hosting.secret(tenant, each) for each in CARRIED}
    arrived = await moved(hosting, tenant)
    assert arrived["metadata"]["uid"] != tenant["metadata"]["uid"]
    await hosting.passed(arrived)
    assert await hosting.keyspace(arrived) == keyspace
    assert (await hosting.condition(arrived, "StorageReady"))[0] == "True"
    assert {each: await hosting.secret(arrived, each) for each in CARRIED} == before
    assert await count(store, keyspace["schema"]) == 3
    assert await hosting.look(kinds.DEPLOYMENT, arrived) is not None

    await hosting.admin.delete(kinds.TENANT_CONTROL_PLANE, NAME, namespace)
    await hosting.passed(arrived)
    assert await count(store, keyspace["schema"]) == 0, "who is deleted, and not moved, is erased"


async def test_what_clusterctl_has_marked_is_left_alone_although_its_mark_takes_the_pause_away(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    tenant, _ = await born(hosting, namespace, store)
    mark = {"metadata": {"annotations": {names.ANNOTATION_DELETE_FOR_MOVE: ""}}}
    await hosting.admin.merge(kinds.TENANT_CONTROL_PLANE, NAME, namespace, mark, manager=MANAGER)
    for each in CARRIED:
        await hosting.admin.delete(kinds.SECRET, each, namespace)
    stands = await hosting.versions(tenant)
    await hosting.passed(tenant)
    assert await hosting.versions(tenant) == stands
    await hosting.admin.delete(kinds.TENANT_CONTROL_PLANE, NAME, namespace)
    await hosting.passed(tenant)


async def test_where_the_store_is_another_one_the_tenant_is_refused_and_not_begun_empty(
    hosting: TenantWorld, store: Store, namespace: str, etcds: list[tuple[Etcd, Authority]]
) -> None:
    tenant, keyspace = await born(hosting, namespace, store)
    other = await hosting.offer("moved-to", *etcds[1])
    arrived = await moved(hosting, tenant, dataStore=other.name)
    await hosting.passed(arrived)
    status, reason, message = await hosting.condition(arrived, "StorageReady")
    assert (status, reason) == ("False", "KeyspaceElsewhere")
    assert other.name in message
    assert keyspace["schema"] in message
    assert await hosting.keyspace(arrived) == {}
    assert await hosting.look(kinds.DEPLOYMENT, arrived) is None
    await hosting.admin.delete(kinds.TENANT_CONTROL_PLANE, NAME, namespace)
    assert await count(store, keyspace["schema"]) == 3, "its state waits where it was"


async def test_who_only_writes_the_names_of_anothers_keyspace_gets_nothing(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    victim = Keyspace(schema=f"victim-{namespace}", user=f"victim-{namespace}")
    async with store.root() as opened:
        await opened.ensure(victim)
    tenant, _ = await born(hosting, namespace, store)
    stolen = {"DB_SCHEMA": victim.schema.encode(), "DB_USER": victim.user.encode()}
    arrived = await moved(hosting, tenant)
    await carry(hosting, arrived, names.datastore_config_secret(NAME), stolen)
    await hosting.passed(arrived)
    assert (await hosting.condition(arrived, "StorageReady"))[:2] == ("False", "KeyspaceElsewhere")
    assert await hosting.keyspace(arrived) == {}
    assert await hosting.look(kinds.DEPLOYMENT, arrived) is None
    await hosting.admin.delete(kinds.TENANT_CONTROL_PLANE, NAME, namespace)


async def test_secrets_that_are_left_of_an_earlier_tenant_of_the_name_say_nothing(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    tenant, keyspace = await born(hosting, namespace, store)
    left = await hosting.secret(tenant, names.datastore_config_secret(NAME))
    arrived = await moved(hosting, tenant)
    config = names.datastore_config_secret(NAME)
    gone = {**arrived, "metadata": {**arrived["metadata"], "uid": tenant["metadata"]["uid"]}}
    await hosting.admin.delete(kinds.SECRET, config, namespace)
    await carry(hosting, gone, config, left)
    await hosting.passed(arrived)
    assert await hosting.keyspace(arrived) == dict.fromkeys(("schema", "user"), arrived["metadata"]["uid"])
    assert await count(store, keyspace["schema"]) == 3
