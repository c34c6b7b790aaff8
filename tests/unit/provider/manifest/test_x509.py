"""Certificates are judged by what they say: names as sets, usages, issuer, key and time left."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from cryptography import x509 as cryptography_x509
from hypothesis import given
from hypothesis import strategies as st

from provider.hosting.reconcile.mint import RandomMint
from provider.manifest import lifetime, x509
from provider.manifest.kubeconfig import Kubeconfig, parse
from tests.golden.world import CountedMint

NOW = datetime(2026, 11, 24, tzinfo=UTC)
MINT = RandomMint()
CA = x509.authority("kubernetes", MINT, NOW)
SERVER = x509.Request(
    common_name="kube-apiserver", names=frozenset({"a", "b"}), addresses=frozenset({"127.0.0.1", "::1"}), server=True
)
LEAF = x509.issue(SERVER, CA, MINT, NOW)


def test_a_leaf_satisfies_the_request_it_was_made_for() -> None:
    assert x509.satisfies(LEAF, SERVER, CA, NOW)


@pytest.mark.filterwarnings("ignore:Attribute's length")
def test_a_user_whose_recorded_name_is_longer_than_rfc_5280_likes_gets_its_leaf_and_keeps_it() -> None:
    request = replace(SERVER, common_name="u" * 253)
    pair = x509.issue(request, CA, MINT, NOW)
    assert x509.satisfies(pair, request, CA, NOW)
    assert not x509.satisfies(pair, replace(request, common_name="u" * 252), CA, NOW)


def test_the_order_of_names_does_not_matter() -> None:
    assert x509.satisfies(LEAF, replace(SERVER, names=frozenset({"b", "a"})), CA, NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"common_name": "other"},
        {"names": frozenset({"a"})},
        {"names": frozenset({"a", "b", "c"})},
        {"addresses": frozenset({"127.0.0.1"})},
        {"organizations": ("system:masters",)},
        {"client": True},
    ],
)
def test_a_leaf_that_says_more_or_less_is_made_again(change: dict[str, object]) -> None:
    assert not x509.satisfies(LEAF, replace(SERVER, **change), CA, NOW)


def test_a_leaf_is_renewed_at_two_thirds_of_its_life() -> None:
    assert x509.satisfies(LEAF, SERVER, CA, NOW + x509.LEAF_LIFE * 0.65)
    assert not x509.satisfies(LEAF, SERVER, CA, NOW + x509.LEAF_LIFE * 0.67)


def test_a_leaf_of_another_authority_of_the_same_name_is_made_again() -> None:
    assert not x509.satisfies(LEAF, SERVER, x509.authority("kubernetes", MINT, NOW), NOW)


def test_a_leaf_with_another_key_is_made_again() -> None:
    other = x509.issue(SERVER, CA, MINT, NOW)
    assert not x509.satisfies(replace(LEAF, key=other.key), SERVER, CA, NOW)


def test_a_leaf_never_outlives_its_authority() -> None:
    late = NOW + x509.CA_LIFE - timedelta(days=10)
    leaf = cryptography_x509.load_pem_x509_certificate(x509.issue(SERVER, CA, MINT, late).certificate)
    authority = cryptography_x509.load_pem_x509_certificate(CA.certificate)
    assert leaf.not_valid_after_utc <= authority.not_valid_after_utc


@pytest.mark.parametrize("pair", [x509.Pair(certificate=b"", key=b""), replace(CA, key=LEAF.key), LEAF])
def test_what_cannot_sign_is_no_authority(pair: x509.Pair) -> None:
    assert not x509.authority_is_usable(pair, NOW)


def test_an_rsa_authority_signs_too() -> None:
    authority = x509.authority("kubernetes", MINT, NOW, "RSA-2048")
    assert x509.satisfies(x509.issue(SERVER, authority, MINT, NOW), SERVER, authority, NOW)


def test_a_kubeconfig_is_read_back_as_it_was_written() -> None:
    wanted = Kubeconfig(cluster="c", server="https://h:1", ca=CA.certificate, user="u", client=LEAF, context="u@c")
    text = wanted.render()
    assert parse(text) == wanted
    assert text.endswith(b"\n")
    assert b"---\n" not in text


def test_what_is_no_kubeconfig_is_said_so() -> None:
    with pytest.raises(ValueError, match="kubeconfig"):
        parse(b"apiVersion: v1")


lives = st.timedeltas(min_value=timedelta(hours=1), max_value=timedelta(days=3650))


@given(st.timedeltas(min_value=timedelta(hours=1), max_value=timedelta(days=3649)))
def test_renewal_is_due_exactly_at_two_thirds(life: timedelta) -> None:
    request = replace(SERVER, life=life)
    leaf = x509.issue(request, CA, MINT, NOW)
    parsed = cryptography_x509.load_pem_x509_certificate(leaf.certificate)
    begins, ends = parsed.not_valid_before_utc, parsed.not_valid_after_utc
    due = lifetime.due(parsed)
    assert abs((due - begins) * 3 - (ends - begins) * 2) <= timedelta(microseconds=3)
    assert x509.satisfies(leaf, request, CA, due - timedelta(microseconds=1))
    assert not x509.satisfies(leaf, request, CA, due)


@pytest.mark.keeps("better.validity")
@given(lives, st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3650)))
def test_a_leaf_is_valid_from_before_it_was_made_and_ends_with_its_request_or_its_authority(
    life: timedelta, age: timedelta
) -> None:
    now = NOW + min(age, x509.CA_LIFE - timedelta(hours=1))
    parsed = cryptography_x509.load_pem_x509_certificate(
        x509.issue(replace(SERVER, life=life), CA, MINT, now).certificate
    )
    authority = cryptography_x509.load_pem_x509_certificate(CA.certificate)
    assert parsed.not_valid_before_utc <= now - x509.BACKDATE < parsed.not_valid_before_utc + timedelta(seconds=1)
    wanted = min(now + life, authority.not_valid_after_utc)
    assert wanted - timedelta(seconds=1) < parsed.not_valid_after_utc <= wanted


@given(st.text(max_size=40), st.text(max_size=40))
def test_each_holder_has_its_own_share_by_which_it_is_early_and_keeps_it(one: str, other: str) -> None:
    assert 0 <= lifetime.spread(one) < lifetime.SPREAD
    assert lifetime.spread(one) == lifetime.spread(one)
    leaf = cryptography_x509.load_pem_x509_certificate(LEAF.certificate)
    due = [lifetime.due(leaf, lifetime.spread(each)) for each in (one, other)]
    assert abs(due[0] - due[1]) < (leaf.not_valid_after_utc - leaf.not_valid_before_utc) * lifetime.SPREAD


def test_a_hundred_holders_are_spread_over_that_share() -> None:
    shares = sorted(lifetime.spread(f"tenant-{number}") for number in range(100))
    assert all(second - first < lifetime.SPREAD / 5 for first, second in pairwise(shares))


@pytest.mark.keeps("better.renewal")
def test_a_leaf_that_ends_with_its_authority_is_not_made_anew_for_nothing() -> None:
    """Each would live a third as long as the one before it, and each rolls the pods."""
    late = NOW + x509.CA_LIFE - timedelta(days=10)
    leaf = x509.issue(SERVER, CA, MINT, late)
    for hours in range(240):
        assert x509.satisfies(leaf, SERVER, CA, late + timedelta(hours=hours))
    longer = replace(x509.authority("kubernetes", MINT, late), key=CA.key)
    assert not x509.satisfies(leaf, SERVER, longer, late + timedelta(days=9))


def test_a_leaf_that_is_not_valid_yet_is_made_again() -> None:
    assert not x509.satisfies(LEAF, SERVER, CA, NOW - timedelta(days=1))


def test_equal_input_gives_equal_bytes() -> None:
    first, second = (x509.issue(SERVER, CA, CountedMint(), NOW) for _ in range(2))
    assert first == second


LONG_NAMES = """
import warnings
from datetime import UTC, datetime
from cryptography.x509 import load_pem_x509_certificate
from provider.manifest import x509
from provider.hosting.reconcile.mint import RandomMint
mint, now = RandomMint(), datetime(2026, 11, 24, tzinfo=UTC)
leaf = x509.issue(x509.Request(common_name="u" * 65, client=True), x509.authority("ca", mint, now), mint, now)
assert len(load_pem_x509_certificate(leaf.certificate).subject.rfc4514_string()) == 68
warnings.warn("Attribute's length must be >= 2 and <= 2, but it was 3")
"""


def test_a_long_name_is_made_and_read_without_a_word_in_the_log_and_other_warnings_are_said() -> None:
    done = subprocess.run([sys.executable, "-c", LONG_NAMES], capture_output=True, text=True, check=True)
    assert [line for line in done.stderr.splitlines() if "Warning" in line] == [
        "<string>:10: UserWarning: Attribute's length must be >= 2 and <= 2, but it was 3"
    ]
