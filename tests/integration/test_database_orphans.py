"""What a database server holds of no tenant is listed, erased by name only, and told from what is others' there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import asyncmy
import nats
import psycopg
import pytest
from nats.js.api import KeyValueConfig

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.hosting.datastores.shape import Driver
from provider.hosting.reconcile import datastore as store_pass
from provider.hosting.reconcile import drivers
from provider.hosting.reconcile.sampling import Sampler
from provider.hosting.view import Keyspace
from provider.manifest import meta
from tests.integration.databases import ROOT, Database, MariaDB, Nats, Postgres
from tests.integration.fixtures import COUNTER
from tests.integration.hosted import MANAGER, context

TABLE = "CREATE TABLE kine (id INTEGER PRIMARY KEY, name VARCHAR(63), deleted INTEGER, value VARCHAR(63))"
ODD = "CREATE TABLE kine (id INTEGER PRIMARY KEY)"


def uid(number: int) -> str:
    return f"0a0e6f5e-3b1c-4a57-9d53-{number:012d}"


@pytest.fixture(scope="module", params=[Postgres, MariaDB])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    database: Database = request.param()
    with database.running() as found:
        yield found


@pytest.fixture(scope="module")
def account() -> Iterator[Database]:
    with Nats().running() as found:
        yield found


async def offered(cluster: Cluster, database: Database) -> str:
    name = f"left-{next(COUNTER)}"
    await cluster.apply(meta.new(kinds.DATA_STORE, name, spec=database.spec()), manager=MANAGER)
    await store_pass.datastore(context(cluster), name)
    return name


async def said(database: Database, inside: str, *statements: str) -> None:
    """As root, behind the driver's back."""
    if database.DRIVER == "PostgreSQL":
        where = {"host": database.address, "port": database.port, "user": ROOT, "password": database.PASSWORD}
        link: Any = await psycopg.AsyncConnection.connect(**where, dbname=inside or "postgres", autocommit=True)
        async with link:
            for each in statements:
                await link.execute(each)
        return
    link = await asyncmy.connect(
        host=database.address, port=database.port, user=ROOT, password=database.PASSWORD, database=inside or None
    )
    async with link.cursor() as cursor:
        for each in statements:
            await cursor.execute(each)
    await link.commit()
    link.close()


async def housed(database: Database, keyspace: Keyspace, rows: int, table: str = TABLE) -> None:
    """Let in, and with so many rows in kine's table."""
    async with drivers.opened(database.access()) as root:
        await root.ensure(keyspace, "a password of a tenant's, of some length")
    rows_said = [f"INSERT INTO kine (id) VALUES ({number})" for number in range(1, rows + 1)]
    await said(database, keyspace.schema, table, *rows_said)


async def resident(cluster: Cluster, namespace: str, store: str, keyspace: Keyspace) -> None:
    spec = {"dataStore": store, "kubernetes": {"version": "v1.36.3", "kubelet": {}}}
    spec["controlPlane"] = {"service": {"serviceType": "ClusterIP"}}
    made = meta.new(kinds.TENANT_CONTROL_PLANE, "staying", namespace, spec=spec)
    await cluster.apply(made, manager=MANAGER)
    setup = {"schema": keyspace.schema, "user": keyspace.user}
    status = {"status": {"storage": {"dataStoreName": store, "driver": "x", "setup": setup}}}
    await cluster.merge(kinds.TENANT_CONTROL_PLANE, "staying", namespace, status, subresource="status", manager=MANAGER)


async def orphans(cluster: Cluster, store: str) -> list[dict[str, Any]]:
    found = await cluster.get(kinds.DATA_STORE, store)
    assert found is not None
    return list(found["status"].get("orphans") or [])


