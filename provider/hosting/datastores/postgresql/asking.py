"""What is asked of PostgreSQL: the questions themselves, and how an answer is read. Used by `store`."""

from __future__ import annotations

from typing import Any, LiteralString

from psycopg import AsyncConnection

HELD: LiteralString = """
    SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = %s"""
"""What a role may beyond its own, in the order of `LESS`, which takes it away."""
FOREIGN_TABLES: LiteralString = """
    SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^(pg_|information_schema)' AND c.relname <> 'kine'"""
DATABASES: LiteralString = """
    SELECT d.datname, CASE WHEN r.rolname = current_user THEN d.datname ELSE r.rolname END
    FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba
    WHERE NOT d.datistemplate AND (NOT r.rolsuper OR d.datallowconn AND r.rolname = current_user) ORDER BY 1"""
"""And whose they are. What root owns upstream made, for a user of the same name."""
IDLE: LiteralString = """
    SELECT rolname FROM pg_roles r WHERE rolcanlogin AND NOT (rolsuper OR rolcreatedb OR rolcreaterole)
      AND NOT EXISTS (SELECT FROM pg_database d WHERE d.datdba = r.oid) ORDER BY 1"""
STANDING: LiteralString = """
    SELECT coalesce(sum(octet_length(name) + coalesce(octet_length(value), 0)), 0)
    FROM kine JOIN (SELECT max(id) AS id FROM kine GROUP BY name) AS newest USING (id) WHERE deleted = 0"""
"""Of each name the newest row, which is no deletion."""
BEYOND = """
    SELECT d.datname FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba
    WHERE d.datname <> current_database() AND d.datallowconn AND NOT r.rolsuper AND NOT r.rolcreaterole
      AND has_database_privilege(d.oid, 'CONNECT')
    ORDER BY 1 LIMIT 3"""
"""Databases of other tenants that whoever asks may connect to. Those of the server's own administrators are theirs to close."""
MEMBERSHIPS: LiteralString = """
    SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles u ON u.oid = m.member
    WHERE u.rolname = %s ORDER BY 1"""


async def owner(root: AsyncConnection[Any], database: str) -> str | None:
    """The role that owns a database; None when there is none of that name."""
    asked = "SELECT r.rolname FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = %s"
    found = await one(root, asked, database)
    return None if found is None else str(found)


async def unopened(root: AsyncConnection[Any], database: str) -> bool:
    """Whether it was begun and nobody was ever let in: a grant was cut off in the midst."""
    return bool(await one(root, "SELECT NOT datallowconn FROM pg_database WHERE datname = %s", database))


async def one(connection: AsyncConnection[Any], asked: LiteralString, *values: str) -> Any:
    """The first column of the first row, or None."""
    row = await (await connection.execute(asked, values or None)).fetchone()
    return row[0] if row else None


async def row(connection: AsyncConnection[Any], asked: LiteralString, *values: str) -> tuple[Any, ...] | None:
    """The first row, or None."""
    row = await (await connection.execute(asked, values or None)).fetchone()
    return None if row is None else tuple(row)


async def column(connection: AsyncConnection[Any], asked: LiteralString, *values: str) -> list[str]:
    """The first column of all rows, as text."""
    return [str(each[0]) for each in await (await connection.execute(asked, values or None)).fetchall()]
