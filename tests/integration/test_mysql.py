"""What only MySQL and MariaDB have: privileges by pattern, users by host, connections that outlive their user."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncmy
import pytest
from asyncmy import errors

from provider.hosting.datastores.errors import IsolationBroken, StoreDenied, StoreError, Taken
from provider.hosting.reconcile import drivers
from provider.hosting.view import Keyspace
from tests.integration.databases import PASSWORD, ROOT, MariaDB

MINE = Keyspace(schema="my_place", user="me")
THEIRS = Keyspace(schema="myxplace", user="them")
SECRET = "a-password-of-32-letters-and-more"


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDB]:
    with MariaDB().running() as found:
        yield found


class Client:
    """The server's own client: the world behind the driver's back."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    @classmethod
    async def connected(cls, server: MariaDB, user: str = ROOT, password: str = PASSWORD, database: str = "") -> Client:
        said = {"database": database} if database else {}
        host, port = server.address, server.port
        return cls(await asyncmy.connect(host=host, port=port, user=user, password=password, autocommit=True, **said))

    async def do(self, *said: str) -> list[Any]:
        async with self.connection.cursor() as cursor:
            for each in said:
                await cursor.execute(each)
            return list(await cursor.fetchall())


@pytest.fixture
async def behind(server: MariaDB) -> AsyncIterator[Client]:
    """Both tenants are in, each with a table, and go at the end."""
    async with drivers.opened(server.access()) as store:
        for each in (MINE, THEIRS):
            await store.ensure(each, SECRET)
        found = await Client.connected(server)
        for each in (MINE, THEIRS):
            await found.do(f"CREATE TABLE IF NOT EXISTS {each.schema}.kine (id integer)")
        yield found
        found.connection.close()
        for each in (MINE, THEIRS):
            await store.drop(each)


async def verified(server: MariaDB, keyspace: Keyspace = MINE) -> None:
    async with drivers.opened(server.access(user=keyspace.user, password=SECRET, root=ROOT)) as store:
        await store.verify(keyspace)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("GRANT SELECT ON *.* TO me@'%'", "may SELECT everywhere"),
        ("GRANT PROCESS ON *.* TO me@'%'", "may PROCESS everywhere"),
        ("GRANT SELECT ON myxplace.* TO me@'%'", "reaches database myxplace"),
        ("GRANT SELECT ON myxplace.kine TO me@'%'", "reaches database myxplace"),
        ("GRANT SELECT ON `my_place`.* TO me@'%'", "reaches database my_place"),
    ],
)
async def test_a_user_that_may_more_breaks_the_proof_and_is_narrowed(
    server: MariaDB, behind: Client, wrong: str, words: str
) -> None:
    await behind.do(wrong)
    with pytest.raises(IsolationBroken, match=words):
        await verified(server)
    async with drivers.opened(server.access()) as store:
        await store.ensure(MINE, SECRET)
    await verified(server)


async def test_an_underscore_in_a_name_stands_for_itself(server: MariaDB, behind: Client) -> None:
    tenant = await Client.connected(server, MINE.user, SECRET, MINE.schema)
    await tenant.do("INSERT INTO my_place.kine VALUES (1)")
    with pytest.raises(errors.MySQLError, match="denied"):
        await tenant.do("SELECT * FROM myxplace.kine")
    tenant.connection.close()


async def test_more_on_its_own_database_than_kine_needs_is_taken_away(server: MariaDB, behind: Client) -> None:
    await behind.do(r"GRANT ALL PRIVILEGES ON `my\_place`.* TO me@'%'")
    async with drivers.opened(server.access()) as store:
        await store.ensure(MINE, SECRET)
    tenant = await Client.connected(server, MINE.user, SECRET, MINE.schema)
    with pytest.raises(errors.MySQLError, match="denied"):
        await tenant.do("DROP TABLE my_place.kine")
    tenant.connection.close()


async def test_a_user_of_one_host_is_somebody_elses(server: MariaDB, behind: Client) -> None:
    await behind.do("CREATE USER clerk@'10.0.0.1'")
    try:
        async with drivers.opened(server.access()) as store:
            with pytest.raises(Taken, match="somebody else"):
                await store.ensure(Keyspace(schema="desk", user="clerk"), SECRET)
    finally:
        await behind.do("DROP USER clerk@'10.0.0.1'")


async def test_a_database_that_another_user_reaches_as_well_is_no_tenants(server: MariaDB, behind: Client) -> None:
    await behind.do("CREATE DATABASE shop", "CREATE USER seller@'%'", "GRANT SELECT ON shop.* TO seller@'%'")
    try:
        async with drivers.opened(server.access()) as store:
            for ask in (store.check_free, store.ensure, store.drop):
                with pytest.raises(Taken):
                    await ask(Keyspace(schema="shop", user="buyer"))
    finally:
        await behind.do("DROP DATABASE shop", "DROP USER seller@'%'")


async def test_a_database_with_other_tables_is_not_taken_for_a_tenants_own(server: MariaDB, behind: Client) -> None:
    await behind.do("CREATE TABLE my_place.ledger (id integer)")
    async with drivers.opened(server.access()) as store:
        with pytest.raises(Taken, match="holds tables of somebody else"):
            await store.check_free(MINE)


async def test_an_open_connection_of_a_tenant_ends_with_it(server: MariaDB, behind: Client) -> None:
    brief = Keyspace(schema="brief", user="brief")
    async with drivers.opened(server.access()) as store:
        await store.ensure(brief, SECRET)
        tenant = await Client.connected(server, "brief", SECRET, "brief")
        await tenant.do("CREATE TABLE kine (id integer)")
        await store.drop(brief)
        with pytest.raises((errors.MySQLError, OSError)):
            await tenant.do("CREATE DATABASE brief")
        await store.check_free(brief)
    with pytest.raises(StoreDenied):
        await verified(server, brief)


async def test_a_server_that_only_reads_is_not_ready(server: MariaDB, behind: Client) -> None:
    await behind.do("SET GLOBAL read_only = ON")
    try:
        async with drivers.opened(server.access()) as store:
            with pytest.raises(StoreError, match="may only be read"):
                await store.tried()
    finally:
        await behind.do("SET GLOBAL read_only = OFF")


async def test_a_root_without_a_password_breaks_the_proof(server: MariaDB, behind: Client) -> None:
    await behind.do("CREATE USER open@'%' IDENTIFIED BY ''", "ALTER USER me@'%' IDENTIFIED BY ''")
    try:
        async with drivers.opened(server.access(user=MINE.user, password="", root="open")) as store:
            with pytest.raises(IsolationBroken, match="let in as open"):
                await store.verify(MINE)
    finally:
        await behind.do("DROP USER open@'%'")
