"""What is in a backup, in order: a head, the tenant's objects, its keys page by page, an end. Compressed, then sealed.

Each piece is a record: one letter, the length, the body. Keys are told without the range's beginning, for a tenant that comes
back may get another. What is held at once is one record and what one frame unpacks to.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO, Final

from provider.hosting.backup import envelope
from provider.hosting.backup.errors import Altered, CutShort
from provider.manifest import Manifest

HEAD, OBJECT, KEY, END = b"H", b"O", b"K", b"E"
RECORD: Final = struct.Struct(">cI")
ENTRY: Final = struct.Struct(">IQq")  # length of the key, lease, seconds that are left of it
UNPACKED: Final = 64 * 1024  # bytes taken out of the decompressor at once
LEVEL: Final = 6


@dataclass(frozen=True, kw_only=True)
class Head:
    """Of whom a backup is, and of when. Fields are added, never renamed: `read` forgives those that it does not know."""

    namespace: str
    name: str
    uid: str
    schema: str  # of the range that was read
    version: str  # of Kubernetes
    revision: int  # of the store, at which all keys were read
    taken: str  # RFC 3339


@dataclass(frozen=True)
class Entry:
    """A key without its range's beginning. `lease`: of the store it comes from; 0: none. `left`: seconds until that ended."""

    key: bytes
    value: bytes
    lease: int = 0
    left: int = 0


@dataclass
class Content:
    """Counts and sums up keys in their order. Those with a lease end by themselves, so they are not in the digest."""

    keys: int = 0
    size: int = 0
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, entry: Entry) -> None:
        """The next key. Lengths go in as well, so that no two contents have one sequence of bytes."""
        if entry.lease:
            return
        self.keys += 1
        self.size += len(entry.key) + len(entry.value)
        for part in (entry.key, entry.value):
            self._hash.update(len(part).to_bytes(8, "big"))
            self._hash.update(part)

    def said(self) -> dict[str, Any]:
        """As the end of a backup says it."""
        return {"keys": self.keys, "size": self.size, "digest": self._hash.hexdigest()}


class Writer:
    """Makes a backup. `close` ends it; without that it is cut short."""

    def __init__(self, key: bytes, salt: bytes, sink: Callable[[bytes], object]) -> None:
        self._sealer, self._packer = envelope.Sealer(key, salt, sink), zlib.compressobj(LEVEL)
        self.content = Content()

    def begin(self, head: Head, objects: Iterable[Manifest]) -> None:
        """What comes before the keys."""
        self._record(HEAD, json.dumps(asdict(head)).encode())
        for each in objects:
            self._record(OBJECT, json.dumps(each).encode())

    def add(self, entry: Entry) -> None:
        """The next key, in the order of keys."""
        self.content.add(entry)
        self._record(KEY, ENTRY.pack(len(entry.key), entry.lease, entry.left) + entry.key + entry.value)

    def close(self) -> None:
        """Say how much there was."""
        self._record(END, json.dumps(self.content.said()).encode())
        self._sealer.write(self._packer.flush())
        self._sealer.close()

    def _record(self, kind: bytes, body: bytes) -> None:
        self._sealer.write(self._packer.compress(RECORD.pack(kind, len(body)) + body))


class Reader:
    """Reads a backup from its beginning to its end, once. BackupUnreadable at any point says what is wrong with it."""

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        self._bytes = _Unpacked(envelope.opened(file, key))
        self._next = self._record()
        self.content = Content()
        self.head = self._head()
        self.objects = tuple(self._objects())

    def entries(self) -> Iterator[Entry]:
        """The keys. Whoever has got the last one knows that all is whole: the end was read and agrees."""
        while self._next[0] == KEY:
            body = self._next[1]
            length, lease, left = ENTRY.unpack_from(body)
            entry = Entry(body[ENTRY.size : ENTRY.size + length], body[ENTRY.size + length :], lease, left)
            self.content.add(entry)
            yield entry
            self._next = self._record()
        kind, body = self._next
        if kind != END or json.loads(body) != self.content.said():
            raise Altered("its keys are not those that its end tells of; use another backup")
        self._bytes.finished()

    def _head(self) -> Head:
        kind, body = self._next
        if kind != HEAD:
            raise Altered("it does not begin with whose it is; use another backup")
        said = json.loads(body)
        self._next = self._record()
        return Head(**{each: said[each] for each in Head.__dataclass_fields__})

    def _objects(self) -> Iterator[Manifest]:
        while self._next[0] == OBJECT:
            yield json.loads(self._next[1])
            self._next = self._record()

    def _record(self) -> tuple[bytes, bytes]:
        kind, length = RECORD.unpack(self._bytes.take(RECORD.size))
        return kind, self._bytes.take(length)


class _Unpacked:
    """Decompressed bytes, taken so many at a time."""

    def __init__(self, frames: Iterator[bytes]) -> None:
        self._frames, self._unpacker, self._held = frames, zlib.decompressobj(), bytearray()

    def take(self, count: int) -> bytes:
        while len(self._held) < count:
            self._fill()
        found = bytes(self._held[:count])
        del self._held[:count]
        return found

    def finished(self) -> None:
        """All frames are read, so that the last one was there and nothing followed it."""
        for frame in self._frames:
            self._held += self._unpacker.decompress(frame)
        if self._held or not self._unpacker.eof:
            raise Altered("something follows its end; use another backup")

    def _fill(self) -> None:
        packed = self._unpacker.unconsumed_tail or next(self._frames, b"")
        if not packed:
            raise CutShort("its end is missing: it was not written whole; use another backup")
        try:
            self._held += self._unpacker.decompress(packed, UNPACKED)
        except zlib.error as error:
            raise Altered(f"it cannot be unpacked: {error}; use another backup") from error
