"""Quantities as Kubernetes reads them; what it would not take is none, and nothing a user writes takes for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.manifest import quantity
from provider.manifest.quantity import LARGEST


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("512Mi", 512 * 1024**2),
        ("1Gi", 1024**3),
        ("1.5G", 1_500_000_000),
        ("2e9", 2_000_000_000),
        ("2E9", 2_000_000_000),
        ("2E", 2 * 10**18),
        ("1e-3", 1),
        ("100m", 1),
        ("1500m", 2),
        ("1u", 1),
        ("3n", 1),
        (".5Ki", 512),
        ("+1k", 1000),
        ("-1Ki", -1024),
        ("0", 0),
        (1024, 1024),
        (1.5, 2),
        ("0e999999999", 0),
    ],
)
def test_a_quantity_is_read_in_whole_units_rounded_up(text: str | float, value: int) -> None:
    assert quantity.whole(text) == value


@pytest.mark.parametrize("text", ["1e999999999", "9" * 1000, "8Ei", "1e30"])
def test_what_is_larger_than_kubernetes_can_count_is_the_largest(text: str) -> None:
    assert quantity.whole(text) == LARGEST


@pytest.mark.parametrize(
    "text", ["", " 1", "1 Mi", "Mi", "1mi", "1KI", "1_000", "NaN", "Infinity", "0x10", "1e", "1e5Mi", "٣", "1..2", True]
)
def test_what_is_no_quantity_is_said_so_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity such as 512Mi"):
        quantity.whole(text)


@given(st.text(alphabet="0123456789.eE+-kKMGTPinum ", max_size=20))
def test_any_text_is_a_quantity_or_said_to_be_none(text: str) -> None:
    try:
        assert -LARGEST <= quantity.whole(text) <= LARGEST
    except ValueError as error:
        assert "is no quantity" in str(error)


@pytest.mark.parametrize(
    ("text", "value"), [("2", 2000), ("35m", 35), ("0.5", 500), ("1500u", 2), ("123456789n", 124), ("1k", 1_000_000)]
)
def test_a_quantity_is_read_in_thousandths_rounded_up(text: str, value: int) -> None:
    assert quantity.milli(text) == value


@pytest.mark.parametrize(("value", "text"), [(35, "35m"), (1000, "1"), (1500, "1500m"), (0, "0")])
def test_thousandths_are_written_as_api_servers_do(value: int, text: str) -> None:
    assert quantity.of_milli(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(160 * 2**20, "160Mi"), (2**30, "1Gi"), (2**30 + 2**20, "1025Mi"), (1000, "1000"), (0, "0")]
)
def test_bytes_are_written_with_the_largest_binary_suffix_that_divides_them(value: int, text: str) -> None:
    assert quantity.of_bytes(value) == text


@given(st.integers(0, 2**60))
def test_what_is_written_is_read_again(value: int) -> None:
    assert quantity.whole(quantity.of_bytes(value)) == value
    assert quantity.milli(quantity.of_milli(value)) == value
