"""Secrets of a tenant: what makes their content new, and that saying the same keeps the time at which it was said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from provider.api import kinds, names
from provider.api.credentials.node import Node
from provider.hosting import credential
from provider.hosting.view import View
from provider.manifest import Manifest, checksum, meta, x509
from provider.manifest.x509 import Pair, Request
from tests.golden.world import NOW, CountedMint, tenant, view

CA = x509.authority("kubernetes", CountedMint(), NOW)
REQUEST = Request(common_name="c", client=True)
NODE = Node(
    title="a leaf",
    sort="certificate",
    home="tenant",
    secret=lambda _: "s",
    component="ca",
    status=("x", "leaf"),
    halves=("crt", "key"),
)
LEAF = x509.issue(REQUEST, CA, CountedMint(2000), NOW)


def secret(rotate: str | None = None, **data: bytes) -> Manifest:
    annotations = {} if rotate is None else {names.ANNOTATION_ROTATE: rotate}
    return meta.new(kinds.SECRET, "s", "tenants", annotations=annotations, data=meta.secret_data(data))


def seen(*objects: Manifest) -> View:
    return view(tenant(), *objects)


def test_a_secret_says_whose_it_is_and_what_it_holds() -> None:
    made = credential.secret(seen(), NODE, {"b": b"2", "a": b"1"})
    assert made["type"] == "Opaque"
    assert meta.decoded(made) == {"a": b"1", "b": b"2"}
    assert meta.labels_of(made) == {
        names.LABEL_PROJECT: "kamaji",
        names.LABEL_NAME: "demo",
        names.LABEL_COMPONENT: "ca",
        names.LABEL_CERTIFICATE_LIFECYCLE: "x509",
    }
    assert meta.annotations_of(made) == {names.ANNOTATION_CHECKSUM: checksum.of({"a": b"1", "b": b"2"})}
    assert made["metadata"]["ownerReferences"][0]["uid"] == "6f0e6f5e-3b1c-4a57-9d53-1c8c6f1f7a11"


def test_a_leaf_that_satisfies_is_kept() -> None:
    assert credential.leaf(seen(), NODE, LEAF, REQUEST, CA) == LEAF


@pytest.mark.parametrize(
    ("found", "before"),
    [
        (seen(secret(rotate="")), LEAF),
        (seen(), None),
        (seen(), Pair(certificate=b"junk", key=b"junk")),
        (replace(seen(), now=NOW + timedelta(days=250)), LEAF),
    ],
    ids=["somebody asked for it", "there is none", "it cannot be read", "two thirds of its life are over"],
)
def test_a_leaf_is_made_anew(found: View, before: Pair | None) -> None:
    made = credential.leaf(found, NODE, before, REQUEST, CA)
    assert made != before
    assert x509.satisfies(made, REQUEST, CA, found.now)


def test_a_rotation_is_done_once_and_says_when() -> None:
    asked = seen(secret(rotate=""))
    assert credential.rotation_asked(asked, "s")
    made = credential.secret(asked, NODE, {"a": b"1"})
    assert meta.annotations_of(made)[names.ANNOTATION_ROTATE] == "2026-11-24T12:00:00Z"
    done = replace(seen(made), now=NOW + timedelta(days=1))
    assert not credential.rotation_asked(done, "s")
    again = credential.secret(done, NODE, {"a": b"1"})
    assert meta.annotations_of(again)[names.ANNOTATION_ROTATE] == "2026-11-24T12:00:00Z"


def test_a_pair_is_held_when_both_halves_are_there() -> None:
    both, half = seen(secret(crt=b"c", key=b"k")), seen(secret(crt=b"c"))
    assert credential.held(both, NODE) == Pair(certificate=b"c", key=b"k")
    assert credential.held(half, NODE) is None
    assert credential.held(seen(), NODE) is None


def test_a_block_keeps_its_time_while_it_says_the_same() -> None:
    first = credential.stamped(seen(), {"a": 1}, None)
    assert first == {"a": 1, "lastUpdate": "2026-11-24T12:00:00Z"}
    later = replace(seen(), now=NOW + timedelta(days=1))
    assert credential.stamped(later, {"a": 1}, first) == first
    assert credential.stamped(later, {"a": 2}, first) == {"a": 2, "lastUpdate": "2026-11-25T12:00:00Z"}
    assert credential.stamped(later, {"a": 1}, {"a": 1}) == {"a": 1, "lastUpdate": "2026-11-25T12:00:00Z"}


def test_a_secret_that_is_not_there_is_not_reported() -> None:
    assert credential.reports(seen(), NODE) == {"x": {}}
    found = credential.reports(seen(secret(a=b"1")), NODE)["x"]["leaf"]
    assert (found["secretName"], found["checksum"]) == ("s", checksum.of({"a": b"1"}))
