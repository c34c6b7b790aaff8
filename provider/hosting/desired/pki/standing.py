"""What signs in a Secret as it stands: read, judged, and completed by what is remembered of it. Called by `authorities`.

One that cannot be used is never replaced silently. One that is gone, or was replaced by hand, leaves behind what was trusted:
that is remembered in the Secret of trusted keys, and stays trusted until its holders have followed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509 as parsing
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from provider.api import names
from provider.api.verdict import Invalid, NotReady
from provider.hosting import credential, rotation
from provider.hosting.rotation.keyring import Keyring, Ring
from provider.hosting.view import View
from provider.manifest import bridge, lifetime, pem, privatekey, x509
from provider.manifest.condition import timestamp
from provider.manifest.x509 import Pair


@dataclass(frozen=True, kw_only=True)
class Sort:
    """What certificates and bare keys do differently."""

    wanted: str  # what a usable pair is, in words
    usable: Callable[[Pair, datetime], bool]
    alive: Callable[[bytes, datetime], bool]  # whether one block is still worth to be trusted
    trusting: str  # who trusts it
    public: Callable[
        [bytes, bytes], bytes | None
    ]  # the public half of a private one that lost it, out of what is remembered
    brought: bool = True  # whether it may come as a TLS Secret


def _certificate(block: bytes, now: datetime) -> bool:
    """Whether a block is the certificate of an authority that has not expired."""
    try:
        found = parsing.load_pem_x509_certificate(block)
        basic = found.extensions.get_extension_for_class(parsing.BasicConstraints).value
        return basic.ca and now < found.not_valid_after_utc
    except (ValueError, parsing.ExtensionNotFound):
        return False


def _match(pair: Pair, _: datetime) -> bool:
    try:
        return privatekey.public_half(pair.key).strip() == pair.certificate.strip()
    except (ValueError, TypeError):
        return False


def _public(block: bytes, _: datetime) -> bool:
    """Whether a block is a public key."""
    try:
        serialization.load_pem_public_key(block)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def _remembered(private: bytes, memory: bytes) -> bytes | None:
    """The certificate among these whose key it is."""
    try:
        half = privatekey.public_half(private)
    except (ValueError, TypeError):
        return None
    return next((each for each in pem.blocks(memory) if x509.is_of(each, half)), None)


def _derived(private: bytes, _: bytes) -> bytes | None:
    try:
        return privatekey.public_half(private)
    except (ValueError, TypeError):
        return None


AUTHORITY = Sort(
    wanted="a certificate authority with its key that has not expired",
    usable=x509.authority_is_usable,
    alive=_certificate,
    trusting="workers and clients",
    public=_remembered,
)
TOKENS = Sort(
    wanted="an RSA or ECDSA key with its public half",
    usable=_match,
    alive=_public,
    trusting="all tokens",
    public=_derived,
    brought=False,
)


def keys(view: View, ring: Ring, sort: Sort) -> Keyring | None:
    """What is held now; None when a new pair is to be made at once: there is none, or one of no use, and somebody asks.

    Invalid when only half a pair is there, or one that cannot be used: somebody's mistake. NotReady when its time is to come.
    """
    secret, asked = ring.secret(view.name), credential.rotation_asked(view, ring.secret(view.name))
    found = _held(view, ring, sort)
    if found is None:
        present = {ring.public, ring.private} & set(view.secret(secret))
        if present and not asked:
            raise Invalid(
                "AuthorityIncomplete",
                f"Secret {view.namespace}/{secret} has {present.pop()} only: add the other of {ring.public} and"
                f" {ring.private}, or delete the Secret to have a new pair made",
            )
        return None
    if not sort.usable(found.signer, view.now):
        if asked:
            return None
        raise Invalid(
            "AuthorityUnusable",
            f"Secret {view.namespace}/{secret}: {ring.public} and {ring.private} are not {sort.wanted}. It is not replaced"
            f" by itself, for {sort.trusting} depend on it: put a usable pair there; or delete the Secret to have a new one"
            " made, after which workers have to join again",
        )
    if sort.brought and (begins := lifetime.begins(found.signer.certificate)) > view.now:
        raise NotReady(
            "AuthorityNotYetValid",
            f"Secret {view.namespace}/{secret}: {ring.public} is valid from {timestamp(begins)}, and nobody believes what it"
            " signs before: wait, or look at the clocks of whoever made it and of this cluster's nodes",
        )
    return _sound(view, found, sort)


def remembering(view: View, ring: Ring, sort: Sort, held: Keyring) -> Keyring:
    """With what was trusted at the end of the last pass and is in nobody's hand any more: lost, or replaced by a user.

    A pass that died between its writes leaves such a trace as well: then the former one is waited for once more.
    """
    memory = view.secret(names.trusted_keys_secret(view.name)).get(ring.public, b"")
    known = pem.blocks(held.trusted)
    lost = tuple(each for each in pem.blocks(memory) if each not in known and sort.alive(each, view.now))
    if not lost or rotation.unused(view):
        return held
    return replace(held, former=(*held.former, *lost), since=None)


def _held(view: View, ring: Ring, sort: Sort) -> Keyring | None:
    """As the Secret says it, or a TLS Secret: so Cluster API's users and cert-manager bring an authority.

    One that lost its public half gets it back, where that can be told from the private one.
    """
    data = view.secret(ring.secret(view.name))
    if ring.private in data and ring.public not in data:
        memory = view.secret(names.trusted_keys_secret(view.name)).get(ring.public, b"")
        found = sort.public(data[ring.private], memory + data.get("tls.crt", b""))
        return rotation.held(view, ring, {ring.public: found}) if found else None
    if sort.brought and "tls.key" in data and ring.private not in data:
        ring = replace(ring, public="tls.crt", private="tls.key")
    return rotation.held(view, ring)


def _sound(view: View, found: Keyring, sort: Sort) -> Keyring:
    """Without what beside the pair that signs is of no use: expired meanwhile, or not ours."""
    following, own = found.next, pem.blocks(found.signer.certificate)
    if following is not None and not sort.usable(following, view.now):
        following = None
    former = tuple(each for each in found.former if each not in own and sort.alive(each, view.now))
    whole = bridge.leads(found.bridges, found.signer.certificate, view.now)
    return replace(found, next=following, former=former, bridges=found.bridges if whole else ())
