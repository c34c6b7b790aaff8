"""Tenants of a pool's store follow another authority of it a few at a time, and nobody waits who is cut off already."""

from __future__ import annotations

from dataclasses import replace

from provider.api import kinds
from provider.api.credentials import tenants
from provider.hosting.reconcile import following
from provider.hosting.reconcile.pacing import Key, Starts
from provider.hosting.view import Store, View
from provider.manifest import Manifest, meta, x509
from tests.golden.world import NOW, CountedMint, store, tenant, view

MINT = CountedMint(50_000)
NEW, STRANGER = (x509.authority("etcd-ca", MINT, NOW) for _ in range(2))
OLD = store().client_ca
assert OLD is not None
BOTH = OLD.certificate + NEW.certificate


def pooled(ca: bytes, **also: object) -> Store:
    return replace(store(), pooled=True, ca=ca, **also)  # type: ignore[arg-type]


def runs(name: str, offered: Store, trusts: bytes, *, ready: bool = True, replicas: int = 1) -> View:
    leaf = x509.issue(x509.Request(common_name="x", client=True), OLD, MINT, NOW)
    data = {"ca.crt": trusts, "server.crt": leaf.certificate, "server.key": leaf.key}
    secret = meta.new(kinds.SECRET, tenants.STORE_CLIENT.secret(name), "tenants", data=meta.secret_data(data))
    counts = dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas"), replicas if ready else 0)
    deployment: Manifest = meta.new(
        kinds.DEPLOYMENT, name, "tenants", spec={"replicas": replicas, "template": {}}, status=counts
    )
    return view(tenant(metadata={"name": name}), secret, deployment, store=offered)


def turns(limit: int = 1) -> tuple[Starts, list[Key]]:
    woken: list[Key] = []
    return Starts(limit=limit, monotonic=lambda: 0.0, wake=woken.append), woken


def test_one_goes_over_after_the_other_and_who_waits_trusts_whom_it_trusted() -> None:
    found, woken = turns()
    first, second = (runs(each, pooled(BOTH), OLD.certificate) for each in ("a", "b"))
    after, now = following.at_its_turn(found, ("tenants", "a"), first)
    assert (after.store, now) == (first.store, True)
    after, now = following.at_its_turn(found, ("tenants", "b"), second)
    assert after.store is not None
    assert (after.store.ca, now) == (OLD.certificate, False)
    rolling = runs("a", pooled(BOTH), BOTH, ready=False)
    assert following.at_its_turn(found, ("tenants", "a"), rolling)[1]
    assert woken == [], "its pods are not all there yet"
    following.at_its_turn(found, ("tenants", "a"), runs("a", pooled(BOTH), BOTH))
    assert woken == [("tenants", "b")]
    assert following.at_its_turn(found, ("tenants", "b"), second) == (second, True)


def test_it_is_a_turn_as_well_to_show_what_the_new_one_signed() -> None:
    found, _ = turns()
    signs = pooled(NEW.certificate + OLD.certificate, client_ca=NEW, others=(OLD.certificate,))
    assert following.at_its_turn(found, ("tenants", "a"), runs("a", signs, BOTH))[1]
    after, now = following.at_its_turn(found, ("tenants", "b"), runs("b", signs, BOTH))
    assert not now
    assert after.store is not None
    assert after.store.ca == BOTH


def test_who_is_cut_off_sleeps_or_is_in_a_store_of_somebody_else_does_not_wait() -> None:
    found, _ = turns(limit=0)
    for each in (
        runs("a", pooled(STRANGER.certificate), OLD.certificate),
        runs("b", pooled(BOTH), OLD.certificate, replicas=0),
        runs("c", replace(store(), ca=BOTH), OLD.certificate),
    ):
        assert following.at_its_turn(found, ("tenants", each.name), each) == (each, True)
