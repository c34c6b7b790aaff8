"""Keeps a snapshot that restores: looks at the etcd that was made of it, puts the file where it stays, lets old ones go.

`python -m provider keep` does this in the Job of a pool's snapshots, beside an etcd that runs on what was restored. Where files
stay is a `Place`: a folder of a volume here, a bucket in `datastores.bucket`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from provider.hosting.datastores.errors import StoreError, StoreUnreachable
from provider.hosting.datastores.etcd import contents, snapshot
from provider.hosting.datastores.etcd.contents import Contents
from provider.hosting.datastores.etcd.snapshot import PARTIAL, TRAILER

PATIENCE = 900.0  # seconds for etcd to come up with a large database
CHUNK = 2**20
NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z[.]db")  # of what we keep: nothing else is ever deleted


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What the Job tells the pool's pass."""

    name: str
    time: str
    bytes: int
    keys: int
    revision: int

    def written(self) -> str:
        """For the container's last words."""
        return json.dumps(asdict(self))


async def checked(endpoint: str, credentials: Path, note: Path) -> Contents:
    """The etcd that runs on the snapshot has what the store had. CopyDiffers, StoreError; it may take a while to come up."""
    before, deadline = Contents.read(note), time.monotonic() + PATIENCE
    while True:
        try:
            async with snapshot.opened(endpoint, credentials) as restored:
                if not (await restored.health()).auth_enabled:
                    raise StoreError("what was restored asks nobody who he is: was auth off in the store?")
                contents.compare(before, await contents.of(restored, before.revision))
                return before
        except StoreUnreachable:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)


class Place(Protocol):
    """Where the snapshots of one store stay. StoreError, OSError."""

    def put(self, file: Path, name: str) -> None:
        """A copy of the file, whole or not at all."""

    def read(self, name: str) -> Iterator[bytes]:
        """What is there under a name, piece by piece."""

    def names(self) -> Iterable[str]:
        """Of all that is there, ours or not."""

    def remove(self, name: str) -> None:
        """For ever."""


class Folder:
    """A folder of a mounted volume."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, file: Path, name: str) -> None:
        """Under another name until all of it is on the disk."""
        self._path.mkdir(parents=True, exist_ok=True)
        partial = self._path / (name + PARTIAL)
        try:
            with partial.open("wb") as copy:
                for chunk in chunks(file):
                    copy.write(chunk)
                copy.flush()
                os.fsync(copy.fileno())
            partial.replace(self._path / name)
        finally:
            partial.unlink(missing_ok=True)

    def read(self, name: str) -> Iterator[bytes]:
        """From the volume, as it lies there."""
        return chunks(self._path / name)

    def names(self) -> Iterable[str]:
        """Of files."""
        return [each.name for each in self._path.iterdir()]

    def remove(self, name: str) -> None:
        """The file."""
        (self._path / name).unlink()


def kept(file: Path, place: Place, retention: int, held: Contents) -> Kept:
    """Put the file there, called by the time, and delete the oldest beyond `retention`. StoreError, OSError.

    It is read again from there: what is kept is what was checked.
    """
    now = datetime.now(UTC)
    name = f"{now:%Y%m%dT%H%M%SZ}.db"
    place.put(file, name)
    if summed(place.read(name)) != summed(chunks(file)):
        place.remove(name)
        raise StoreError("what was written there reads as something else: is the volume or the bucket sound?")
    for old in sorted(each for each in place.names() if NAME.fullmatch(each))[:-retention]:
        place.remove(old)
    return Kept(
        name=name,
        time=f"{now:%Y-%m-%dT%H:%M:%SZ}",
        bytes=file.stat().st_size - TRAILER,
        keys=held.keys,
        revision=held.revision,
    )


def chunks(file: Path) -> Iterator[bytes]:
    """A file, piece by piece."""
    with file.open("rb") as source:
        while chunk := source.read(CHUNK):
            yield chunk


def summed(content: Iterable[bytes]) -> bytes:
    """By which two files are told to be the same."""
    found = hashlib.sha256()
    for chunk in content:
        found.update(chunk)
    return found.digest()
