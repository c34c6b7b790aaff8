"""Drivers of databases against the real servers: who is let in, to what, and what is left when a tenant goes.

Every test is taken on each server, without TLS, with TLS, and where clients show certificates as well. What NATS has in common
with the others is asked of it, too; the rest of it is in test_nats.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from lab import programs
from lab.servers import PATIENCE, Authority
from provider.hosting.datastores.errors import (
    NameRefused,
    StoreDenied,
    StoreError,
    StoreUnreachable,
    StoreUntrusted,
    Taken,
)
from provider.hosting.datastores.shape import Driver, Usage
from provider.hosting.desired.deployment import kine
from provider.hosting.reconcile import drivers
from provider.hosting.storematerial import Access
from provider.hosting.view import Keyspace
from provider.manifest.x509 import Pair
from tests.integration.databases import ROOT, Database, MariaDB, Nats, Postgres

OTHER = "another-password-of-32-letters-xx"
COUNTER = itertools.count(1)
SERVERS = {
    "PostgreSQL": Postgres,
    "PostgreSQL with TLS": lambda: Postgres(authority=Authority()),
    "PostgreSQL with certificates": lambda: Postgres(authority=Authority(), certified=True),
    "MariaDB": MariaDB,
    "MariaDB with TLS": lambda: MariaDB(authority=Authority()),
    "MariaDB with certificates": lambda: MariaDB(authority=Authority(), certified=True),
}
NATS = {
    "NATS": Nats,
    "NATS with TLS": lambda: Nats(authority=Authority()),
    "NATS with certificates": lambda: Nats(authority=Authority(), certified=True),
}
ALL = SERVERS | NATS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    said = [each.args[0] for each in metafunc.definition.iter_markers("parametrize")]
    if "server" in metafunc.fixturenames and "server" not in said:
        wanted = SERVERS if "database" in metafunc.fixturenames else ALL
        metafunc.parametrize("server", wanted, indirect=True, scope="module")


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Database]:
    with ALL[request.param]().running() as found:
        yield found


@pytest.fixture
def database(server: Database) -> Database:
    """One that has users to make."""
    return server


@pytest.fixture
def keyspace() -> Keyspace:
    """One that nobody has had."""
    return fresh()


@pytest.fixture
def neighbour() -> Keyspace:
    """Another one."""
    return fresh()


def fresh() -> Keyspace:
    """Names as UIDs are."""
    number = next(COUNTER)
    return Keyspace(schema=f"6f0e6f5e-3b1c-4a57-9d53-{number:012d}", user=f"6f0e6f5e3b1c4a579d53{number:012d}")


def secret(keyspace: Keyspace) -> str:
    """Each tenant has another."""
    return hashlib.sha256(keyspace.user.encode()).hexdigest()


def root(database: Database, **changes: Any) -> Driver:
    return drivers.opened(database.access(**changes))


def access_of(database: Database, keyspace: Keyspace, password: str = "") -> Access:
    """As a tenant's API server gets in."""
    client = database.authority.client(keyspace.user) if database.authority and database.certified else None
    return database.access(user=keyspace.user, password=password or secret(keyspace), client=client, root=ROOT)


async def let_in(database: Database, keyspace: Keyspace, password: str = "") -> None:
    async with root(database) as store:
        await store.check_free(keyspace)
        await store.ensure(keyspace, password or secret(keyspace))


async def proven(database: Database, keyspace: Keyspace, password: str = "") -> None:
    async with drivers.opened(access_of(database, keyspace, password)) as store:
        await store.verify(keyspace)


class Kine:
    """The real kine as a tenant's pod runs it, on a socket of the database's folder."""

    def __init__(self, database: Database, keyspace: Keyspace) -> None:
        access = access_of(database, keyspace)
        self.socket = database.folder / f"kine-{next(COUNTER)}"
        flags = [f"--listen-address=unix://{self.socket}", "--metrics-bind-address=0"]
        for flag, content in (
            ("ca", access.ca),
            ("cert", access.client.certificate if access.client else b""),
            ("key", access.client.key if access.client else b""),
        ):
            if content:
                file = database.folder / f"{flag}-{next(COUNTER)}"
                file.write_bytes(content)
                flags.append(f"--{flag}-file={file}")
        values = {
            "$(DB_CONNECTION_STRING)": database.endpoint,
            "$(DB_PASSWORD)": access.password,
            "$(DB_SCHEMA)": keyspace.schema,
            "$(DB_USER)": access.user,
        }
        endpoint = kine.ENDPOINTS[database.DRIVER]
        for name, value in values.items():
            endpoint = endpoint.replace(name, value)
        self.log = database.folder / f"kine-{next(COUNTER)}.log"
        with self.log.open("wb") as log:
            environment = {"PATH": os.environ["PATH"], "KINE_ENDPOINT": endpoint}
            command = [programs.path("kine"), *flags]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def serves(self) -> Kine:
        deadline = time.monotonic() + PATIENCE
        while not self.socket.exists():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def lived_in(database: Database) -> Iterator[Any]:
    """Let kine of a tenant write what it writes when it starts."""
    running: list[Kine] = []

    def run(keyspace: Keyspace) -> Kine:
        running.append(Kine(database, keyspace).serves())
        return running[-1]

    yield run
    for each in running:
        each.stop()


