"""THE way by which a name gets into a statement of MySQL: through one strict pattern, and quoted. The client has none."""

from __future__ import annotations

import re

from provider.hosting.datastores.errors import NameRefused

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
USER = re.compile(r"[A-Za-z0-9._-]{1,80}")  # MySQL itself takes 32

UID = re.compile(r"[0-9a-f]{32}")  # of a user that we named: a UID without its dashes


def uid(user: str) -> str:
    """The UID that a user is called like: the schema of the same tenant."""
    return "-".join((user[:8], user[8:12], user[12:16], user[16:20], user[20:]))


def quoted(name: str) -> str:
    """THE way by which a name gets into a statement."""
    if not NAME.fullmatch(name):
        raise NameRefused(f"{name!r} cannot be a name in MySQL: letters, digits, . _ - only, at most 64")
    return f"`{name}`"


def escaped(schema: str) -> str:
    """As GRANT keeps it: there `_` stands for any letter, and a tenant `a_b` would have `axb` as well."""
    return schema.replace("_", r"\_")


def pattern(schema: str) -> str:
    """The database of a GRANT."""
    quoted(schema)
    return f"`{escaped(schema)}`"


def grantee(user: str) -> str:
    """As information_schema spells a user. Compared with, never part of a statement."""
    return f"'{user}'@'%'"


def check_user(user: str) -> None:
    """NameRefused for what cannot be a user. In statements it is a value, never a name."""
    if not USER.fullmatch(user):
        raise NameRefused(f"user {user!r} cannot be a name in MySQL: letters, digits, . _ - only, at most 80")
