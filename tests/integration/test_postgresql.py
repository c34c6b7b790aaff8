"""What only PostgreSQL has: roles in roles, attributes, databases that everybody may connect to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import psycopg
import pytest

from provider.hosting.datastores.errors import IsolationBroken, StoreDenied, StoreError, Taken
from provider.hosting.reconcile import drivers
from provider.hosting.view import Keyspace
from tests.integration.databases import PASSWORD, ROOT, Postgres
from tests.integration.real_controllers import until

MINE = Keyspace(schema="mine", user="me")
THEIRS = Keyspace(schema="theirs", user="them")
SECRET = "a-password-of-32-letters-and-more"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Postgres().running() as found:
        yield found


@pytest.fixture
async def behind(server: Postgres) -> AsyncIterator[Any]:
    """The server's own client as its superuser: the world behind the driver's back. Both tenants are in, and go at the end."""
    async with drivers.opened(server.access()) as store:
        for each in (MINE, THEIRS):
            await store.ensure(each, SECRET)
        async with await server.connected("postgres", ROOT, PASSWORD) as found:
            yield found
        for each in (MINE, THEIRS):
            await store.drop(each)


async def verified(server: Postgres, keyspace: Keyspace = MINE) -> None:
    async with drivers.opened(server.access(user=keyspace.user, password=SECRET, root=ROOT)) as store:
        await store.verify(keyspace)


async def mended(server: Postgres, *keyspaces: Keyspace) -> None:
    async with drivers.opened(server.access()) as store:
        for each in keyspaces or (MINE,):
            await store.ensure(each, SECRET)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("ALTER ROLE me SUPERUSER", "may do more"),
        ("ALTER ROLE me CREATEROLE", "may do more"),
        ("ALTER ROLE me CREATEDB", "may do more"),
        ("GRANT them TO me", "is also them"),
        ("GRANT pg_read_all_data TO me", "is also pg_read_all_data"),
    ],
)
async def test_a_role_that_may_more_breaks_the_proof_and_is_narrowed(
    server: Postgres, behind: Any, wrong: str, words: str
) -> None:
    await behind.execute(wrong)
    with pytest.raises(IsolationBroken, match=words):
        await verified(server)
    await mended(server)
    await verified(server)


async def test_a_neighbour_open_to_everybody_breaks_the_proof_until_it_is_closed(server: Postgres, behind: Any) -> None:
    await behind.execute("GRANT CONNECT ON DATABASE theirs TO PUBLIC")
    with pytest.raises(IsolationBroken, match="is let into database theirs"):
        await verified(server)
    await mended(server, THEIRS)
    await verified(server)


async def test_a_server_that_asks_for_no_password_breaks_the_proof(server: Postgres, behind: Any) -> None:
    doors = server.folder / "data/pg_hba.conf"
    before = doors.read_text()
    doors.write_text("host all all 0.0.0.0/0 trust\n")
    await behind.execute("SELECT pg_reload_conf()")
    try:
        await until(partial(broken, server, "is let in as"), "the doors stand open")
    finally:
        doors.write_text(before)
        await behind.execute("SELECT pg_reload_conf()")

    async def closed() -> bool:
        return not await broken(server, "is let in as")

    await until(closed, "the doors are as they were")


async def broken(server: Postgres, words: str) -> bool:
    """Whether the proof finds that. The server reads its files a moment after it was told to."""
    try:
        await verified(server)
    except IsolationBroken as error:
        return words in str(error)
    return False


async def test_a_database_of_root_as_upstream_may_leave_it_becomes_the_tenants(server: Postgres, behind: Any) -> None:
    await behind.execute("ALTER DATABASE mine OWNER TO CURRENT_USER")
    async with await server.connected("mine", ROOT, PASSWORD) as inside:
        await inside.execute("CREATE TABLE kine (id integer)")
    await mended(server)
    async with await server.connected("mine", MINE.user, SECRET) as tenant:
        await tenant.execute("INSERT INTO kine VALUES (1)")


async def test_a_database_with_other_tables_is_not_taken_for_a_tenants_own(server: Postgres, behind: Any) -> None:
    async with await server.connected("mine", MINE.user, SECRET) as tenant:
        await tenant.execute("CREATE TABLE ledger (id integer)")
    async with drivers.opened(server.access()) as store:
        with pytest.raises(Taken, match="holds tables of somebody else"):
            await store.check_free(MINE)


async def test_a_role_that_has_another_database_is_another_tenants(server: Postgres, behind: Any) -> None:
    async with drivers.opened(server.access()) as store:
        for ask in (store.ensure, store.drop):
            with pytest.raises(Taken, match="has another database"):
                await ask(Keyspace(schema="new", user="them"))


async def test_a_root_that_is_no_superuser_can_do_it_all(server: Postgres, behind: Any) -> None:
    await behind.execute("CREATE ROLE landlord LOGIN CREATEDB CREATEROLE PASSWORD 'landlords-own-password'")
    access = server.access(user="landlord", password="landlords-own-password")
    lodger = Keyspace(schema="lodging", user="lodger")
    async with drivers.opened(access) as store:
        await store.tried()
        await store.check_free(lodger)
        await store.ensure(lodger, SECRET)
        await store.ensure(lodger, SECRET)
        await verified(server, lodger)
        assert (await store.measure(lodger)).keys == 0
        await store.drop(lodger)
    await behind.execute("DROP ROLE landlord")


async def test_the_servers_log_has_no_password(server: Postgres, behind: Any) -> None:
    await behind.execute("ALTER SYSTEM SET log_statement = 'all'")
    await behind.execute("SELECT pg_reload_conf()")

    async def told() -> str:
        await mended(server)
        said = (server.folder / "log").read_text()
        return said if "ALTER ROLE" in said else ""

    assert SECRET not in await until(told, "the server's log tells what it is asked")


async def test_a_server_that_only_reads_is_not_ready(server: Postgres, behind: Any) -> None:
    await behind.execute(f'ALTER ROLE "{ROOT}" SET default_transaction_read_only = on')
    try:
        async with drivers.opened(server.access()) as store:
            with pytest.raises(StoreError, match="may only be read"):
                await store.tried()
    finally:
        await behind.execute(f'ALTER ROLE "{ROOT}" RESET default_transaction_read_only')


async def test_an_open_connection_of_a_tenant_ends_with_it(server: Postgres, behind: Any) -> None:
    async with drivers.opened(server.access()) as store:
        await store.ensure(Keyspace(schema="brief", user="brief"), SECRET)
        async with await server.connected("brief", "brief", SECRET) as tenant:
            await tenant.execute("CREATE TABLE kine (id integer)")
            await store.drop(Keyspace(schema="brief", user="brief"))
            with pytest.raises(psycopg.OperationalError):
                await tenant.execute("INSERT INTO kine VALUES (1)")
        with pytest.raises(StoreDenied):
            await verified(server, Keyspace(schema="brief", user="brief"))
