"""What the condition RotationComplete says of each step: what is waited for, and what a user can do about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from provider.api import kinds, names
from provider.hosting.rotation import keyring
from provider.hosting.rotation.keyring import ACCOUNT, CA, FRONT_PROXY, Keyring, Ring
from provider.hosting.status import rotation as status
from provider.hosting.view import Follower, Followers, Rollout, View
from provider.manifest import Manifest, bridge, meta, pem, privatekey, x509
from provider.manifest.x509 import Pair
from tests.golden.world import NOW, CountedMint, tenant, view

MINT = CountedMint()
OLD, NEW = (x509.authority("kubernetes", MINT, NOW) for _ in range(2))
BRIDGE = bridge.built(NEW.certificate, OLD, MINT, NOW) or b""
NAME = pem.fingerprint(NEW.certificate)
PREPARED = Keyring(signer=OLD, next=NEW)
SIGNING = Keyring(signer=NEW, former=(OLD.certificate,), bridges=(BRIDGE,))
FOLLOWED = replace(SIGNING, since=NOW)
FORCE = f"set annotation {names.ANNOTATION_COMPLETE_ROTATION} to {NAME}"
TOMORROW = "2026-11-25T12:00:00Z"
LIMIT = "2027-11-24T12:00:00Z"


def pair_of_tokens() -> Pair:
    key = MINT.key()
    return Pair(certificate=privatekey.public_key_pem(key), key=privatekey.private_key_pem(key))


TOKENS = Keyring(signer=pair_of_tokens(), former=(pair_of_tokens().certificate,), since=NOW)


def held(ring: Ring, keys: Keyring) -> Manifest:
    data, notes = meta.secret_data(keyring.written(ring, keys)), keyring.noted(keys)
    return meta.new(kinds.SECRET, ring.secret("demo"), "tenants", annotations=notes, data=data)


def told(*secrets: Manifest, **changes: Any) -> tuple[str, str]:
    (found,) = status.conditions(view(tenant(), *secrets, **changes))
    assert (found.type, found.status) == ("RotationComplete", "False")
    return found.reason, found.message


def nodes(*those: str) -> Followers:
    return Followers(nodes=tuple(Follower(name=each, born=NOW - timedelta(days=1)) for each in those))


@pytest.mark.parametrize(
    ("ring", "keys", "changes", "reason", "words"),
    [
        (CA, PREPARED, {}, "Preparing", [f"certificate authority {NAME} is trusted beside the one that signs"]),
        (
            CA,
            PREPARED,
            {"rollout": Rollout(version="v1.35.0", reason="r", message="m")},
            "Preparing",
            ["which waits until they run v1.36.3"],
        ),
        (CA, SIGNING, {}, "Signing", [f"{NAME} signs", "pods change over"]),
        (CA, FOLLOWED, {}, "NodesUnknown", ["the tenant is to be asked", LIMIT, FORCE]),
        (CA, FOLLOWED, {"followers": nodes("b", "a")}, "NodesBehind", ["node a, b; wait", LIMIT, FORCE]),
        (
            CA,
            FOLLOWED,
            {"followers": nodes(*map(str, range(7)))},
            "NodesBehind",
            ["node 0, 1, 2, 3, 4 and 2 more; wait"],
        ),
        (
            CA,
            replace(FOLLOWED, bridges=()),
            {"followers": nodes("a")},
            "NodesBehind",
            ["node a; make the machines anew; to drop"],
        ),
        (
            CA,
            FOLLOWED,
            {"followers": nodes()},
            "Completing",
            [f"people have until {TOMORROW}"],
        ),
        (FRONT_PROXY, FOLLOWED, {}, "Completing", ["front proxy's certificate authority"]),
        (ACCOUNT, TOKENS, {}, "TokensBehind", [f"tokens that it signed expire (by {LIMIT} at the latest)"]),
        (
            ACCOUNT,
            TOKENS,
            {"followers": Followers(tokens=(Follower(name="ns/old", born=NOW),))},
            "TokensBehind",
            ["tokens that never expire: Secret ns/old; delete these Secrets"],
        ),
    ],
)
def test_each_step_says_what_it_waits_for(
    ring: Ring, keys: Keyring, changes: dict[str, Any], reason: str, words: list[str]
) -> None:
    found = told(held(ring, keys), **changes)
    assert found[0] == reason
    for each in words:
        assert each in found[1]


def test_two_rotations_are_told_in_one_condition() -> None:
    reason, message = told(held(CA, PREPARED), held(FRONT_PROXY, SIGNING))
    assert reason == "Preparing"
    assert "; front proxy's certificate authority" in message


def test_while_nothing_rotates_there_is_no_condition() -> None:
    seen: View = view(tenant(), held(CA, Keyring(signer=OLD)))
    assert status.conditions(seen) == []
