"""A snapshot is kept as it was checked or not at all, and what it is compared with is what the store held."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from provider.hosting.datastores.errors import CopyDiffers, StoreError
from provider.hosting.datastores.etcd import contents, keeping
from provider.hosting.datastores.etcd.contents import Contents

HELD = Contents(revision=9, compacted=4, hash=7, keys=3)


class Rotten(keeping.Folder):
    """A volume that gives out something else than was written."""

    def read(self, name: str) -> Iterator[bytes]:
        yield b"something else"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "snapshot.db"
    found.write_bytes(bytes(range(256)) * 5000)
    return found


def test_what_a_volume_gives_out_otherwise_is_not_kept_and_lets_none_go(tmp_path: Path, file: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "20200101T000000Z.db").write_bytes(b"")
    with pytest.raises(StoreError, match="is the volume or the bucket sound"):
        keeping.kept(file, Rotten(folder), 1, HELD)
    assert [each.name for each in folder.iterdir()] == ["20200101T000000Z.db"]


def test_what_is_kept_is_the_file_and_is_told_with_what_it_holds(tmp_path: Path, file: Path) -> None:
    folder = tmp_path / "kept" / "deep"
    found = keeping.kept(file, keeping.Folder(folder), 1, HELD)
    assert (folder / found.name).read_bytes() == file.read_bytes()
    assert (found.bytes, found.keys, found.revision) == (256 * 5000 - 32, 3, 9)
    assert [each.name for each in folder.iterdir()] == [found.name]


@pytest.mark.parametrize(
    ("restored", "differs"),
    [
        (HELD, False),
        (Contents(revision=9, compacted=4, hash=8, keys=3), True),
        (Contents(revision=9, compacted=4, hash=7, keys=2), True),
        (Contents(revision=9, compacted=5, hash=8, keys=3), False),  # history begins elsewhere: hashes say nothing
        (Contents(revision=9, compacted=5, hash=8, keys=4), True),
    ],
)
def test_what_was_restored_has_as_many_keys_and_the_same_hash_where_history_begins_at_the_same(
    restored: Contents, differs: bool
) -> None:
    if differs:
        with pytest.raises(CopyDiffers):
            contents.compare(HELD, restored)
    else:
        contents.compare(HELD, restored)


@pytest.mark.parametrize("said", ["", "{}", "[]", '{"revision": 1}'])
def test_a_note_that_says_nothing_is_an_error_that_names_it(tmp_path: Path, said: str) -> None:
    (tmp_path / "held.json").write_text(said)
    with pytest.raises(StoreError, match=r"held\.json does not say what the store held"):
        Contents.read(tmp_path / "held.json")
