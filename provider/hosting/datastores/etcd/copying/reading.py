"""Reads a range at one revision, page by page. What is held at once is one answer, whatever the range's size."""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Sequence
from functools import partial
from typing import Any

import grpc

from provider.hosting.datastores.errors import Outrun
from provider.hosting.datastores.etcd import dialing
from provider.hosting.datastores.etcd.copying.plan import Digest
from provider.hosting.datastores.etcd.ranges import KeyRange
from provider.hosting.datastores.etcd.store import EtcdStore

PAGE = 256  # keys in one answer at most
TOO_LARGE = "larger than max"  # gRPC's word for an answer of more than 4 MiB, which it does not take in
COMPACTED = "has been compacted"
LIMIT = 15.0  # seconds for a page


async def pages(store: EtcdStore, own: KeyRange, revision: int, after: bytes = b"") -> AsyncIterator[Sequence[Any]]:
    """The keys after `after`, in order, as etcd's KeyValues. Outrun when the revision is no longer kept."""
    limit, start = PAGE, after + b"\0" if after else own.start
    while True:
        kvs = await _page(store, start, own.end, revision, limit)
        if kvs is None:
            limit = max(1, limit // 4)
            continue
        if not kvs:
            return
        yield kvs
        start, limit = bytes(kvs[-1].key) + b"\0", min(PAGE, limit * 2)


async def digest(store: EtcdStore, own: KeyRange, revision: int, without: Container[bytes] = ()) -> tuple[int, str]:
    """(keys without a lease, their digest) at a revision."""
    found = Digest()
    async for page in pages(store, own, revision):
        for each in page:
            if each.key not in without:
                found.add(each.key, each.value, each.lease)
    return found.said()


async def _page(store: EtcdStore, start: bytes, end: bytes, revision: int, limit: int) -> Sequence[Any] | None:
    """None when so many keys are too much for one answer."""
    ask = partial(store.wire.kv.get, start, end, revision=revision, limit=limit, timeout=LIMIT)
    async with store.told():
        try:
            kvs: Sequence[Any] = (await dialing.settled(ask)).kvs
        except grpc.aio.AioRpcError as error:
            said = str(error.details())
            if TOO_LARGE in said and limit > 1:
                return None
            if COMPACTED in said:
                raise Outrun(f"revision {revision} is no longer kept") from error
            raise
    return kvs
