"""The one function from a keyspace id to its range: nobody's keys but its own are in it, whatever ids stand side by side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.hosting.datastores.etcd.ranges import PROBE, range_of

IDS = st.from_regex(r"[A-Za-z0-9._-]{1,40}", fullmatch=True)


@given(IDS, st.binary(max_size=20))
def test_a_range_holds_every_key_below_its_id(schema: str, rest: bytes) -> None:
    assert f"/{schema}/".encode() + rest in range_of(schema)


@given(IDS, IDS, st.binary(max_size=20))
def test_a_range_holds_no_key_of_another_id(schema: str, other: str, rest: bytes) -> None:
    assert (f"/{other}/".encode() + rest in range_of(schema)) == (schema == other)


@given(IDS)
def test_no_range_holds_the_providers_own_key(schema: str) -> None:
    assert PROBE not in range_of(schema)


@pytest.mark.parametrize("schema", ["", "/", "a/b", "a\0", "a b", "ä", "a\n", "x" * 254])
def test_what_could_name_another_range_names_none(schema: str) -> None:
    with pytest.raises(ValueError, match="cannot name a keyspace"):
        range_of(schema)