# The store


async def test_a_server_is_tried_as_root(server: Database) -> None:
    async with root(server) as store:
        await store.tried()
        await store.tried()


async def test_a_wrong_password_is_denied(server: Database) -> None:
    with pytest.raises(StoreDenied, match="is the password right"):
        async with root(server, password="wrong") as store:
            await store.tried()


async def test_a_user_that_may_make_nobody_is_no_root(database: Database, keyspace: Keyspace) -> None:
    await let_in(database, keyspace)
    with pytest.raises(StoreError):
        async with drivers.opened(access_of(database, keyspace)) as store:
            await store.tried()


async def test_nobody_there_is_told_as_that(server: Database) -> None:
    with pytest.raises(StoreUnreachable, match=r"nobody answers at 127[.]0[.]0[.]1:1"):
        async with root(server, endpoints=("127.0.0.1:1",)) as store:
            await store.tried()


async def test_a_server_of_another_authority_is_not_trusted(server: Database) -> None:
    with pytest.raises(StoreUntrusted):
        async with root(server, ca=Authority().certificate) as store:
            await store.tried()


@pytest.mark.parametrize("server", [each for each in ALL if "certificates" in each], indirect=True)
async def test_a_key_that_is_another_certificates_is_told_as_that(server: Database) -> None:
    assert server.authority is not None and server.client is not None
    mixed = Pair(certificate=server.client.certificate, key=server.authority.client(ROOT).key)
    with pytest.raises(StoreUntrusted):
        async with root(server, client=mixed) as store:
            await store.tried()


async def test_no_message_of_a_failure_holds_the_password(server: Database) -> None:
    for changes in ({"password": "topsecret"}, {"ca": Authority().certificate}, {"endpoints": ("127.0.0.1:1",)}):
        with pytest.raises(StoreError) as caught:
            async with root(server, **changes) as store:
                await store.tried()
        assert "topsecret" not in str(caught.value)
        assert server.PASSWORD not in str(caught.value)
    assert server.PASSWORD not in repr(server.access())


# Letting in


async def test_a_tenant_is_let_in_to_its_own(database: Database, keyspace: Keyspace) -> None:
    await let_in(database, keyspace)
    await proven(database, keyspace)


async def test_to_let_in_again_changes_nothing_and_says_so(database: Database, keyspace: Keyspace) -> None:
    async with root(database) as store:
        assert await store.ensure(keyspace, secret(keyspace))
        assert not await store.ensure(keyspace, secret(keyspace))
    await proven(database, keyspace)


async def test_another_password_takes_the_place_of_the_old_one(database: Database, keyspace: Keyspace) -> None:
    await let_in(database, keyspace)
    async with root(database) as store:
        await store.ensure(keyspace, OTHER)
    await proven(database, keyspace, OTHER)
    with pytest.raises(StoreDenied):
        await proven(database, keyspace)


async def test_kine_lives_where_the_tenant_was_let_in(database: Database, keyspace: Keyspace, lived_in: Any) -> None:
    await let_in(database, keyspace)
    async with root(database) as store:
        assert await store.measure(keyspace) == Usage(bytes=0, keys=0)
        lived_in(keyspace)
        found = await store.measure(keyspace)
        assert (found.keys > 0, found.bytes > 0) == (True, True)
        assert found.writes >= found.keys, "every row was a write"
        await store.ensure(keyspace, secret(keyspace))
        assert (await store.measure(keyspace)).keys >= found.keys, "to let in again takes nothing away"
    await proven(database, keyspace)


# Apart


async def test_one_tenants_credentials_are_denied_on_anothers(
    database: Database, keyspace: Keyspace, neighbour: Keyspace, lived_in: Any
) -> None:
    for each in (keyspace, neighbour):
        await let_in(database, each)
        lived_in(each)
    mine = access_of(database, keyspace)
    with pytest.raises(StoreDenied):
        async with drivers.opened(mine) as store:
            await store.verify(replace(keyspace, schema=neighbour.schema))
    assert await seen(mine, neighbour) == Usage(bytes=0, keys=0)
    with pytest.raises(StoreDenied):
        async with drivers.opened(replace(mine, user=neighbour.user)) as store:
            await store.verify(neighbour)
    for each in (keyspace, neighbour):
        await proven(database, each)


