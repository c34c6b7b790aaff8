"""The three steps of a rotation, as a function of what is held and what is seen: prepare, sign, complete. Pure.

Prepare: the next one is trusted beside the one that signs. Sign: once every pod trusts both, the next one signs, the former
is still trusted. Complete: once nobody needs it any more, the former goes. Each step changes the Secret, so each rolls the
pods; the one after it waits until that is over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from provider.hosting.rotation.keyring import Keyring
from provider.manifest.x509 import Pair

KEPT_BRIDGES = 4  # each lengthens every handshake by some 600 bytes


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is seen of those who hold credentials."""

    asked: bool  # somebody wants another, and that is not carried out yet
    request: str  # the request as it stands, to be remembered when it is carried out
    settled: bool  # every pod runs with what the Secret holds now, and is ready
    unused: bool  # nothing was ever signed for anybody
    followed: bool  # nobody is known to need the former one
    forced: bool  # somebody says that it goes all the same


@dataclass(frozen=True, kw_only=True)
class Making:
    """How a fresh pair is made, and a bridge from it to the pair that signs now (None: there is none to be had)."""

    fresh: Callable[[], Pair]
    bridge: Callable[[bytes, Pair], bytes | None]
    now: datetime


def advanced(held: Keyring, facts: Facts, making: Making) -> Keyring:
    """The keyring after this pass: one step further at most, and the same while nothing is to be done."""
    if held.next is not None:
        return _prepared(held, held.next, facts, making)
    if held.former:
        return _signing(held, facts, making)
    if not facts.asked:
        return held
    if facts.unused:
        return Keyring(signer=making.fresh(), turn=facts.request, made=making.now)
    return replace(held, next=making.fresh())


def _prepared(held: Keyring, following: Pair, facts: Facts, making: Making) -> Keyring:
    if not facts.asked:
        return replace(held, next=None)  # nothing was signed with it: it may go as it came
    if not facts.settled:
        return held
    bridge = making.bridge(following.certificate, held.signer)
    return Keyring(
        signer=following,
        former=(held.signer.certificate, *held.former),
        bridges=(bridge, *held.bridges)[:KEPT_BRIDGES] if bridge else (),
        turn=facts.request,
        made=making.now,
        bundled=True,
    )


def _signing(held: Keyring, facts: Facts, making: Making) -> Keyring:
    if not facts.settled:
        return held
    if held.since is None:
        return replace(held, since=making.now)
    if facts.followed or facts.forced:
        return replace(held, former=(), since=None)
    return held
