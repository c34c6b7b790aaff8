"""Reads a range page by page, as large as gRPC lets one answer be. Used by whoever measures and copies: `usage`, `copying`.

A page is so many keys, but what an answer may hold is bytes: where values are large, fewer are asked for at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import grpc

from provider.hosting.datastores.etcd import dialing

PAGE = 256  # keys in one answer at most
TOO_LARGE = "larger than max"  # gRPC's word for an answer of more than 4 MiB, which it does not take in

Read = Callable[[bytes, int], Awaitable[Sequence[Any] | None]]
"""(first key, how many at most) → etcd's KeyValues; None when so many are too much for one answer."""


async def pages(read: Read, start: bytes) -> AsyncIterator[Sequence[Any]]:
    """All keys from `start` on, in order. What is held at once is one answer, whatever the range's size."""
    limit = PAGE
    while True:
        kvs = await read(start, limit)
        if kvs is None:
            limit = max(1, limit // 4)
            continue
        if not kvs:
            return
        yield kvs
        start, limit = bytes(kvs[-1].key) + b"\0", min(PAGE, limit * 2)


async def page(ask: Callable[[], Awaitable[Any]], limit: int) -> Sequence[Any] | None:
    """The answer to one question for `limit` keys; None when it was too large. One key alone never is: etcd took it in."""
    try:
        kvs: Sequence[Any] = (await dialing.settled(ask)).kvs
    except grpc.aio.AioRpcError as error:
        if TOO_LARGE in str(error.details()) and limit > 1:
            return None
        raise
    return kvs
