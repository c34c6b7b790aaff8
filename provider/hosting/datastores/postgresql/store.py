"""The PostgreSQL driver: a tenant is a role that owns one database and is let into no other tenant's.

kine keeps everything in one table of that database. Names go into SQL by psycopg's own composer and by no other way;
passwords go as the verifier that libpq makes of them, so that the server's log has none.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection, sql

from provider.hosting.datastores.errors import (
    ErasureIncomplete,
    IsolationUnsafe,
    NameRefused,
    StoreDenied,
    StoreError,
    StoreUnreachable,
    StoreUntrusted,
    Taken,
)
from provider.hosting.datastores.postgresql import asking
from provider.hosting.datastores.shape import Answer, Erasure, Usage, judge, named_by_us
from provider.hosting.storematerial import Access
from provider.hosting.storeview import Look
from provider.hosting.view import Keyspace

LIMIT = 5  # seconds for a connection to be there
OLDEST = 130000  # DROP DATABASE … WITH (FORCE)
HOME = "postgres"  # the database that every server has
RESERVED = frozenset({HOME, "template0", "template1"})
NAME = 63  # bytes; PostgreSQL cuts off what is longer, and two tenants would be one
TABLE = "kine"
LESS = tuple(sql.SQL(each) for each in ("NOSUPERUSER", "NOCREATEDB", "NOCREATEROLE", "NOREPLICATION", "NOBYPASSRLS"))
# What libpq says, in its own words: the server's are in whatever language it speaks.
SILENCE = ("refused", "timeout", "translate host", "resolve", "route to host", "unreachable", "closed the connection")
DISTRUST = ("certificate", "private key", "SSL", "TLS")


class PostgresStore:
    """One server: as its root, or to `verify` as a tenant."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._files: tempfile.TemporaryDirectory[str] | None = None

    async def __aenter__(self) -> Self:
        """libpq reads certificates from files only. Each call makes its own connection, for a database is chosen with it."""
        self._files = tempfile.TemporaryDirectory(prefix="postgresql-")
        folder, pair = Path(self._files.name), self._access.client
        for name, content in {
            "ca.crt": self._access.ca,
            "client.crt": pair.certificate if pair else b"",
            "client.key": pair.key if pair else b"",
        }.items():
            (folder / name).touch(mode=0o600)
            (folder / name).write_bytes(content)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._files is not None:
            self._files.cleanup()

    async def tried(self) -> Look:
        """A server that may be written, new enough, whose root may make roles and databases."""
        async with self._connected(HOME) as root:
            if root.info.server_version < OLDEST:
                raise IsolationUnsafe(f"PostgreSQL {root.info.server_version // 10000} is too old: run 13 or later")
            may = "SELECT rolsuper OR (rolcreaterole AND rolcreatedb) FROM pg_roles WHERE rolname = current_user"
            if not await asking.one(root, may):
                raise StoreDenied(
                    f"user {self._access.user} may not make roles and databases: give it CREATEROLE and CREATEDB"
                )
            if await asking.one(root, "SELECT current_setting('transaction_read_only')") == "on":
                raise StoreError(f"{self._access.endpoints[0]} may only be read: name the primary, not a standby")
            async with root.transaction(force_rollback=True):
                await root.execute("CREATE TEMPORARY TABLE kamaji_probe (value integer)")
                await root.execute("INSERT INTO kamaji_probe VALUES (1)")
                await root.execute("SELECT value FROM kamaji_probe")
            return Look(version=str(await asking.one(root, "SELECT current_setting('server_version')")))

    async def check_free(self, keyspace: Keyspace) -> None:
        """Free, or this tenant's own of an earlier life: a database of its role, with nothing but kine's table in it."""
        _refuse_names(keyspace, self._access.user)
        async with self._connected(HOME) as root:
            owner = await asking.owner(root, keyspace.schema)
            role = await asking.one(root, "SELECT 1 FROM pg_roles WHERE rolname = %s", keyspace.user)
            unopened = await asking.unopened(root, keyspace.schema)
        if owner is None and role is None:
            return
        if owner is None or owner != keyspace.user:
            raise Taken(f"database {keyspace.schema!r} or role {keyspace.user!r} of the store is somebody else's")
        if unopened:
            return
        async with self._connected(keyspace.schema) as inside:
            if await asking.one(inside, asking.FOREIGN_TABLES):
                raise Taken(f"database {keyspace.schema!r} of the store holds tables of somebody else")

    async def ensure(self, keyspace: Keyspace, password: str = "") -> bool:
        """Role and database; the role a member of nothing, the database closed to everybody else."""
        _refuse_names(keyspace, self._access.user)
        user, schema = sql.Identifier(keyspace.user), sql.Identifier(keyspace.schema)
        async with self._connected(HOME) as root:
            owner = await asking.owner(root, keyspace.schema)
            await _refuse_taken(root, keyspace, owner)
            had = await asking.row(root, asking.HELD, keyspace.user)
            secret = root.pgconn.encrypt_password(password.encode(), keyspace.user.encode(), b"scram-sha-256")
            # To name one that it has not takes a superuser, and root need not be one.
            said = [sql.SQL("LOGIN"), *(each for each, on in zip(LESS, had or (), strict=False) if on)]
            verb, more = sql.SQL("ALTER" if had else "CREATE"), sql.SQL(" ").join(said)
            await root.execute(sql.SQL("{} ROLE {} {} PASSWORD {}").format(verb, user, more, secret.decode()))
            for each in await asking.column(root, asking.MEMBERSHIPS, keyspace.user):
                await root.execute(sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(each), user))
            if not await asking.one(root, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
                await root.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(user))  # to give it, one has to be it
            if owner is None:  # everybody may enter one that is new: it opens when that is taken back
                await root.execute(sql.SQL("CREATE DATABASE {} OWNER {} ALLOW_CONNECTIONS false").format(schema, user))
            elif owner != keyspace.user:
                await root.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(schema, user))
            await root.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(schema))
            if await asking.unopened(root, keyspace.schema):
                await root.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(schema))
        async with self._connected(keyspace.schema) as inside:
            if await asking.one(inside, "SELECT to_regclass('kine') IS NOT NULL"):
                await inside.execute(sql.SQL("ALTER TABLE kine OWNER TO {}").format(user))
        return had is None or owner is None

    async def asked(self, keyspace: Keyspace) -> tuple[Answer, ...]:
        """Whether its role may do more than be in its own database, is let into another tenant's, or is taken for root."""
        async with self._connected(keyspace.schema) as tenant:
            what = "SELECT current_user, rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
            who, more = await asking.row(tenant, f"{what} FROM pg_roles WHERE rolname = current_user") or ("", True)
            others = await asking.column(tenant, asking.MEMBERSHIPS, keyspace.user)
            if not await asking.one(tenant, "SELECT has_schema_privilege('public', 'CREATE')"):
                raise StoreDenied(f"role {who} may not make tables in its own database {keyspace.schema}")
            beyond = await asking.column(tenant, asking.BEYOND)
        more = more or who != keyspace.user
        role = f"role {who} of the store"
        return (
            Answer(question="privileges", reached=f"{role} may do more than to use its own database" if more else ""),
            Answer(question="membership", reached=f"{role} is also {', '.join(others)}" if others else ""),
            Answer(question="databases", reached=f"{role} is let into database {', '.join(beyond)}" if beyond else ""),
            Answer(question="root", reached=await self._taken_for_root()),
        )

    async def verify(self, keyspace: Keyspace) -> None:
        """IsolationBroken says what it reaches."""
        judge(await self.asked(keyspace))

    async def _taken_for_root(self) -> str:
        try:
            async with self._connected(HOME, self._access.root):
                return f"the tenant is let in as {self._access.root}: does pg_hba.conf ask for passwords?"
        except StoreDenied:
            return ""

    async def measure(self, keyspace: Keyspace) -> Usage:
        """Rows of kine's table, bytes of the objects that stand, and kine's revision. A table on disk never gets smaller."""
        try:
            async with self._connected(keyspace.schema) as inside:
                if not await asking.one(inside, "SELECT to_regclass('kine') IS NOT NULL"):
                    return Usage(bytes=0, keys=0)
                rows, writes = await asking.row(inside, "SELECT count(*), coalesce(max(id), 0) FROM kine") or (0, 0)
                return Usage(bytes=int(await asking.one(inside, asking.STANDING)), keys=rows, writes=writes)
        except StoreDenied:  # which is also said of a database that is not there
            async with self._connected(HOME) as root:
                if await asking.owner(root, keyspace.schema) is None or await asking.unopened(root, keyspace.schema):
                    return Usage(bytes=0, keys=0)
            raise

    async def _rows(self, schema: str) -> int:
        """Of kine's table, whatever else the tenant made of it: it is his."""
        async with self._connected(schema) as inside:
            there = await asking.one(inside, "SELECT to_regclass('kine') IS NOT NULL")
            return int(await asking.one(inside, "SELECT count(*) FROM kine")) if there else 0

    async def drop(self, keyspace: Keyspace) -> Erasure:
        """Nobody logs in any more, those who are in are put out, database and role go; then look that they are gone."""
        _refuse_names(keyspace, self._access.user)
        user, schema = sql.Identifier(keyspace.user), sql.Identifier(keyspace.schema)
        async with self._connected(HOME) as root:
            owner = await asking.owner(root, keyspace.schema)
            await _refuse_taken(root, keyspace, owner)
            role = await asking.one(root, "SELECT 1 FROM pg_roles WHERE rolname = %s", keyspace.user)
            if role is not None:
                await root.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(user))
            empty = owner is None or await asking.unopened(root, keyspace.schema)
            rows = 0 if empty else await self._rows(keyspace.schema)
            await root.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(schema))
            await root.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(user))
            left = await asking.one(root, "SELECT 1 FROM pg_roles WHERE rolname = %s", keyspace.user)
            if left is not None or await asking.owner(root, keyspace.schema) is not None:
                raise ErasureIncomplete(f"database {keyspace.schema} or role {keyspace.user} is still there")
        return Erasure(keys=rows)

    async def residents(self) -> tuple[Keyspace, ...]:
        """Databases with their owners, and roles that are called like a UID and own none."""
        async with self._connected(HOME) as root:
            rows = await (await root.execute(asking.DATABASES)).fetchall()
            idle = [each for each in await asking.column(root, asking.IDLE) if named_by_us(each)]
        found = [Keyspace(schema=str(schema), user=str(user)) for schema, user in rows if schema not in RESERVED]
        return (*found, *(Keyspace(schema=each, user=each) for each in idle))

    async def is_tenants(self, keyspace: Keyspace) -> bool:
        """Nothing in it but kine's table; without that it has to be called like a UID."""
        async with self._connected(HOME) as root:
            if await asking.owner(root, keyspace.schema) is None or await asking.unopened(root, keyspace.schema):
                return named_by_us(keyspace.schema)
        async with self._connected(keyspace.schema) as inside:
            kine = await asking.one(inside, "SELECT to_regclass('kine') IS NOT NULL")
            return bool(kine or named_by_us(keyspace.schema)) and not await asking.one(inside, asking.FOREIGN_TABLES)

    @asynccontextmanager
    async def _connected(self, database: str, user: str = "") -> AsyncIterator[AsyncConnection[Any]]:
        """A connection of its own to a database; whatever psycopg raises inside becomes a StoreError."""
        access = replace(self._access, user=user or self._access.user)
        try:
            connection = await AsyncConnection.connect(**self._parameters(access, database), autocommit=True)
        except psycopg.Error as error:
            raise _why(access, database, str(error)) from None  # its words hold names of users
        try:
            async with connection:
                yield connection
        except psycopg.errors.InsufficientPrivilege as error:
            raise StoreDenied(f"user {access.user} may not do it: {error.diag.message_primary}") from error
        except psycopg.Error as error:
            said = error.diag.message_primary or "the connection broke off"
            raise StoreError(f"PostgreSQL refused ({error.sqlstate or 'no answer'}): {said}") from error

    def _parameters(self, access: Access, database: str) -> dict[str, Any]:
        """As kine connects: with a CA the server has to be who it says, without one TLS is taken where it is offered."""
        host, _, port = access.endpoints[0].rpartition(":")
        assert self._files is not None, "entered with `async with`"
        folder = Path(self._files.name)
        found: dict[str, Any] = {
            "host": host.strip("[]"),
            "port": int(port),
            "dbname": database,
            "user": access.user,
            "password": access.password,
            "connect_timeout": LIMIT,
            "application_name": "kamaji",
            "sslmode": "verify-full" if access.ca else "prefer",
            "sslrootcert": str(folder / "ca.crt") if access.ca else "",
        }
        if access.client:
            found |= {"sslcert": str(folder / "client.crt"), "sslkey": str(folder / "client.key")}
        return found


