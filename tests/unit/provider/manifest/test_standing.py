"""What another program made stays while it says what is asked: kubeconfigs by meaning, leaves by what they vouch for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from provider.hosting.reconcile.mint import RandomMint
from provider.manifest import kubeconfig, privatekey, x509
from provider.manifest.kubeconfig import Kubeconfig
from provider.manifest.x509 import Request

NOW = datetime(2026, 11, 24, tzinfo=UTC)
MINT = RandomMint()
CA = x509.authority("kubernetes", MINT, NOW)
ASKED = Request(common_name="a", names=frozenset({"one", "short"}), server=True, spare=frozenset({"short", "node"}))


@pytest.mark.parametrize(
    ("names", "fits"),
    [
        ({"one", "short"}, True),
        ({"one"}, True),
        ({"one", "node"}, True),
        ({"short"}, False),
        ({"one", "removed.example.com"}, False),
    ],
)
def test_spare_names_may_be_there_or_not_and_no_others(names: set[str], fits: bool) -> None:
    pair = x509.issue(replace(ASKED, names=frozenset(names)), CA, MINT, NOW)
    assert x509.fits(pair, ASKED, CA) is fits


def test_a_fresh_leaf_has_the_spare_names_that_are_asked_for() -> None:
    pair = x509.issue(ASKED, CA, MINT, NOW)
    assert x509.satisfies(pair, replace(ASKED, spare=frozenset()), CA, NOW)


def test_only_a_lax_request_lets_pass_one_that_says_more() -> None:
    asked = Request(common_name="user", client=True)
    more = x509.issue(replace(asked, organizations=("system:masters",), server=True), CA, MINT, NOW)
    assert not x509.fits(more, asked, CA)
    assert x509.fits(more, replace(asked, lax=True), CA)
    assert not x509.fits(more, replace(asked, common_name="other", lax=True), CA)


def test_kubeconfigs_are_the_same_however_they_are_laid_out() -> None:
    pair = x509.issue(Request(common_name="admin", client=True), CA, MINT, NOW)
    ours = Kubeconfig(cluster="t", server="https://a:1", ca=CA.certificate, user="admin", client=pair)
    text = ours.render()
    go = text.replace(b"preferences: {}\n", b"").replace(b"kind: Config\n", b"") + b"kind: Config\n"
    assert go != text
    assert kubeconfig.same(go, text)
    assert not kubeconfig.same(go, replace(ours, server="https://b:1").render())
    assert not kubeconfig.same(go + b"extensions: [x]\n", text)
    assert not kubeconfig.same(b"\xff: [", text)


def test_a_key_is_known_by_its_public_half() -> None:
    key = MINT.key()
    pem = privatekey.private_key_pem(key)
    assert privatekey.public_half(pem) == privatekey.public_half(pem) == privatekey.public_key_pem(key)
    with pytest.raises(ValueError, match="PEM"):
        privatekey.public_half(b"no key")
