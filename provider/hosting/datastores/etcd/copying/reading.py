"""Reads a range at one revision, page by page. What is held at once is one answer, whatever the range's size."""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Sequence
from functools import partial
from typing import Any

import grpc

from provider.hosting.datastores.errors import Outrun
from provider.hosting.datastores.etcd import paging
from provider.hosting.datastores.etcd.copying.plan import Digest
from provider.hosting.datastores.etcd.ranges import KeyRange
from provider.hosting.datastores.etcd.store import EtcdStore

COMPACTED = "has been compacted"
LIMIT = 15.0  # seconds for a page


def pages(store: EtcdStore, own: KeyRange, revision: int, after: bytes = b"") -> AsyncIterator[Sequence[Any]]:
    """The keys after `after`, in order, as etcd's KeyValues. Outrun when the revision is no longer kept."""
    read = partial(_page, store, own.end, revision)
    return paging.pages(read, after + b"\0" if after else own.start)


async def digest(store: EtcdStore, own: KeyRange, revision: int, without: Container[bytes] = ()) -> tuple[int, str]:
    """(keys without a lease, their digest) at a revision."""
    found = Digest()
    async for page in pages(store, own, revision):
        for each in page:
            if each.key not in without:
                found.add(each.key, each.value, each.lease)
    return found.said()


async def _page(store: EtcdStore, end: bytes, revision: int, start: bytes, limit: int) -> Sequence[Any] | None:
    """None when so many keys are too much for one answer."""
    ask = partial(store.wire.kv.get, start, end, revision=revision, limit=limit, timeout=LIMIT)
    async with store.told():
        try:
            return await paging.page(ask, limit)
        except grpc.aio.AioRpcError as error:
            if COMPACTED in str(error.details()):
                raise Outrun(f"revision {revision} is no longer kept") from error
            raise
