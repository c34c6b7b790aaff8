"""Bytes that only who has the key can read, and nobody can alter or shorten unnoticed: AES-256-GCM in frames (decision 0038).

    kamaji-backup 1⏎ | 32 bytes salt | 16 bytes check | frame …     frame: 4 bytes (last?, length) | ciphertext and tag

Key and check come out of the user's key and the salt by HKDF, so each file has a key of its own and a frame's number is nonce
enough. Whether a frame is the last is part of its nonce. What is held at once is one frame.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from provider.hosting.backup.errors import Altered, CutShort, NewerFormat, NoBackup, WrongKey

FORMAT: Final = 1
MAGIC: Final = b"kamaji-backup "
HEAD: Final = MAGIC + str(FORMAT).encode() + b"\n"
KEY: Final = 32  # bytes of the user's key
SALT: Final = 32
CHECK: Final = 16  # by it another key is told from an altered file
FRAME: Final = 256 * 1024  # bytes in a frame before they are sealed
TAG: Final = 16
LONGEST_VERSION: Final = 8  # digits
LAST: Final = 1 << 31


@dataclass(frozen=True)
class _Keys:
    """What is made of the user's key for one file."""

    cipher: AESGCM
    check: bytes
    head: bytes  # authenticated with every frame

    def nonce(self, number: int, *, last: bool) -> bytes:
        return number.to_bytes(11, "big") + bytes([last])


class Sealer:
    """Writes sealed frames to `sink`. `salt`: 32 random bytes, never the same twice with one key."""

    def __init__(self, key: bytes, salt: bytes, sink: Callable[[bytes], object]) -> None:
        self._keys, self._sink, self._held, self._number = _keys(key, salt), sink, bytearray(), 0
        sink(self._keys.head + self._keys.check)

    def write(self, data: bytes) -> None:
        """Take bytes in; frames that are full are written."""
        self._held += data
        while len(self._held) > FRAME:  # the last frame is never empty-handed: it is known only at the end
            self._frame(bytes(self._held[:FRAME]), last=False)
            del self._held[:FRAME]

    def close(self) -> None:
        """Write the last frame. A file without it is cut short."""
        self._frame(bytes(self._held), last=True)

    def _frame(self, data: bytes, *, last: bool) -> None:
        sealed = self._keys.cipher.encrypt(self._keys.nonce(self._number, last=last), data, self._keys.head)
        self._sink((len(sealed) | (LAST if last else 0)).to_bytes(4, "big") + sealed)
        self._number += 1


def opened(file: BinaryIO, key: bytes) -> Iterator[bytes]:
    """The bytes again, a frame at a time. BackupUnreadable says what is wrong; of a frame that is wrong nothing is given."""
    keys, number, last = _read_head(file, key), 0, False
    while not last:
        last, sealed = _read_frame(file)
        try:
            yield keys.cipher.decrypt(keys.nonce(number, last=last), sealed, keys.head)
        except InvalidTag:
            raise Altered(
                f"frame {number} is not as it was written: the file was altered; use another backup"
            ) from None
        number += 1
    if file.read(1):
        raise Altered("something follows the end of the backup: the file was altered; use another backup")


def _keys(key: bytes, salt: bytes) -> _Keys:
    """ValueError for a key of another length."""
    if len(key) != KEY:
        raise ValueError(f"a backup's key has {KEY} bytes, and this one {len(key)}")
    found = HKDF(SHA256(), length=KEY + CHECK, salt=salt, info=b"kamaji-backup").derive(key)
    return _Keys(AESGCM(found[:KEY]), found[KEY:], HEAD + salt)


def _read_head(file: BinaryIO, key: bytes) -> _Keys:
    if file.read(len(MAGIC)) != MAGIC:
        raise NoBackup("it does not begin as a backup does: is it the right file?")
    said = file.readline(LONGEST_VERSION + 1)
    if not said.endswith(b"\n") or not said[:-1].isdigit():
        raise NoBackup("it does not say of which format it is: is it the right file?")
    if said.startswith(b"0"):
        raise Altered("it is of a format that there never was: the file was altered; use another backup")
    if int(said) > FORMAT:
        raise NewerFormat(
            f"it is of format {int(said)}, and this release reads up to {FORMAT}: restore it with the release that wrote it"
        )
    salt, check = _whole(file, SALT), _whole(file, CHECK)
    keys = _keys(key, salt)
    if not hmac.compare_digest(keys.check, check):
        raise WrongKey("it was sealed with another key: name the Secret with the key that was used when it was made")
    return keys


def _read_frame(file: BinaryIO) -> tuple[bool, bytes]:
    said = int.from_bytes(_whole(file, 4), "big")
    length = said & ~LAST
    if not TAG <= length <= FRAME + TAG:
        raise Altered("a frame has a length that no frame has: the file was altered; use another backup")
    return bool(said & LAST), _whole(file, length)


def _whole(file: BinaryIO, count: int) -> bytes:
    found = file.read(count)
    if len(found) < count:
        raise CutShort("its end is missing: it was not written or copied whole; use another backup")
    return found
