"""What a copy decides without a wire: transactions that etcd takes, a note that is read as it was written, a digest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.hosting.datastores.etcd.copying.plan import (
    BYTES,
    MOST,
    Change,
    Digest,
    Position,
    latest,
    lease_id,
    transactions,
)

KEYS = st.sampled_from([b"/a/1", b"/a/2", b"/a/3", b"/a/\xff"])
CHANGES = st.lists(
    st.builds(Change, key=KEYS, value=st.none() | st.binary(max_size=4), lease=st.just(0), revision=st.integers(1, 99)),
    max_size=30,
)
SIZES = st.lists(st.integers(0, BYTES + 10), max_size=12) | st.lists(st.integers(0, 9), max_size=400)


def applied(changes: list[Change]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for each in changes:
        found.pop(each.key, None)
        if each.value is not None:
            found[each.key] = each.value
    return found


@given(CHANGES)
def test_the_latest_changes_of_some_keys_do_what_all_of_them_did(changes: list[Change]) -> None:
    kept = latest(changes)
    assert len({each.key for each in kept}) == len(kept)
    assert applied(kept) == applied(changes)


@given(SIZES)
def test_a_transaction_is_one_that_etcd_takes_and_nothing_is_left_out(sizes: list[int]) -> None:
    changes = [Change(b"", bytes(size), 0, number) for number, size in enumerate(sizes)]
    cut = list(transactions(changes))
    assert [each for batch in cut for each in batch] == changes
    for batch in cut:
        assert 0 < len(batch) <= MOST < 128
        assert len(batch) == 1 or sum(each.size for each in batch) <= BYTES


@given(st.builds(Position, token=st.text(max_size=9), owner=st.just("o"), pinned=st.integers(0), after=st.binary()))
def test_a_note_is_read_as_it_was_written(position: Position) -> None:
    assert Position.parse(position.written()) == position


@pytest.mark.parametrize("raw", [b"", b"x", b"[]", b"{}", b'{"after": 7}', b'{"after": "", "else": 1}', b"\xff"])
def test_what_is_no_note_is_not_taken_for_one(raw: bytes) -> None:
    with pytest.raises(ValueError):
        Position.parse(raw)


def test_a_digest_tells_where_one_part_ends_and_the_next_begins_and_leaves_out_what_ends_by_itself() -> None:
    def of(*pairs: tuple[bytes, bytes, int]) -> tuple[int, str]:
        digest = Digest()
        for each in pairs:
            digest.add(*each)
        return digest.said()

    assert of((b"a", b"bc", 0)) != of((b"ab", b"c", 0))
    assert of((b"a", b"", 0), (b"b", b"", 0)) != of((b"a", b"b", 0))
    assert of((b"a", b"1", 0), (b"b", b"2", 77)) == of((b"a", b"1", 0)) != of((b"a", b"2", 0))


@given(st.text(max_size=9), st.integers(1, 2**63 - 1))
def test_a_lease_has_one_name_in_the_target_that_etcd_takes(token: str, lease: int) -> None:
    assert 0 < lease_id(token, lease) < 2**63
    assert lease_id(token, lease) == lease_id(token, lease)
    assert lease_id(token, lease) != lease_id(token + "x", lease)
