"""A backup is read again as it was written, by who has its key, and by nobody when a byte of it is missing or another."""

from __future__ import annotations

import io
import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.hosting.backup import envelope
from provider.hosting.backup.archive import Entry, Head, Reader, Writer
from provider.hosting.backup.errors import Altered, BackupUnreadable, CutShort, NewerFormat, NoBackup, WrongKey

MINE, SALT = bytes(range(32)), b"s" * 32
HEAD = Head(
    namespace="tenants", name="demo", uid="u", schema="s", version="v1.36.3", revision=41, taken="2026-01-02T03:04:05Z"
)
OBJECT = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "demo-ca"}, "data": {"ca.key": "c2VjcmV0"}}
ENTRIES = [
    Entry(b"registry/a", b"one"),
    Entry(b"registry/b", b"", 7, 60),
    *(Entry(f"registry/c{number:05}".encode(), bytes([number % 251]) * 3000) for number in range(400)),
]
HEADER = len(envelope.MAGIC) + 2 + envelope.SALT + envelope.CHECK


def written(entries: list[Entry] | None = None, key: bytes = MINE) -> bytes:
    out = io.BytesIO()
    writer = Writer(key, SALT, out.write)
    writer.begin(HEAD, [OBJECT])
    for each in ENTRIES if entries is None else entries:
        writer.add(each)
    writer.close()
    return out.getvalue()


def read(raw: bytes, key: bytes = MINE) -> tuple[Reader, list[Entry]]:
    reader = Reader(io.BytesIO(raw), key)
    return reader, list(reader.entries())


WHOLE = written()
NOISE = random.Random(1)
RANDOM = written([Entry(f"k{number}".encode(), NOISE.randbytes(50_000)) for number in range(20)])


def test_what_was_written_is_read_again() -> None:
    reader, entries = read(WHOLE)
    assert (reader.head, reader.objects, entries) == (HEAD, (OBJECT,), ENTRIES)
    assert reader.content.keys == len(ENTRIES) - 1, "those with a lease end by themselves"


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=40), st.binary(max_size=400), st.integers(0, 2**63 - 1))))
def test_any_keys_are_read_again(found: list[tuple[bytes, bytes, int]]) -> None:
    entries = [Entry(key, value, lease, 5 if lease else 0) for key, value, lease in found]
    assert read(written(entries))[1] == entries


def test_nothing_of_the_content_can_be_read_in_the_file() -> None:
    for each in (b"demo", b"registry", b"secret", b"c2VjcmV0"):
        assert each not in WHOLE


def test_two_files_with_one_key_have_nothing_in_common() -> None:
    out = io.BytesIO()
    Writer(MINE, b"t" * 32, out.write).close()
    other = io.BytesIO()
    Writer(MINE, SALT, other.write).close()
    assert out.getvalue()[HEADER:] != other.getvalue()[HEADER:]


def test_another_key_is_told_as_such() -> None:
    with pytest.raises(WrongKey, match="another key"):
        read(WHOLE, b"x" * 32)


def test_a_key_of_another_length_is_none() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        read(WHOLE, b"short")


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04 something else", envelope.MAGIC + b"x\n", envelope.MAGIC])
def test_something_else_is_told_as_such(raw: bytes) -> None:
    with pytest.raises(NoBackup):
        read(raw)


def test_a_newer_format_is_refused_with_what_to_do() -> None:
    newer = envelope.MAGIC + b"2" + WHOLE[len(envelope.MAGIC) + 1 :]
    with pytest.raises(NewerFormat, match="restore it with the release that wrote it"):
        read(newer)


@pytest.mark.parametrize("whole", [WHOLE, RANDOM], ids=["one frame", "many frames"])
def test_a_file_that_is_cut_anywhere_is_told_as_cut_short(whole: bytes) -> None:
    for at in {*range(HEADER - 20, HEADER + 30), *range(HEADER, len(whole), max(1, len(whole) // 60)), len(whole) - 1}:
        with pytest.raises(CutShort):
            read(whole[:at])


def test_a_file_that_is_cut_between_two_frames_is_told_as_cut_short() -> None:
    first = HEADER + 4 + envelope.FRAME + envelope.TAG
    assert len(RANDOM) > first + 1000
    with pytest.raises(CutShort):
        read(RANDOM[:first])
    crowned = bytearray(RANDOM[:first])
    crowned[HEADER] |= 0x80  # says of itself that it is the last
    with pytest.raises(Altered):
        read(bytes(crowned))


@given(st.integers(0, len(RANDOM) - 1), st.integers(1, 255))
def test_a_file_of_which_one_byte_is_another_is_never_read(at: int, change: int) -> None:
    altered = bytearray(RANDOM)
    altered[at] ^= change
    with pytest.raises(BackupUnreadable):
        read(bytes(altered))


def test_frames_in_another_order_and_what_follows_the_end_are_told_as_altered() -> None:
    length = 4 + envelope.FRAME + envelope.TAG
    first, second = RANDOM[HEADER : HEADER + length], RANDOM[HEADER + length : HEADER + 2 * length]
    assert len(second) == length
    with pytest.raises(Altered):
        read(RANDOM[:HEADER] + second + first + RANDOM[HEADER + 2 * length :])
    with pytest.raises(Altered, match="follows"):
        read(WHOLE + b"!")


def test_memory_does_not_grow_with_the_content() -> None:
    def peak(count: int) -> int:
        entries = (Entry(f"{number:07}".encode(), b"v" * 20_000) for number in range(count))
        sink = io.BytesIO()
        writer = Writer(MINE, SALT, sink.write)
        tracemalloc.start()
        writer.begin(HEAD, [])
        for each in entries:
            writer.add(each)
        writer.close()
        sink.seek(0)
        for _ in Reader(sink, MINE).entries():
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(2000) < peak(200) + 2 * 1024 * 1024, "of 40 MB more"
