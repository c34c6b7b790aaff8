"""Bad days of a tenant's database: its server dies in the midst of a grant, again and again, at another statement each time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from provider.api import kinds
from provider.cluster.client import Cluster
from provider.hosting.datastores.mysql import store as mysql
from provider.hosting.reconcile import drivers
from provider.hosting.view import Keyspace
from tests.integration.databases import Database, MariaDB, Postgres
from tests.integration.fixtures import COUNTER
from tests.integration.hosted import Hosted
from tests.integration.test_database_drivers import Kine, access_of, fresh, let_in, proven, seen
from tests.integration.test_tenants_on_databases import Offered, ended_without_pods, keyspace

WRITES = ("CREATE", "ALTER", "GRANT", "REVOKE")


@pytest.fixture(params=[Postgres, MariaDB], ids=["PostgreSQL", "MariaDB"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    with request.param().running() as found:
        yield found


@pytest.fixture
async def offered(management: Cluster, database: Database) -> Offered:
    return await Offered.of(database, management, f"mortal-{next(COUNTER)}")


@pytest.fixture
async def neighbour(database: Database) -> Keyspace:
    """A tenant with something in its database."""
    found = fresh()
    await let_in(database, found)
    kine = Kine(database, found)
    try:
        kine.serves()
    finally:
        kine.stop()
    await asyncio.sleep(1.5)  # the MariaDB of tests has on its disk what it took a second ago
    return found


@dataclass
class Cut:
    """What a server took of a grant before it died, if it did."""

    after: int
    database: Database
    taken: list[str] = field(default_factory=list)
    happened: bool = False

    def before(self, said: str) -> None:
        """Called before a statement is sent."""
        if said.split(maxsplit=1)[0] not in WRITES:
            return
        if len(self.taken) == self.after and not self.happened:
            self.happened = True
            self.database.cut()
        self.taken.append(said)


@contextmanager
def cut_after(statements: int, database: Database) -> Iterator[Cut]:
    """The server is killed when it has taken so many of a grant's statements and is about to get the next."""
    cut, execute, do = Cut(statements, database), psycopg.AsyncConnection.execute, mysql._do

    async def executed(self: Any, said: Any, *rest: Any, **options: Any) -> Any:
        cut.before(said if isinstance(said, str) else said.as_string(None))
        return await execute(self, said, *rest, **options)

    async def done(connection: Any, said: str, *values: str) -> None:
        cut.before(said)
        await do(connection, said, *values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.AsyncConnection, "execute", executed)
        patch.setattr(mysql, "_do", done)
        yield cut


@pytest.mark.keeps("better.store-bad-days")
async def test_a_database_that_dies_in_the_midst_of_a_grant_opens_nothing_and_the_grant_is_finished_when_it_is_back(
    offered: Offered, neighbour: Keyspace, management: Cluster, namespace: str, tmp_path: Path
) -> None:
    database = offered.database
    async with drivers.opened(database.access()) as root:
        kept = (await root.measure(neighbour)).keys
    for statements in itertools.count():
        name = f"born-{statements}"
        tenant = Hosted(management, offered, namespace, tmp_path / name, name)  # type: ignore[arg-type]
        await tenant.say(dataStore=offered.name)
        with cut_after(statements, database) as cut:
            await tenant.look()
        if not cut.happened:
            assert len(cut.taken) >= 3, "that many there are"
            break
        told = await tenant.condition("Ready")
        assert (told["status"], told["reason"]) == ("False", "DataStoreUnreachable")
        assert await management.get(kinds.DEPLOYMENT, name, namespace) is None
        database.start()
        half = await keyspace(tenant)
        await proven(database, neighbour)
        assert (await seen(access_of(database, neighbour), half)).keys == 0
        async with drivers.opened(database.access()) as root:
            found = {each.schema for each in await root.residents()}
            assert (half.schema in found) == bool(statements), "what is half made is found"

        await tenant.look(2)
        assert (await tenant.condition("StorageIsolated"))["status"] == "True"
        assert await management.get(kinds.DEPLOYMENT, name, namespace) is not None
        await ended_without_pods(tenant)
        async with drivers.opened(database.access()) as root:
            await root.check_free(half)
            assert (await root.measure(neighbour)).keys == kept
    await ended_without_pods(tenant)
