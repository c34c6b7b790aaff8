"""What can be known of who still needs a former authority or key, and what cannot."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from provider.hosting.rotation import followers
from provider.hosting.rotation.keyring import ACCOUNT, CA, FRONT_PROXY, Keyring
from provider.hosting.view import Follower, Followers, View
from provider.manifest import Manifest, bridge, pem, x509
from provider.manifest.x509 import Pair, Request
from tests.golden.world import NOW, CountedMint, tenant, view

MINT = CountedMint()
OLD, NEW = (x509.authority("kubernetes", MINT, NOW) for _ in range(2))
BRIDGE = bridge.built(NEW.certificate, OLD, MINT, NOW) or b""
KEYS = Keyring(signer=NEW, former=(OLD.certificate,), bridges=(BRIDGE,), since=NOW)
LOST = replace(KEYS, bridges=())
SECOND = timedelta(seconds=1)


def seen(*nodes: Follower, **spec: Any) -> View:
    return view(tenant(**spec), followers=Followers(nodes=nodes))


def node(name: str, born: timedelta, key: str = "") -> Follower:
    return Follower(name=name, born=NOW + born, key=key)


def request(name: str, issuer: Pair, signer: str = followers.KUBELET_CLIENT) -> Manifest:
    made = x509.issue(Request(common_name=name, organizations=("system:nodes",), client=True), issuer, MINT, NOW)
    certificate = base64.b64encode(made.certificate).decode()
    return {"spec": {"signerName": signer}, "status": {"certificate": certificate}}


@pytest.mark.parametrize(
    ("keys", "found", "behind"),
    [
        (KEYS, node("a", -SECOND), ("a",)),
        (KEYS, node("a", timedelta()), ("a",)),
        (KEYS, node("a", SECOND), ()),
        (KEYS, node("a", -SECOND, pem.fingerprint(NEW.certificate)), ()),
        (KEYS, node("a", -SECOND, pem.fingerprint(OLD.certificate)), ("a",)),
        (LOST, node("a", SECOND), ()),
        (LOST, node("a", -SECOND, pem.fingerprint(NEW.certificate)), ("a",)),
    ],
    ids=[
        *("it was there before", "it came at that moment", "it came later", "its kubelet renewed"),
        *("it renewed in an earlier rotation", "there is no bridge: it came later", "there is no bridge: it renewed"),
    ],
)
def test_a_node_follows_by_coming_later_or_where_a_bridge_leads_by_renewing(
    keys: Keyring, found: Follower, behind: tuple[str, ...]
) -> None:
    assert followers.behind(seen(found), CA, keys) == behind


def test_of_a_tenant_that_could_not_be_asked_nothing_is_known() -> None:
    assert followers.behind(view(tenant()), CA, KEYS) is None
    assert followers.behind(seen(), CA, replace(KEYS, since=None)) is None


def test_only_certificates_of_kubelets_that_the_new_authority_signed_tell_of_a_renewal() -> None:
    named = "system:node:a"
    hostile = [{}, {"spec": {}}, {"spec": {"signerName": followers.KUBELET_CLIENT}, "status": {"certificate": "?"}}]
    other = [request(named, OLD), request("a", NEW), request(named, NEW, "kubernetes.io/kubelet-serving")]
    assert followers.renewed([*hostile, *other], NEW) == set()
    assert followers.renewed([*hostile, *other, request(named, NEW), request("system:node:b", NEW)], NEW) == {"a", "b"}


def flags(component: str, *arguments: str) -> dict[str, Any]:
    return {"controlPlane": {"deployment": {"extraArgs": {component: list(arguments)}}}}


@pytest.mark.parametrize(
    ("ring", "spec", "days"),
    [
        (CA, {}, 365),
        (CA, flags("controllerManager", "--cluster-signing-duration=1h30m"), 365),
        (CA, flags("controllerManager", "--cluster_signing_duration=17520h"), 730),
        (ACCOUNT, {}, 365),
        (ACCOUNT, flags("apiServer", "--service-account-max-token-expiration=17520h"), 730),
        (ACCOUNT, flags("apiServer", "--service-account-max-token-expiration=48h"), 365),
        (
            ACCOUNT,
            flags(
                "apiServer",
                "--service-account-max-token-expiration=48h",
                "--service-account-extend-token-expiration=false",
            ),
            2,
        ),
        (FRONT_PROXY, {}, 0),
    ],
)
def test_the_former_one_is_waited_for_as_long_as_what_it_signed_may_live(ring: Any, spec: Any, days: int) -> None:
    assert followers.until(seen(**spec), ring, KEYS) == NOW + timedelta(days=days)


def test_trust_never_expires_so_without_a_bridge_time_alone_drops_nothing() -> None:
    assert followers.until(seen(), CA, LOST) is None
