"""How much lies in a range of keys, and how often it is written. etcd counts neither: both are looked at, and take turns."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from provider.hosting.datastores.etcd import paging
from provider.hosting.datastores.etcd.ranges import KeyRange
from provider.hosting.datastores.shape import Usage

REST = 4.0  # times as long as a page took, before the next: reading takes a fifth of the time at most
TENANTS = KeyRange(start=b"/", end=b"0")  # where all of them are


def keyspace_of(key: bytes) -> str:
    """The first segment of a key below `TENANTS`."""
    return key.split(b"/", 2)[1].decode(errors="replace")


async def of(wire: Any, own: KeyRange, limit: float) -> Usage:
    """Counted page by page; what is written meanwhile may or may not count. `limit` is in seconds for one call."""
    found, keys, clock = 0, 0, asyncio.get_running_loop().time

    async def read(start: bytes, most: int) -> Sequence[Any] | None:
        ask = partial(wire.kv.get, start, own.end, limit=most, serializable=True, timeout=limit)  # of one member
        return await paging.page(ask, most)

    since = clock()
    async for kvs in paging.pages(read, own.start):
        keys += len(kvs)
        found += sum(len(each.key) + len(each.value) for each in kvs)
        await asyncio.sleep(REST * (clock() - since))
        since = clock()
    return Usage(bytes=found, keys=keys)


async def written(wire: Any, seconds: float, limit: float) -> Mapping[str, int]:
    """Keys written or deleted from now on for so many seconds, by the first segment of their names.

    TimeoutError when the watch is not on within `limit` seconds: by itself it would be tried for ever.
    """
    found: Counter[str] = Counter()
    async with aclosing(wire.watch.watch(TENANTS.start, TENANTS.end)) as answers:
        async with asyncio.timeout(limit):
            await anext(answers)
        try:
            async with asyncio.timeout(seconds):
                async for answer in answers:
                    found.update(keyspace_of(bytes(each.kv.key)) for each in answer.events)
        except TimeoutError:
            return found
    return found
