"""Requests to a bucket that we sign ourselves are signed as AWS' own documents do it, and no message has a key in it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from provider.hosting.datastores.bucket import unfinished
from provider.hosting.datastores.bucket.address import Address, Keys

EXAMPLE = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
MOMENT = datetime(2013, 5, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "signature"),
    [
        ({"lifecycle": ""}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ({"prefix": "J", "max-keys": "2"}, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ],
)
def test_the_examples_of_signature_version_4_come_out(query: dict[str, str], signature: str) -> None:
    at = Address(
        bucket="b", folder="", region="us-east-1", endpoint="https://examplebucket.s3.amazonaws.com", keys=EXAMPLE
    )
    found = unfinished.signed(at, "GET", "/", query, MOMENT)
    assert found["authorization"].endswith(f"Signature={signature}")


def test_keys_that_are_not_all_there_are_none_and_the_secret_one_is_not_shown() -> None:
    assert Keys.of({"AWS_ACCESS_KEY_ID": b"a"}) is None
    assert Keys.of({"AWS_ACCESS_KEY_ID": b"a", "AWS_SECRET_ACCESS_KEY": b" \n"}) is None
    found = Keys.of({"AWS_ACCESS_KEY_ID": b"a\n", "AWS_SECRET_ACCESS_KEY": b"very secret\n"})
    assert found == Keys("a", "very secret")
    assert "very secret" not in repr(found)


def test_who_is_not_known_ends_no_uploads() -> None:
    unfinished.end(Address(bucket="b", folder="f", region="r", endpoint="http://127.0.0.1:1"), "x")


def test_a_bucket_that_does_not_answer_hinders_nothing() -> None:
    at = Address(bucket="b", folder="f", region="r", endpoint="http://127.0.0.1:1", keys=EXAMPLE)
    unfinished.end(at, "x")
