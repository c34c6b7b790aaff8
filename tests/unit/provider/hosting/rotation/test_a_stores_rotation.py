"""Another authority for a pool's store, step by step: who has to follow is waited for and named, and nobody is cut off."""

from __future__ import annotations

import pytest

from provider.api import names
from provider.hosting.rotation import stores
from provider.hosting.rotation.keyring import Ring
from provider.hosting.rotation.stores import CLIENTS, PEERS
from provider.manifest import pem
from tests.unit.provider.hosting.rotation.store_planes import StorePlane, dropped, wrongs

both = pytest.mark.parametrize("ring", [CLIENTS, PEERS], ids=["clients", "peers"])
LONG = 40


def until_over(plane: StorePlane) -> int:
    """Rounds until nothing is done any more; nobody is ever cut off, and one member at a time is away."""
    for number in range(LONG):
        wrote = plane.round()
        assert list(wrongs(plane)) == []
        assert list(dropped(plane)) == []
        assert plane.step is None or plane.step.also == ()
        if not wrote and plane.step is None and not plane.rotating:
            return number
    raise AssertionError(plane.told())


@both
@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("place", ["pool", "store"])
def test_when_another_is_asked_for_it_comes_in_phases_and_the_former_goes(ring: Ring, members: int, place: str) -> None:
    plane = StorePlane(members=members).born()
    before = {each: plane.keys(each).signer for each in stores.RINGS}
    (plane.said if place == "pool" else plane.said_of_store)[ring.request] = "one"
    if place == "store":
        plane.objects["DataStore", "", "default"]["metadata"]["annotations"] = dict(plane.said_of_store)
    until_over(plane)
    for each in stores.RINGS:
        keys = plane.keys(each)
        assert (keys.signer != before[each]) == (each is ring)
        assert pem.blocks(keys.trusted) == (keys.signer.certificate,)
    assert plane.told() == ("", "")


@both
def test_a_value_asks_once_and_another_asks_again(ring: Ring) -> None:
    plane = StorePlane().born()
    plane.said[ring.request] = "one"
    until_over(plane)
    first = plane.keys(ring).signer
    assert plane.round() == 0
    assert plane.keys(ring).signer == first
    plane.said.pop(ring.request)
    plane.round()
    plane.said[ring.request] = "two"
    until_over(plane)
    assert plane.keys(ring).signer != first


def test_a_tenant_that_does_not_follow_is_named_and_holds_up_both_steps() -> None:
    plane = StorePlane().born()
    plane.said[CLIENTS.request] = "one"
    lazy = plane.tenants[1]
    for _ in range(10):
        plane.passed()
        plane.settle()
        for each in plane.tenants[:1]:
            plane.looked(each)
            plane.roll(each)
    reason, message = plane.told()
    assert reason == "TenantsBehind"
    assert "is trusted beside the one that signs; tenants that have yet to follow: tenants/t1;" in message
    plane.looked(lazy)
    plane.passed()
    assert plane.told()[0] == "TenantsBehind", "its pods were started before"
    plane.roll(lazy)
    plane.passed()
    for _ in range(6):
        plane.passed()
        for name in plane.mates:
            plane.kubelets_look(name)
    reason, message = plane.told()
    assert (reason, "signs, the former one is trusted still; tenants" in message) == ("TenantsBehind", True)
    assert "tenants/t0, tenants/t1" in message
    until_over(plane)


def test_a_member_that_still_shows_the_former_ones_is_named_and_waited_for() -> None:
    plane = StorePlane().born()
    plane.said[CLIENTS.request] = "one"
    for _ in range(20):
        plane.passed()
        plane.settle()
        for each in plane.tenants:
            plane.looked(each)
            plane.roll(each)
    reason, message = plane.told()
    assert reason == "MembersBehind"
    assert (
        "signs, the former one is trusted still; members that have yet to follow: default-etcd-0, default-etcd-1"
        in message
    )
    until_over(plane)


def test_whoever_says_so_ends_the_rotation_without_a_tenant_that_does_not_follow() -> None:
    plane = StorePlane().born()
    plane.said[CLIENTS.request] = "one"

    def rounds() -> None:
        for _ in range(12):
            plane.passed()
            plane.settle()
            for name in plane.mates:
                plane.kubelets_look(name)
            plane.looked(plane.tenants[0])
            plane.roll(plane.tenants[0])

    rounds()
    assert plane.told()[0] == "TenantsBehind"
    keys = plane.keys(CLIENTS)
    assert keys.next is not None
    plane.said[names.ANNOTATION_COMPLETE_ROTATION] = pem.fingerprint(keys.next.certificate)
    rounds()
    assert not plane.rotating
    assert plane.keys(CLIENTS).signer == keys.next
    assert {each for each in wrongs(plane) if "t1" not in each} == set()


@both
def test_what_is_taken_back_before_the_new_one_signs_leaves_all_as_it_was(ring: Ring) -> None:
    plane = StorePlane().born()
    before = plane.keys(ring).signer
    plane.said[ring.request] = "one"
    plane.passed()
    assert plane.keys(ring).next is not None
    plane.said.pop(ring.request)
    until_over(plane)
    assert plane.keys(ring).signer == before


def test_a_store_that_was_never_rotated_looks_as_before_to_the_letter() -> None:
    plane = StorePlane().born()
    assert plane.secret("default-etcd-ca").keys() == {"ca.crt", "ca.key"}
    annotations = plane.objects["StatefulSet", "kamaji-system", "default-etcd"]["spec"]["template"]["metadata"][
        "annotations"
    ]
    assert len(annotations[stores.AUTHORITIES]) == 32, "a checksum, as before there were rotations: no pod starts again"
    store = plane.objects["DataStore", "", "default"]["spec"]["tlsConfig"]["certificateAuthority"]["certificate"]
    assert store["secretReference"]["keyPath"] == "ca.crt"


@both
def test_an_authority_that_is_lost_in_the_midst_is_made_anew_and_all_start_again_at_once(ring: Ring) -> None:
    plane = StorePlane().born()
    plane.said[ring.request] = "one"
    plane.round()
    plane.round()
    plane.objects.pop(("Secret", "kamaji-system", ring.secret("default")))
    plane.passed()
    assert plane.step is not None
    assert len(plane.step.also) == 2
    for _ in range(3):
        plane.round()
    until_over(plane)


def test_both_at_once_come_together() -> None:
    plane = StorePlane().born()
    before = [plane.keys(each).signer for each in stores.RINGS]
    plane.said |= {CLIENTS.request: "one", PEERS.request: "one"}
    until_over(plane)
    assert all(plane.keys(each).signer not in before for each in stores.RINGS)


def test_before_the_datastore_names_both_the_new_one_does_not_sign_for_a_tenant_may_come_that_trusts_only_the_former() -> (
    None
):
    plane = StorePlane().born(tenants=0)
    offered = plane.objects["DataStore", "", "default"]
    plane.said[CLIENTS.request] = "one"
    for _ in range(10):
        plane.passed()
        plane.settle()
        plane.objects["DataStore", "", "default"] = (
            offered  # as where the store was not offered again, for it was not fit
        )
    assert plane.keys(CLIENTS).next is not None
    until_over(plane)
