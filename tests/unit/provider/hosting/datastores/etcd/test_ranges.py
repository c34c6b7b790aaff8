"""A tenant's range of keys holds all of its own and none of another's, by the bytes, as etcd compares them (CVE-2024-42480)."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provider.hosting.datastores.etcd.ranges import range_of

ALPHABET = string.ascii_letters + string.digits + "._-"
ids = st.text(ALPHABET, min_size=1, max_size=12)
# What kube-apiserver, or somebody who holds a tenant's certificate, may write behind the prefix.
rests = st.binary(max_size=12)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, str]:
    """Two different ids, often one the beginning of the other."""
    one = draw(ids)
    other = draw(
        st.one_of(ids, ids.map(lambda rest: one + rest), st.sampled_from(ALPHABET).map(lambda end: one[:-1] + end))
    )
    return (one, other) if one != other else (one, other + "a")


def key(schema: str, rest: bytes) -> bytes:
    return f"/{schema}/".encode() + rest


@given(ids, rests)
@example("a", b"")
@example("a", b"\xff" * 12)
@example("a", b"\x00")
def test_every_key_of_an_id_lies_in_its_own_range(schema: str, rest: bytes) -> None:
    assert key(schema, rest) in range_of(schema)


@given(pairs(), rests)
@example(("a", "a-b"), b"x")
@example(("a", "a."), b"x")
@example(("a", "a0"), b"x")
@example(("a", "aa"), b"x")
@example(("a", "b"), b"")
@example(("A", "a"), b"x")
def test_no_key_of_one_id_lies_in_the_range_of_another(both: tuple[str, str], rest: bytes) -> None:
    one, other = both
    assert key(one, rest) not in range_of(other)
    assert key(other, rest) not in range_of(one)


@given(pairs())
def test_two_ranges_have_no_key_in_common(both: tuple[str, str]) -> None:
    first, second = sorted((range_of(each) for each in both), key=lambda each: each.start)
    assert first.end <= second.start


@given(ids, st.binary(max_size=20))
def test_what_lies_in_a_range_begins_with_its_id_between_slashes(schema: str, any_key: bytes) -> None:
    assert (any_key in range_of(schema)) == any_key.startswith(f"/{schema}/".encode())


@given(ids)
def test_a_range_has_an_end_and_its_ends_are_no_ones_keys(schema: str) -> None:
    own = range_of(schema)
    assert own.start < own.end, "etcd takes an end of \\0 for everything from the start on"
    assert own.end not in own
    assert f"/{schema}".encode() not in own


@pytest.mark.parametrize(
    "schema", ["", "a/b", "/", "a/", "a b", "a\n", "a\0", "ü", "a*", "..\\", "a" * 254, "a\u2044b", "%2f"]
)
def test_what_cannot_name_a_keyspace_is_refused(schema: str) -> None:
    with pytest.raises(ValueError, match="cannot name a keyspace"):
        range_of(schema)


@given(st.text(max_size=6))
def test_any_text_is_refused_or_a_keyspace_of_its_own(text: str) -> None:
    try:
        own = range_of(text)
    except ValueError:
        assert not text or set(text) - set(ALPHABET)
    else:
        assert own.start == f"/{text}/".encode()


@pytest.mark.parametrize("schema", ["a" * 253, "-", ".", "..", "6f0e6f5e-3b1c-4a57-9d53-1c8c6f1f7a11"])
def test_odd_names_within_the_shape_are_keyspaces(schema: str) -> None:
    assert key(schema, b"registry/pods/a/b") in range_of(schema)