async def asked_to_erase(cluster: Cluster, store: str, *named: str) -> dict[str, list[str]]:
    """What was told of it, by reason."""
    patch = {"metadata": {"annotations": {names.ANNOTATION_ERASE_ORPHANS: ",".join(named)}}}
    await cluster.merge(kinds.DATA_STORE, store, None, patch, manager=MANAGER)
    await store_pass.datastore(context(cluster), store)
    told: dict[str, list[str]] = {}
    for each in await cluster.list(kinds.EVENT, "default"):
        if each["regarding"]["name"] == store:
            told.setdefault(each["reason"], []).append(each["note"])
    return told


@pytest.mark.keeps("better.orphans")
async def test_in_a_database_orphans_are_told_from_tenants_and_from_what_is_others(
    management: Cluster, database: Database, namespace: str
) -> None:
    store, number = await offered(management, database), next(COUNTER) * 10
    plain = "" if database.DRIVER == "PostgreSQL" else "x"

    def named(offset: int) -> Keyspace:
        own = uid(number + offset)
        return Keyspace(schema=own, user=own.replace("-", "") if plain else own)

    staying, lost, idle = named(1), named(2), named(3)
    chosen = Keyspace(schema=f"team-{number}", user=f"team-user-{number}")
    await housed(database, staying, 1)
    await housed(database, lost, 3)
    await housed(database, chosen, 2, ODD)  # of which the rows cannot be told from deletions
    await resident(management, namespace, store, staying)
    mixed = Keyspace(schema=f"mixed-{number}", user=f"mixed-user-{number}")
    await housed(database, mixed, 1)
    await said(database, mixed.schema, "CREATE TABLE orders (id INTEGER)")
    await said(database, "", f"CREATE DATABASE app_{number}")
    quoted = f"'{idle.user}'@'%'" if plain else f'"{idle.user}" LOGIN'
    await said(database, "", f"CREATE {'USER' if plain else 'ROLE'} {quoted}")

    await Sampler(context(management), lambda: 0.0)(store)
    expected = [
        {"name": lost.schema, "user": lost.user, "keys": 3},
        {"name": idle.schema, "user": idle.user, "keys": 0},
        {"name": chosen.schema, "user": chosen.user},
    ]
    assert await orphans(management, store) == expected

    told = await asked_to_erase(management, store, lost.schema, staying.schema, mixed.schema, idle.schema)
    assert await orphans(management, store) == expected[2:]
    assert len(told["OrphanKept"]) == 2
    assert any("3 keys were deleted, 0 are left" in each for each in told["OrphanErased"])
    async with drivers.opened(database.access()) as root:
        assert [(await rows(root, each)) for each in (staying, mixed)] == [1, 1]
        await root.check_free(lost)
        await root.check_free(idle)
        for each in (chosen, staying):
            await root.drop(each)


async def rows(root: Driver, keyspace: Keyspace) -> int:
    return (await root.measure(keyspace)).keys


@pytest.mark.keeps("better.orphans")
async def test_in_an_account_of_nats_orphans_are_buckets_of_kine_that_no_tenant_has(
    management: Cluster, account: Database, namespace: str
) -> None:
    store = await offered(management, account)
    staying, lost = Keyspace(schema=uid(1), user=ROOT), Keyspace(schema=uid(2), user=ROOT)
    link = await nats.connect(f"nats://{account.endpoint}", user=ROOT, password=account.PASSWORD)
    stream = link.jetstream()
    for name, description in ((staying.schema, ""), (lost.schema, ""), ("kines", "Holds kine key/values"), ("app", "")):
        bucket = await stream.create_key_value(KeyValueConfig(bucket=name, description=description))
        await bucket.put("key", b"value")
    await resident(management, namespace, store, staying)

    await Sampler(context(management), lambda: 0.0)(store)
    found = await orphans(management, store)
    assert [(each["name"], each["keys"]) for each in found] == [(lost.schema, 1), ("kines", 1)]

    await asked_to_erase(management, store, lost.schema, "app", staying.schema)
    assert [each["name"] for each in await orphans(management, store)] == ["kines"]
    left = {each.config.name for each in await stream.streams_info()}
    assert left == {f"KV_{staying.schema}", "KV_kines", "KV_app"}
    await link.close()
