"""What an etcd held at a revision: how many keys, and their hash. By it a restored snapshot is held against its store.

Written beside a snapshot before that is begun, so that the snapshot cannot hold less. Called by `snapshot` and `keeping`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Self

from provider.hosting.datastores.errors import CopyDiffers, StoreError
from provider.hosting.datastores.etcd import dialing
from provider.hosting.datastores.etcd.store import EtcdStore

SLOW = 600.0  # seconds: a hash reads the whole database
FIRST = b"\0"  # as the end of a range: all keys


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Of one member. `hash` is etcd's own, of all that is kept of each key from `compacted` to `revision`."""

    revision: int
    compacted: int
    hash: int
    keys: int

    @classmethod
    def read(cls, file: Path) -> Self:
        """As it was written. StoreError when it cannot be read."""
        try:
            return cls(**json.loads(file.read_text()))
        except (OSError, TypeError, ValueError) as error:
            raise StoreError(f"{file} does not say what the store held: {error}") from error

    def write(self, file: Path) -> None:
        """For the container that comes after."""
        file.write_text(json.dumps(asdict(self)))


async def of(store: EtcdStore, revision: int = 0) -> Contents:
    """At a revision, or (0) as it is now: of whatever anybody was told before this is called, nothing is missing."""
    await store.revision()  # by a quorum: the member that is asked next has come as far
    async with store.asking() as wire:
        hashed = await wire.maintenance.hash_kv(revision, timeout=SLOW)
        at = int(hashed.hash_revision) or revision or int(hashed.header.revision)
        count = partial(wire.kv.get, FIRST, FIRST, count_only=True, revision=at, timeout=SLOW)
        keys = int((await dialing.settled(count)).count)
    return Contents(revision=at, compacted=int(hashed.compact_revision), hash=int(hashed.hash), keys=keys)


def compare(before: Contents, restored: Contents) -> None:
    """CopyDiffers when what was restored lacks something. Hashes are of the same only where history begins at the same."""
    if restored.keys != before.keys:
        raise CopyDiffers(
            f"at revision {before.revision} the store held {before.keys} keys, and what was restored {restored.keys}"
        )
    if restored.compacted == before.compacted and restored.hash != before.hash:
        raise CopyDiffers(f"what was restored is not what the store held at revision {before.revision}: hashes differ")
