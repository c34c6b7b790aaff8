"""What a copy decides without a wire: what goes into one transaction, what it remembers, what a digest is made of. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

MOST = 96  # changes in one transaction; etcd takes 128 operations (--max-txn-ops)
BYTES = 512 * 1024  # of keys and values in one transaction; etcd takes 1.5 MiB (--max-request-bytes)
AHEAD = 1000  # revisions that a target is kept above its source, beyond what was seen last


@dataclass(frozen=True)
class Change:
    """What a key is from `revision` of the source on; `value` None: it is gone."""

    key: bytes
    value: bytes | None
    lease: int  # of the source; 0: none
    revision: int

    @property
    def size(self) -> int:
        """Bytes of key and value."""
        return len(self.key) + len(self.value or b"")


@dataclass(frozen=True, kw_only=True)
class Position:
    """What a copy remembers in the target, in one transaction with what it wrote: whoever takes it up goes on from here.

    `owner` is another for each start of a copy, so that one who was thought dead finds himself replaced and writes no more.
    """

    token: str  # which copy: another one's keys are not ours to go on with
    owner: str
    pinned: int = 0  # revision of the source at which its keys are read; 0: not begun
    after: bytes = b""  # the last key that was written; empty: none yet
    read: bool = False  # all keys of that revision are there
    followed: int = 0  # all changes up to this revision of the source are there
    sealed: bool = False  # nothing is written by a copy any more

    def written(self) -> bytes:
        """As it lies in the target."""
        said = {**vars(self), "after": base64.b64encode(self.after).decode()}
        return json.dumps(said, sort_keys=True).encode()

    @classmethod
    def parse(cls, raw: bytes) -> Position:
        """ValueError for what is none."""
        try:
            said = json.loads(raw)
            return cls(**{**said, "after": base64.b64decode(said["after"])})
        except (KeyError, TypeError) as error:
            raise ValueError("not the note of a copy") from error


def latest(changes: Iterable[Change]) -> list[Change]:
    """One change a key, the last: etcd refuses two of one key in a transaction, and nobody reads the target meanwhile."""
    found: dict[bytes, Change] = {}
    for each in changes:
        found.pop(each.key, None)
        found[each.key] = each
    return list(found.values())


def transactions(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """Cut so that etcd takes each. What is larger than `BYTES` stands alone: the source took it, so the target does."""
    batch: list[Change] = []
    size = 0
    for each in changes:
        if batch and (len(batch) == MOST or size + each.size > BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += each.size
    if batch:
        yield batch


def lease_id(token: str, lease: int) -> int:
    """The target's lease for one of the source: the same after a crash, and nobody else's."""
    digest = hashlib.sha256(f"{token}/{lease}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") & (2**63 - 1)) or 1


@dataclass
class Digest:
    """Of keys and values in the order of keys. Keys with a lease end by themselves, here or there first: they do not count."""

    keys: int = 0
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, key: bytes, value: bytes, lease: int) -> None:
        """The next key. Lengths go in as well, so that no two contents have one sequence of bytes."""
        if lease:
            return
        self.keys += 1
        for part in (key, value):
            self._hash.update(len(part).to_bytes(8, "big"))
            self._hash.update(part)

    def said(self) -> tuple[int, str]:
        """(how many keys, their digest)."""
        return self.keys, self._hash.hexdigest()
