"""Keeps a store's revision above another's. kube-apiserver tells etcd's revisions as resourceVersions, which may not go back.

etcd has no call for that while it runs: each write makes one revision, however many keys are in it. So a key of the provider's
own is written over and over, some at a time (decision 0026 says what that costs).
"""

from __future__ import annotations

import asyncio
from functools import partial

import grpc

from provider.hosting.datastores.errors import RevisionGap
from provider.hosting.datastores.etcd import dialing
from provider.hosting.datastores.etcd.copying.plan import AHEAD
from provider.hosting.datastores.etcd.copying.reading import COMPACTED
from provider.hosting.datastores.etcd.ranges import RAISED
from provider.hosting.datastores.etcd.store import EtcdStore

LIMIT = 10.0  # seconds for a write
FAR = 10_000  # revisions that it is ahead when pods come up to stand by: at two hundred a second some forty seconds
AT_ONCE = 64  # writes on their way
MOST = 1_000_000  # revisions: minutes, and a hundred bytes of the database each until the store compacts


def check(revision: int, above: int) -> None:
    """RevisionGap when a store of that revision is too far below another to be raised over it."""
    if (missing := above + AHEAD - revision) > MOST:
        raise RevisionGap(
            f"its revision is {missing} below what the tenant has seen, and resourceVersions may not go back: at most {MOST}"
            " can be made up for while it runs. Make a new etcd begin higher, before tenants are in it"
            " (etcdutl snapshot restore --bump-revision --mark-compacted)"
        )


async def raised(store: EtcdStore, above: int) -> int:
    """The store's revision, which is `AHEAD` above that of another. RevisionGap when it is too far below."""
    now, wanted = await store.revision(), above + AHEAD
    check(now, above)
    async with store.told():
        while now < wanted:
            put = partial(store.wire.kv.put, RAISED, b"", timeout=LIMIT)
            answers = await asyncio.gather(*(dialing.settled(put) for _ in range(min(AT_ONCE, wanted - now))))
            now = max(int(each.header.revision) for each in answers)
    return now


async def forgotten(store: EtcdStore) -> None:
    """What was before now can no longer be asked for, by anybody: as the store's own compaction does every few minutes."""
    now = await store.revision()
    async with store.told():
        try:
            await dialing.settled(partial(store.wire.kv.compact, now, timeout=LIMIT))
        except grpc.aio.AioRpcError as error:
            if COMPACTED not in str(error.details()):  # it was done meanwhile
                raise