def _refuse_names(keyspace: Keyspace, root: str) -> None:
    for what, name in (("schema", keyspace.schema), ("user", keyspace.user)):
        if len(name.encode()) > NAME or name.startswith("pg_"):
            raise NameRefused(f"{what} {name!r} cannot be a name in PostgreSQL: at most {NAME} letters, none of pg_…")
    if keyspace.schema != keyspace.schema.lower():
        raise NameRefused(f"schema {keyspace.schema!r}: kine asks PostgreSQL for names in lower case only")
    if keyspace.schema in RESERVED or keyspace.user == root:
        raise Taken(f"database {keyspace.schema!r} or role {keyspace.user!r} is the store's own")


async def _refuse_taken(root: AsyncConnection[Any], keyspace: Keyspace, owner: str | None) -> None:
    """Taken when the database is another tenant's, or the role has another one. What root owns, upstream may have made."""
    if owner is not None and owner not in (keyspace.user, root.info.user):
        raise Taken(f"database {keyspace.schema!r} of the store belongs to role {owner!r}")
    owned = "SELECT d.datname FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE r.rolname = %s AND d.datname <> %s"
    if others := await asking.column(root, owned, keyspace.user, keyspace.schema):
        raise Taken(f"role {keyspace.user!r} of the store has another database, {others[0]!r}")


def _why(access: Access, database: str, said: str) -> StoreError:
    """Why nobody was let in, in words that stay the same."""
    where = access.endpoints[0]
    if any(each in said for each in SILENCE):
        return StoreUnreachable(f"nobody answers at {where}: is PostgreSQL up, and is the address right?")
    if access.ca and any(each in said for each in DISTRUST):
        return StoreUntrusted(
            f"{where} offers no TLS, shows a certificate that tlsConfig.certificateAuthority did not sign or for another name,"
            " or does not take the client certificate"
        )
    return StoreDenied(f"{where} does not let user {access.user} into database {database}: is the password right?")
