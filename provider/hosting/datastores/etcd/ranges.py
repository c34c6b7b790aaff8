"""THE function from a tenant's keyspace id to its range of keys. Everything that grants, counts or deletes comes through here.

etcd compares keys byte by byte. The slash that ends an id is part of the range, so that no id that begins with another
(`a`, `a-b`, `aa`) is inside it: [`/a/`, `/a0`) holds exactly the keys that begin with `/a/`, for `0` is the byte after `/`.
CVE-2024-42480 was this function with an end that was open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SHAPE = re.compile(r"[A-Za-z0-9._-]{1,253}")
PROBE = b"x.kamaji.clastix.io/probe"
"""A key of the provider's own. It does not begin with a slash, as every tenant's keys do, whatever id a user may choose."""
RAISED = b"x.kamaji.clastix.io/revision"
"""Another: written over and over to raise a store's revision (decision 0026)."""


@dataclass(frozen=True)
class KeyRange:
    """Keys from `start` up to, not including, `end`."""

    start: bytes
    end: bytes

    def __contains__(self, key: bytes) -> bool:
        return self.start <= key < self.end


def range_of(schema: str) -> KeyRange:
    """The range of a keyspace id. ValueError for an id that is empty, holds a slash, or is anything but plain letters."""
    if not SHAPE.fullmatch(schema):
        raise ValueError(f"{schema!r} cannot name a keyspace: letters, digits, `.`, `_` and `-` only, at most 253")
    return KeyRange(start=f"/{schema}/".encode(), end=f"/{schema}0".encode())


def copy_of(schema: str) -> bytes:
    """The provider's own key beside a range that is a copy: how far it has come. No tenant's role reaches it."""
    range_of(schema)
    return f"x.kamaji.clastix.io/copy/{schema}".encode()
