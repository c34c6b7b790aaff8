"""The driver for MySQL and MariaDB: a tenant is a user with a few privileges on one database.

kine keeps everything in one table of that database. The client has no way to write names into SQL, so they are let through one
strict pattern and quoted in `naming`, and nowhere else; values go as parameters.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import asyncmy
from asyncmy import errors

from provider.hosting.datastores.errors import (
    ErasureIncomplete,
    StoreDenied,
    StoreError,
    Taken,
)
from provider.hosting.datastores.mysql import dialing, naming
from provider.hosting.datastores.shape import Answer, Erasure, Usage, judge, named_by_us
from provider.hosting.storematerial import Access
from provider.hosting.storeview import Look
from provider.hosting.view import Keyspace

LIMIT = 5  # seconds for a connection
PATIENCE = 20  # seconds for an answer
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "INDEX")
RESERVED = frozenset({"mysql", "information_schema", "performance_schema", "sys"})
FOREIGN_TABLES = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = %s AND table_name <> 'kine'"
TABLE = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = %s AND table_name = 'kine'"
SCHEMATA = "SELECT schema_name FROM information_schema.schemata ORDER BY 1"
OWNERS = "SELECT Db, User FROM mysql.db WHERE Host = '%' ORDER BY 1, 2"
SCHEMA = "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = %s"
SPREAD = """SELECT DISTINCT table_schema FROM information_schema.schema_privileges
    WHERE grantee = %s AND table_schema <> %s LIMIT 3"""
GLOBAL = (
    "SELECT privilege_type FROM information_schema.user_privileges WHERE grantee = %s AND privilege_type <> 'USAGE'"
)
SINGLE = "SELECT DISTINCT table_schema FROM information_schema.table_privileges WHERE grantee = %s LIMIT 3"
WRONG = "SELECT privilege_type FROM information_schema.schema_privileges WHERE grantee = %s AND table_schema = %s"
NEIGHBOURS = """SELECT table_schema FROM information_schema.tables
    WHERE table_name = 'kine' AND table_schema <> DATABASE() LIMIT 3"""


class MySQLStore:
    """One server: as its root, or to `verify` as a tenant. Each call makes its own connection."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._tls: ssl.SSLContext | None = None

    async def __aenter__(self) -> Self:
        self._tls = dialing.context(self._access) if self._access.ca else None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tls = None

    async def tried(self) -> Look:
        """A server that may be written, whose root may make users and databases."""
        async with self._connected() as root:
            if await _one(root, "SELECT @@GLOBAL.read_only"):
                raise StoreError(f"{self._access.endpoints[0]} may only be read: name the primary, not a replica")
            await _one(root, "SELECT COUNT(*) FROM mysql.user")
            for each in await _column(root, "SHOW GRANTS FOR CURRENT_USER()"):
                if each.startswith("GRANT ALL PRIVILEGES ON *.*") or "CREATE USER" in each.partition(" ON *.*")[0]:
                    return Look(version=str(await _one(root, "SELECT VERSION()")))
        raise StoreDenied(f"user {self._access.user} may not make users and databases: give it the privileges for that")

    async def check_free(self, keyspace: Keyspace) -> None:
        """Free, or this tenant's own of an earlier life: a database of its user, with nothing but kine's table in it."""
        async with self._connected() as root:
            await self._refuse_taken(root, keyspace)
            there = await _one(root, SCHEMA, keyspace.schema)
            if there and not await self._holds(root, keyspace):
                raise Taken(f"database {keyspace.schema!r} of the store is somebody else's")
            if not there and await _users(root, keyspace):
                raise Taken(f"user {keyspace.user!r} of the store is somebody else's")
            if await _one(root, FOREIGN_TABLES, keyspace.schema):
                raise Taken(f"database {keyspace.schema!r} of the store holds tables of somebody else")

    async def ensure(self, keyspace: Keyspace, password: str = "") -> bool:
        """Database and user; exactly the privileges that kine needs, on that database and on nothing else."""
        async with self._connected() as root:
            await self._refuse_taken(root, keyspace)
            had, there = await _users(root, keyspace), await _one(root, SCHEMA, keyspace.schema)
            if not there:
                await _do(root, f"CREATE DATABASE {naming.quoted(keyspace.schema)}")
            verb = "ALTER" if had else "CREATE"
            await _do(root, f"{verb} USER %s@'%%' IDENTIFIED BY %s", keyspace.user, password)
            grant = f"GRANT {', '.join(PRIVILEGES)} ON {naming.pattern(keyspace.schema)}.* TO %s@'%%'"
            await _do(root, grant, keyspace.user)
            if not await self._exact(root, keyspace):
                # The server takes nothing less away in one go; whoever writes in between is asked to try again.
                await _do(root, "REVOKE ALL PRIVILEGES, GRANT OPTION FROM %s@'%%'", keyspace.user)
                await _do(root, grant, keyspace.user)
        return not (had and there)

    async def asked(self, keyspace: Keyspace) -> tuple[Answer, ...]:
        """Whether its user has privileges beyond its own database, sees another tenant's, or is taken for root."""
        async with self._connected(keyspace.schema) as tenant:
            who, own, user = naming.grantee(keyspace.user), naming.escaped(keyspace.schema), f"user {keyspace.user}"
            everywhere = await _column(tenant, GLOBAL, who)
            beyond = [*await _column(tenant, SPREAD, who, own), *await _column(tenant, SINGLE, who)]
            seen = await _column(tenant, NEIGHBOURS)
            lacking = set(PRIVILEGES) - set(await _column(tenant, WRONG, who, own))
        if lacking and not (everywhere or beyond or seen):
            raise StoreDenied(f"{user} lacks {', '.join(sorted(lacking))} on database {keyspace.schema}")
        may, reaches = f"{user} of the store may", f"{user} of the store reaches database"
        return (
            Answer(question="privileges", reached=f"{may} {', '.join(everywhere)} everywhere" if everywhere else ""),
            Answer(question="databases", reached=f"{reaches} {', '.join(beyond)}" if beyond else ""),
            Answer(question="neighbours", reached=f"{reaches} {', '.join(seen)}" if seen else ""),
            Answer(question="root", reached=await self._taken_for_root()),
        )

    async def verify(self, keyspace: Keyspace) -> None:
        """IsolationBroken says what it reaches."""
        judge(await self.asked(keyspace))

    async def _taken_for_root(self) -> str:
        try:
            async with self._connected(user=self._access.root):
                return f"the tenant is let in as {self._access.root}: has that user no password?"
        except StoreDenied:
            return ""

    async def measure(self, keyspace: Keyspace) -> Usage:
        """Rows of kine's table, bytes of the objects that stand, and kine's revision. A table on disk never gets smaller."""
        async with self._connected() as root:
            if not await _one(root, TABLE, keyspace.schema):
                return Usage(bytes=0, keys=0)
            table = f"{naming.quoted(keyspace.schema)}.kine"
            rows = await _held(root, keyspace.schema)
            writes = await _one(root, f"SELECT COALESCE(MAX(id), 0) FROM {table}")  # noqa: S608
            newest = f"SELECT MAX(id) AS id FROM {table} GROUP BY name"  # noqa: S608
            bytes_ = "SELECT COALESCE(SUM(LENGTH(name) + COALESCE(LENGTH(value), 0)), 0)"
            size = await _one(root, f"{bytes_} FROM {table} JOIN ({newest}) AS newest USING (id) WHERE deleted = 0")
            return Usage(bytes=int(size), keys=rows, writes=int(writes))

    async def drop(self, keyspace: Keyspace) -> Erasure:
        """Nobody logs in any more, those who are in are put out, database and user go; then look that they are gone."""
        async with self._connected() as root:
            await self._refuse_taken(root, keyspace)
            there, had = await _one(root, SCHEMA, keyspace.schema), await _users(root, keyspace)
            if there and not await self._holds(root, keyspace):
                raise Taken(f"database {keyspace.schema!r} of the store is not user {keyspace.user!r}'s")
            rows = await _held(root, keyspace.schema) if there else 0
            if had:
                await _do(root, "ALTER USER %s@'%%' ACCOUNT LOCK", keyspace.user)
                await _put_out(root, keyspace)
            if there:
                await _do(root, f"DROP DATABASE {naming.quoted(keyspace.schema)}")
            if had:
                await _do(root, "DROP USER %s@'%%'", keyspace.user)
            if await _one(root, SCHEMA, keyspace.schema) or await _users(root, keyspace):
                raise ErasureIncomplete(f"database {keyspace.schema} or user {keyspace.user} is still there")
        return Erasure(keys=rows)

    async def residents(self) -> tuple[Keyspace, ...]:
        """Databases with whoever has privileges on them, and users that are called like a UID and have none."""
        async with self._connected() as root:
            owners = dict(await _rows(root, OWNERS))
            schemas = [each for each in await _column(root, SCHEMATA) if each.lower() not in RESERVED]
            users = await _column(root, "SELECT User FROM mysql.user WHERE Host = '%' ORDER BY 1")
        found = [
            Keyspace(schema=each, user=owners.get(naming.escaped(each)) or owners.get(each, each)) for each in schemas
        ]
        idle = [each for each in users if naming.UID.fullmatch(each) and each not in owners.values()]
        return (*found, *(Keyspace(schema=naming.uid(each), user=each) for each in idle))

    async def is_tenants(self, keyspace: Keyspace) -> bool:
        """Nothing in it but kine's table; without that it has to be called like a UID."""
        async with self._connected() as root:
            kine = await _one(root, TABLE, keyspace.schema)
            return bool(kine or named_by_us(keyspace.schema)) and not await _one(root, FOREIGN_TABLES, keyspace.schema)

    async def _refuse_taken(self, root: Any, keyspace: Keyspace) -> None:
        """NameRefused for what cannot be a name; Taken for the server's own, and for a user who has another database."""
        naming.quoted(keyspace.schema)
        naming.check_user(keyspace.user)
        if keyspace.schema.lower() in RESERVED or keyspace.user == self._access.user:
            raise Taken(f"database {keyspace.schema!r} or user {keyspace.user!r} is the store's own")
        others = await _column(root, SPREAD, naming.grantee(keyspace.user), naming.escaped(keyspace.schema))
        if others and not await self._holds(root, keyspace):
            raise Taken(f"user {keyspace.user!r} of the store has another database, {others[0]!r}")
        hosts = "SELECT COUNT(*) FROM mysql.user WHERE User = %s AND Host <> '%%'"
        if await _one(root, hosts, keyspace.user):
            raise Taken(f"user {keyspace.user!r} of the store is somebody else's: it is not one for every host")
        rivals = "SELECT COUNT(*) FROM mysql.db WHERE Db IN (%s, %s) AND User <> %s"
        if await _one(root, rivals, keyspace.schema, naming.escaped(keyspace.schema), keyspace.user):
            raise Taken(f"database {keyspace.schema!r} of the store is also another user's")

    async def _holds(self, root: Any, keyspace: Keyspace) -> bool:
        """Whether the user has its privileges on the database, as only `ensure` and upstream give them."""
        asked = "SELECT COUNT(*) FROM mysql.db WHERE Db IN (%s, %s) AND User = %s"
        return bool(await _one(root, asked, keyspace.schema, naming.escaped(keyspace.schema), keyspace.user))

    async def _exact(self, root: Any, keyspace: Keyspace) -> bool:
        who, schema = naming.grantee(keyspace.user), naming.escaped(keyspace.schema)
        said = set(await _column(root, WRONG, who, schema))
        beyond = [*await _column(root, GLOBAL, who), *await _column(root, SPREAD, who, schema)]
        return said == set(PRIVILEGES) and not beyond and not await _column(root, SINGLE, who)

    @asynccontextmanager
    async def _connected(self, database: str | None = None, user: str = "") -> AsyncIterator[Any]:
        """A connection of its own; whatever the client raises inside becomes a StoreError."""
        access = replace(self._access, user=user or self._access.user)
        host, _, port = access.endpoints[0].rpartition(":")
        try:
            connection = await asyncmy.connect(
                host=host.strip("[]"),
                port=int(port),
                user=access.user,
                password=access.password,
                database=database,
                ssl=self._tls,
                connect_timeout=LIMIT,
                read_timeout=PATIENCE,
                autocommit=True,
            )
        except (errors.MySQLError, OSError, TimeoutError, ValueError) as error:
            raise dialing.why(access, error) from None
        try:
            yield connection
        except (errors.MySQLError, OSError, TimeoutError) as error:
            raise dialing.said(access, error) from error
        finally:
            connection.close()


