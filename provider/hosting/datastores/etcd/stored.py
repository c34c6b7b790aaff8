"""How a tenant's objects begin in an etcd, which tells by whom they were written: as root, at one revision, page by page.

Of what is stored nothing but its first bytes is looked at. Called by `reconcile.encrypting`.
"""

from __future__ import annotations

from dataclasses import dataclass

from provider.hosting.datastores.etcd.copying import reading
from provider.hosting.datastores.etcd.ranges import KeyRange, range_of
from provider.hosting.datastores.etcd.store import EtcdStore


@dataclass(frozen=True)
class Counted:
    """Objects of one resource: how many, and what those are called that do not begin as they should."""

    total: int
    others: tuple[str, ...]  # namespace/name, or name


async def counted(store: EtcdStore, schema: str, folder: str, wanted: bytes, encrypted: bytes) -> Counted:
    """Of all keys below a folder of the range. `wanted`: how each should begin; empty: with anything but `encrypted`."""
    start = range_of(schema).start + folder.encode()
    total, others = 0, list[str]()
    async for page in reading.pages(store, KeyRange(start, start[:-1] + b"0"), await store.revision()):
        total += len(page)
        for each in page:
            value = bytes(each.value[: max(len(wanted), len(encrypted))])
            if not value.startswith(wanted) if wanted else value.startswith(encrypted):
                others.append(bytes(each.key)[len(start) :].decode(errors="replace"))
    return Counted(total, tuple(others))


async def any_begins(store: EtcdStore, schema: str, encrypted: bytes) -> bool:
    """Whether any object of the range, of whatever resource, is encrypted."""
    async for page in reading.pages(store, range_of(schema), await store.revision()):
        if any(bytes(each.value[: len(encrypted)]) == encrypted for each in page):
            return True
    return False