async def seen(access: Access, keyspace: Keyspace) -> Usage:
    """What whoever gets in so can count of a keyspace: nothing where it is denied."""
    try:
        async with drivers.opened(access) as store:
            return await store.measure(keyspace)
    except StoreDenied:
        return Usage(bytes=0, keys=0)


async def test_a_tenant_can_drop_and_let_in_nobody(database: Database, keyspace: Keyspace, neighbour: Keyspace) -> None:
    await let_in(database, keyspace)
    await let_in(database, neighbour)
    for ask in ("drop", "ensure"):
        with pytest.raises(StoreError):
            async with drivers.opened(access_of(database, keyspace)) as store:
                await getattr(store, ask)(neighbour)
    await proven(database, neighbour)


async def test_names_that_a_pattern_would_match_are_kept_apart(database: Database) -> None:
    number = next(COUNTER)
    one, other = (
        Keyspace(schema=f"a_b{number}", user=f"u_b{number}"),
        Keyspace(schema=f"axb{number}", user=f"uxb{number}"),
    )
    for each in (one, other):
        await let_in(database, each)
    for each in (one, other):
        await proven(database, each)
    with pytest.raises(StoreDenied):
        async with drivers.opened(access_of(database, one)) as store:
            await store.verify(replace(one, schema=other.schema))


# Claims


async def test_what_is_somebody_elses_cannot_be_claimed(database: Database, keyspace: Keyspace) -> None:
    await let_in(database, keyspace)
    async with root(database) as store:
        for claim in (replace(keyspace, user="somebody"), replace(keyspace, schema="something")):
            with pytest.raises(Taken):
                await store.check_free(claim)
            with pytest.raises(Taken):
                await store.ensure(claim, OTHER)
            with pytest.raises(Taken):
                await store.drop(claim)
    await proven(database, keyspace)


async def test_its_own_of_an_earlier_life_can_be_claimed_again(
    database: Database, keyspace: Keyspace, lived_in: Any
) -> None:
    await let_in(database, keyspace)
    lived_in(keyspace)
    async with root(database) as store:
        await store.check_free(keyspace)


async def test_what_is_the_servers_own_is_nobodys(database: Database, keyspace: Keyspace) -> None:
    async with root(database) as store:
        for claim in (replace(keyspace, user=ROOT), replace(keyspace, schema=OWN[database.DRIVER])):
            for ask in (store.check_free, store.ensure, store.drop):
                with pytest.raises(Taken):
                    await ask(claim)


OWN = {"PostgreSQL": "postgres", "MySQL": "mysql"}


async def test_names_too_long_for_the_server_are_refused(database: Database, keyspace: Keyspace) -> None:
    async with root(database) as store:
        for claim in (replace(keyspace, schema="a" * 100), replace(keyspace, user="a" * 100)):
            with pytest.raises(NameRefused):
                await store.check_free(claim)


HOSTILE = ['"; DROP DATABASE postgres; --', "'; DROP USER root; --", "`; SELECT 1; --", "a\\b", "a%b", "a{}b"]


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_name_is_a_name_or_refused(database: Database, keyspace: Keyspace, name: str) -> None:
    """The CRD lets no such name in; what another operator stored may still hold one."""
    hostile = Keyspace(schema=name.lower(), user=name.lower() + "u")
    async with root(database) as store:
        try:
            await store.ensure(hostile, secret(hostile))
        except NameRefused:
            return
        await store.drop(hostile)
        await store.tried()


# Erasure


async def test_a_tenant_that_goes_leaves_nothing_and_its_neighbour_stays(
    database: Database, keyspace: Keyspace, neighbour: Keyspace, lived_in: Any
) -> None:
    for each in (keyspace, neighbour):
        await let_in(database, each)
    running = lived_in(keyspace)
    lived_in(neighbour)
    async with root(database) as store:
        before = await store.measure(neighbour)
        assert (await store.drop(keyspace)).keys > 0, "while its kine runs"
        assert (await store.drop(keyspace)).keys == 0, "again"
        await store.check_free(keyspace)
        assert (await store.measure(neighbour)).keys >= before.keys
    with pytest.raises(StoreDenied):
        await proven(database, keyspace)
    await proven(database, neighbour)
    running.stop()
    again = Kine(database, keyspace)
    await asyncio.sleep(2)  # in which one that is let in has long made its table
    again.stop()
    assert not again.socket.exists(), "a kine that comes back serves nothing"
    async with root(database) as store:
        await store.check_free(keyspace)


async def test_a_tenant_that_was_never_let_in_can_go(database: Database, keyspace: Keyspace) -> None:
    async with root(database) as store:
        assert (await store.drop(keyspace)).keys == 0