async def _do(connection: Any, said: str, *values: str) -> None:
    async with connection.cursor() as cursor:
        await cursor.execute(said, values or None)


async def _held(root: Any, schema: str) -> int:
    """Of kine's table, whatever else the tenant made of it: it is his."""
    if not await _one(root, TABLE, schema):
        return 0
    return int(await _one(root, f"SELECT COUNT(*) FROM {naming.quoted(schema)}.kine"))  # noqa: S608


async def _one(connection: Any, asked: str, *values: str) -> Any:
    async with connection.cursor() as cursor:
        await cursor.execute(asked, values or None)
        row = await cursor.fetchone()
        return row[0] if row else None


async def _column(connection: Any, asked: str, *values: str) -> list[str]:
    async with connection.cursor() as cursor:
        await cursor.execute(asked, values or None)
        return [str(each[0]) for each in await cursor.fetchall()]


async def _rows(connection: Any, asked: str) -> list[tuple[str, str]]:
    async with connection.cursor() as cursor:
        await cursor.execute(asked)
        return [(str(first), str(second)) for first, second in await cursor.fetchall()]


async def _users(connection: Any, keyspace: Keyspace) -> bool:
    return bool(await _one(connection, "SELECT COUNT(*) FROM mysql.user WHERE User = %s", keyspace.user))


async def _put_out(root: Any, keyspace: Keyspace) -> None:
    """A user that is dropped keeps what connections it has."""
    asked = "SELECT id FROM information_schema.processlist WHERE user = %s"
    for each in await _column(root, asked, keyspace.user):
        try:
            await _do(root, f"KILL {int(each)}")
        except errors.MySQLError as error:
            if error.args[0] != 1094:  # it went by itself
                raise
