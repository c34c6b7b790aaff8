"""Certificates as OpenSSL sees them: our own sessions, curl and most clients that are not written in Go go by its rules."""

from __future__ import annotations

import contextlib
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provider.hosting.reconcile.mint import RandomMint
from provider.manifest import bridge, x509
from provider.manifest.x509 import Pair, Request
from tests.unit.provider.manifest import brought

NOW = datetime.now(UTC)  # OpenSSL has a clock of its own
MINT = RandomMint()
SERVER = Request(common_name="s", names=frozenset({"api.example"}), addresses=frozenset({"192.0.2.1"}), server=True)
CLIENT = Request(common_name="c", client=True)


def loaded(context: ssl.SSLContext, pair: Pair, folder: Path) -> ssl.SSLContext:
    file = folder / "pair.pem"  # Python reads keys from files only
    file.write_bytes(pair.certificate + pair.key)
    context.load_cert_chain(file)
    return context


def shaken(server: Pair, client: Pair, authority: Pair, name: str, folder: Path) -> None:
    """A handshake in memory in which both sides show a certificate. SSLError when one does not take the other's."""
    roots = authority.certificate.decode()
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=roots)
    serving.verify_mode = ssl.CERT_REQUIRED
    dialing = ssl.create_default_context(cadata=roots)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        loaded(dialing, client, folder).wrap_bio(back, there, server_hostname=name),
        loaded(serving, server, folder).wrap_bio(there, back, server_side=True),
    )
    for each in sides * 3:
        with contextlib.suppress(ssl.SSLWantReadError):
            each.do_handshake()


@pytest.mark.parametrize("identifier", ["sha1", "sha256", ""], ids=["SHA-1", "SHA-256, as Go 1.25", "none"])
@pytest.mark.parametrize("name", ["api.example", "192.0.2.1"])
def test_leaves_of_a_brought_authority_are_taken_however_it_names_its_key(
    identifier: str, name: str, tmp_path: Path
) -> None:
    ca = brought.authority(NOW, identifier=identifier)
    server, client = (x509.issue(each, ca, MINT, NOW) for each in (SERVER, CLIENT))
    shaken(server, client, ca, name, tmp_path)
    assert x509.satisfies(server, SERVER, ca, NOW)


def test_leaves_of_our_own_authority_are_taken(tmp_path: Path) -> None:
    ca = x509.authority("kubernetes", MINT, NOW)
    shaken(x509.issue(SERVER, ca, MINT, NOW), x509.issue(CLIENT, ca, MINT, NOW), ca, "api.example", tmp_path)


def test_a_leaf_for_servers_is_no_client(tmp_path: Path) -> None:
    ca = x509.authority("kubernetes", MINT, NOW)
    server = x509.issue(SERVER, ca, MINT, NOW)
    with pytest.raises(ssl.SSLError):
        shaken(server, server, ca, "api.example", tmp_path)


def test_a_leaf_that_names_another_key_as_its_authoritys_is_made_again() -> None:
    ours, go = brought.authority(NOW, identifier="sha1"), brought.authority(NOW, identifier="sha256")
    leaf = x509.issue(SERVER, ours, MINT, NOW)
    assert x509.satisfies(leaf, SERVER, ours, NOW)
    assert not x509.satisfies(leaf, SERVER, go, NOW), "the same key under another identifier: OpenSSL finds no issuer"


def test_a_leaf_of_an_authority_without_an_identifier_is_kept() -> None:
    ca = brought.authority(NOW, identifier="")
    leaf = x509.issue(SERVER, ca, MINT, NOW)
    assert x509.satisfies(leaf, SERVER, replace(ca), NOW + timedelta(days=100))


@pytest.mark.parametrize("identifier", ["sha1", "sha256", ""], ids=["SHA-1", "SHA-256, as Go 1.25", "none"])
@pytest.mark.parametrize("turns", [1, 3])
def test_who_trusts_only_an_earlier_authority_takes_a_leaf_that_bridges_stand_behind(
    identifier: str, turns: int, tmp_path: Path
) -> None:
    first = signer = brought.authority(NOW, identifier=identifier)
    bridges = b""
    for _ in range(turns):
        following = x509.authority("kubernetes", MINT, NOW)
        built = bridge.built(following.certificate, signer, MINT, NOW)
        assert built is not None
        signer, bridges = following, built + bridges
    server, client = (x509.issue(each, signer, MINT, NOW) for each in (SERVER, CLIENT))
    chained = [replace(each, certificate=each.certificate + bridges) for each in (server, client)]
    shaken(*chained, first, "api.example", tmp_path)
    shaken(*chained, signer, "api.example", tmp_path)
    with pytest.raises(ssl.SSLError):
        shaken(server, client, first, "api.example", tmp_path)
