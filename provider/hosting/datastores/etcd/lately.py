"""Who wrote last in an etcd, by what it still keeps of its history. Asked by `reconcile.throttling` before that is dropped.

What fills an etcd is mostly history, which no measurement of what stands sees, and a full one takes no write that could be
counted. Its last changes can still be read.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import aclosing

from provider.hosting.datastores.errors import Outrun, StoreError
from provider.hosting.datastores.etcd.copying.following import Following
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.datastores.etcd.usage import TENANTS, keyspace_of

log = logging.getLogger(__name__)

CHANGES = 4000  # the last so many are looked at
ENOUGH = 32 * 2**20  # bytes of them, after which no more are read
PATIENCE = 20.0  # seconds
GLANCE = 0.1  # seconds between two questions whether that was all


async def written(store: EtcdStore) -> Counter[str]:
    """Bytes of the last changes, by keyspace, also of those who are no tenants. None where nothing is kept, or too slowly."""
    changes = CHANGES
    try:
        async with asyncio.timeout(PATIENCE):
            newest = await store.revision()
            while changes:
                try:
                    return await _since(store, max(1, newest - changes + 1), newest)
                except Outrun:  # somebody has dropped that already
                    changes //= 4
    except (StoreError, TimeoutError) as error:
        log.info("who wrote last is not known: %s", error or "it takes too long")
    return Counter()


async def _since(store: EtcdStore, first: int, newest: int) -> Counter[str]:
    found: Counter[str] = Counter()
    following = Following(store, TENANTS)
    asking = asyncio.create_task(_ask(following))
    try:
        async with aclosing(following.heard(first)) as heard:
            async for each in heard:
                for change in each.changes:
                    found[keyspace_of(change.key)] += len(change.key) + len(change.value or b"")
                if each.level >= newest or found.total() > ENOUGH:
                    break
    finally:
        asking.cancel()
    return found


async def _ask(following: Following) -> None:
    while True:
        await asyncio.sleep(GLANCE)
        following.ask()
