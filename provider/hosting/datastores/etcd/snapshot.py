"""A snapshot of an etcd in a file, whole or not at all. `python -m provider snapshot` does this in a Job.

It is what `etcdutl snapshot restore` takes: the database, and the SHA-256 of it behind it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from provider.hosting.datastores.errors import StoreError
from provider.hosting.datastores.etcd import contents
from provider.hosting.datastores.etcd.cluster import EtcdCluster
from provider.manifest.x509 import Pair

TRAILER = 32  # bytes of the checksum
SECTOR = 512  # a database is so many bytes, times something
PARTIAL = ".partial"


async def written(endpoint: str, credentials: Path, output: Path, note: Path | None = None) -> int:
    """Bytes of the database. `credentials` is a folder with ca.crt, tls.crt and tls.key of root. StoreError, OSError.

    The file has its name only once all of it is on the disk and its checksum is right; one that is there is replaced then.
    Into `note` goes what the store held when it began.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(output.name + PARTIAL)
    try:
        async with opened(endpoint, credentials) as store:
            if note is not None:
                (await contents.of(store)).write(note)
            size = await _streamed(store, partial)
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    return size


def opened(endpoint: str, credentials: Path) -> EtcdCluster:
    """To be entered: as root, by the files of a mounted Secret."""
    pair = Pair(certificate=(credentials / "tls.crt").read_bytes(), key=(credentials / "tls.key").read_bytes())
    return EtcdCluster([endpoint], (credentials / "ca.crt").read_bytes(), pair)


async def _streamed(store: EtcdCluster, partial: Path) -> int:
    """Write and sum up what comes; the last bytes are the checksum of all before them."""
    summed, size, held = hashlib.sha256(), 0, b""
    with partial.open("wb") as file:
        async for blob in store.snapshot():
            file.write(blob)
            held += blob
            summed.update(held[:-TRAILER])
            size += len(held[:-TRAILER])
            held = held[-TRAILER:]
        file.flush()
        os.fsync(file.fileno())
    if not size or size % SECTOR or summed.digest() != held:
        raise StoreError("the snapshot that etcd sent is not whole: its checksum is not that of its content")
    return size
