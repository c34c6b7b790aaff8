"""The life of a rotation, step by step: who trusts what, who signs with what, and what each step waits for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from provider.api import names
from provider.hosting.rotation.keyring import ACCOUNT, CA, FRONT_PROXY, RINGS, Ring
from provider.hosting.view import Rollout
from provider.manifest import meta, pem, x509
from tests.unit.provider.hosting.rotation.planes import Plane, wrongs

DAY = timedelta(days=1)
every_ring = pytest.mark.parametrize("ring", RINGS, ids=lambda each: each.component)


def settled(plane: Plane) -> None:
    """A pass, its rollout, and the pass that sees that it is over."""
    plane.passed()
    plane.roll()


@every_ring
def test_before_anybody_asks_nothing_is_there_that_upstream_would_not_know(ring: Ring) -> None:
    data = Plane().born().secret(ring.secret("demo"))
    assert set(data) - {"tls.crt", "tls.key"} == {ring.public, ring.private}


@every_ring
def test_first_both_are_trusted_and_the_old_one_signs(ring: Ring) -> None:
    plane = Plane().born()
    old = plane.keys(ring).signer
    plane.annotations[ring.request] = "one"
    plane.passed()
    keys = plane.keys(ring)
    assert keys.signer == old
    assert keys.next is not None
    assert plane.secret(ring.secret("demo"))[ring.bundle] == pem.bundle([old.certificate, keys.next.certificate])
    assert plane.phases() == {ring.component: "prepare"}
    assert plane.told()[0] == "Preparing"
    for _ in range(3):
        plane.passed()
        assert plane.keys(ring) == keys, "the pods have not changed yet"


@every_ring
def test_once_every_pod_trusts_both_the_new_one_signs_and_the_old_one_is_trusted_still(ring: Ring) -> None:
    plane = Plane().born()
    old = plane.keys(ring).signer
    plane.annotations[ring.request] = "one"
    settled(plane)
    following = plane.keys(ring).next
    plane.passed()
    keys = plane.keys(ring)
    assert keys.signer == following
    assert keys.former == pem.blocks(old.certificate)
    assert keys.trusted == pem.bundle([keys.signer.certificate, old.certificate])
    assert plane.phases() == {ring.component: "sign"}
    assert plane.told()[0] == "Signing"


def test_a_pod_of_before_holds_back_the_next_step() -> None:
    plane = Plane().born()
    plane.annotations[CA.request] = "one"
    plane.passed()
    plane.start()
    plane.passed()
    assert plane.phases() == {"ca": "prepare"}
    plane.end()
    plane.passed()
    assert plane.phases() == {"ca": "sign"}


def test_no_step_is_taken_while_pods_are_on_their_way_between_versions() -> None:
    plane = Plane().born()
    plane.annotations[CA.request] = "one"
    settled(plane)
    plane.rollout = Rollout(version="v1.36.3", reason="Upgrading", message="")
    plane.passed()
    plane.roll()
    plane.passed()
    assert plane.phases() == {"ca": "prepare"}
    plane.rollout = None
    plane.passed()
    assert plane.phases() == {"ca": "sign"}


def test_a_pod_that_was_evicted_holds_back_nothing() -> None:
    plane = Plane().born()
    evicted = replace(plane.pods[0], phase="Failed")
    plane.annotations[CA.request] = "one"
    plane.passed()
    plane.pods.append(evicted)
    plane.roll()
    plane.pods.append(evicted)
    plane.passed()
    assert plane.phases() == {"ca": "sign"}


def test_a_node_that_a_pod_of_before_gave_its_certificate_has_not_followed() -> None:
    plane = Plane().born()
    plane.annotations[CA.request] = "one"
    settled(plane)
    plane.passed()
    plane.passed()
    assert plane.phases() == {"ca": "sign"}
    plane.join()
    settled(plane)
    plane.passed()
    plane.now += DAY
    plane.passed()
    assert plane.phases() == {"ca": "follow"}
    assert list(wrongs(plane)) == []


def test_nothing_is_dropped_while_pods_change() -> None:
    plane = Plane().born()
    node = plane.join()
    plane.annotations[CA.request] = "one"
    for _ in range(3):
        settled(plane)
    plane.renew(node, plane.pods[0])
    scheduler = plane.objects[("Secret", "tenants", "demo-scheduler-kubeconfig")]
    scheduler["metadata"]["annotations"][names.ANNOTATION_ROTATE] = ""
    plane.now += DAY
    plane.pods.append(plane.pods[0])
    plane.count()
    plane.passed()
    assert plane.phases() == {"ca": "follow"}
    plane.roll()
    plane.passed()
    assert plane.phases() == {}


def test_a_pod_of_an_earlier_step_can_start_at_any_later_one() -> None:
    plane = Plane().born()
    node = plane.join()
    plane.annotations[CA.request] = "one"
    earlier = []
    for _ in range(4):
        settled(plane)
        plane.renew(node, plane.pods[0])
        plane.now += DAY
        earlier.append(plane.pods[0])
        assert all(map(plane.mount, earlier))
    assert plane.phases() == {}


@pytest.mark.keeps("better.authority-overlap")
def test_the_old_authority_goes_when_every_node_has_followed_and_those_that_have_not_are_named() -> None:
    plane = Plane().born()
    first, second = plane.join(), plane.join()
    plane.annotations[CA.request] = "one"
    for _ in range(3):
        settled(plane)
    assert plane.phases() == {"ca": "follow"}
    reason, message = plane.told()
    assert reason == "NodesBehind"
    assert f"node {first.name}, {second.name}" in message
    assert f"{names.ANNOTATION_COMPLETE_ROTATION} to {pem.fingerprint(plane.keys(CA).signer.certificate)}" in message
    plane.renew(first, plane.pods[0])
    settled(plane)
    plane.requests.clear()
    assert first.name not in plane.told()[1], "it is remembered when its request is gone"
    plane.nodes.remove(second)
    plane.join()
    settled(plane)
    assert plane.told()[0] == "Completing", "people have a day"
    plane.now += DAY
    settled(plane)
    assert plane.phases() == {}
    assert plane.keys(CA).trusted == plane.keys(CA).signer.certificate
    assert list(wrongs(plane)) == []


def test_the_last_certificate_of_the_old_authority_ends_by_itself() -> None:
    plane = Plane().born()
    plane.join()
    plane.annotations[CA.request] = "one"
    for _ in range(4):
        settled(plane)
    assert plane.phases() == {"ca": "follow"}
    plane.now += timedelta(days=365)
    settled(plane)
    assert plane.phases() == {}


def test_who_says_so_drops_the_old_authority_before_all_have_followed() -> None:
    plane = Plane().born()
    plane.join()
    plane.annotations[CA.request] = "one"
    plane.annotations[names.ANNOTATION_COMPLETE_ROTATION] = "another"
    for _ in range(4):
        settled(plane)
    assert plane.phases() == {"ca": "follow"}
    name = pem.fingerprint(plane.keys(CA).signer.certificate)
    plane.annotations[names.ANNOTATION_COMPLETE_ROTATION] = f"another,{name}"
    settled(plane)
    assert plane.phases() == {}


def test_one_who_knows_only_the_old_authority_finds_to_the_new_one_also_after_it_was_dropped() -> None:
    plane = Plane().born()
    node, person = plane.join(), plane.copied()
    plane.annotations[CA.request] = "one"
    for _ in range(3):
        settled(plane)
        assert list(wrongs(plane, [person])) == []
    plane.renew(node, plane.pods[0])
    plane.now += DAY
    settled(plane)
    assert plane.phases() == {}
    assert list(wrongs(plane)) == []
    assert list(wrongs(plane, [person])) == ["a person is not let in"]
    assert len(pem.blocks(plane.pods[0].files["apiserver.crt"])) == 2


def test_a_node_finds_its_way_through_one_rotation_after_the_other() -> None:
    plane = Plane().born()
    node = plane.join()
    for turn in ("one", "two", "three"):
        plane.annotations[CA.request] = turn
        for _ in range(3):
            settled(plane)
        plane.renew(node, plane.pods[0])
        plane.now += DAY
        settled(plane)
        assert plane.phases() == {}
        assert list(wrongs(plane)) == []


@every_ring
def test_each_value_of_the_annotation_asks_once(ring: Ring) -> None:
    plane = Plane().born()
    plane.annotations[ring.request] = "one"
    for _ in range(5):
        settled(plane)
    plane.now += timedelta(days=366)
    for _ in range(3):
        settled(plane)
    assert plane.phases() == {}
    signer = plane.keys(ring).signer
    for _ in range(3):
        settled(plane)
    assert plane.keys(ring).signer == signer
    plane.annotations[ring.request] = "two"
    plane.passed()
    assert plane.phases() == {ring.component: "prepare"}


@every_ring
def test_a_request_is_taken_back_as_long_as_the_old_one_signs(ring: Ring) -> None:
    plane = Plane().born()
    old = plane.keys(ring).signer
    plane.annotations[ring.request] = "one"
    settled(plane)
    del plane.annotations[ring.request]
    for _ in range(3):
        settled(plane)
    assert plane.phases() == {}
    assert plane.keys(ring).signer == old


def test_one_who_asks_again_meanwhile_waits_until_the_first_rotation_is_over() -> None:
    plane = Plane().born()
    node = plane.join()
    plane.annotations[CA.request] = "one"
    for _ in range(3):
        settled(plane)
    signer = plane.keys(CA).signer
    plane.annotations[CA.request] = "two"
    settled(plane)
    assert (plane.phases(), plane.keys(CA).signer) == ({"ca": "follow"}, signer)
    plane.renew(node, plane.pods[0])
    plane.now += DAY
    settled(plane)
    plane.passed()
    assert plane.phases() == {"ca": "prepare"}


@every_ring
def test_the_secrets_own_annotation_asks_too_and_is_answered_when_the_new_one_signs(ring: Ring) -> None:
    plane = Plane().born()
    where = ("Secret", "tenants", ring.secret("demo"))

    def rotate() -> str | None:
        found: dict[str, str] = plane.objects[where]["metadata"]["annotations"]
        return found.get(names.ANNOTATION_ROTATE)

    plane.objects[where]["metadata"]["annotations"][names.ANNOTATION_ROTATE] = ""
    settled(plane)
    assert (rotate(), plane.phases()) == ("", {ring.component: "prepare"})
    settled(plane)
    assert rotate() not in ("", None)
    assert plane.phases() == {ring.component: "sign"}


def test_the_front_proxys_authority_needs_nobody_to_follow() -> None:
    plane = Plane().born()
    plane.join()
    plane.annotations[FRONT_PROXY.request] = "one"
    for _ in range(5):
        settled(plane)
        assert list(wrongs(plane)) == []
    assert plane.phases() == {}


def test_the_old_key_of_tokens_goes_when_the_last_that_expires_has_expired() -> None:
    plane = Plane().born()
    plane.annotations[ACCOUNT.request] = "one"
    for _ in range(4):
        settled(plane)
        assert list(wrongs(plane)) == []
    assert plane.phases() == {"sa-certificate": "follow"}
    assert plane.told()[0] == "TokensBehind"
    plane.now += timedelta(days=364)
    settled(plane)
    assert plane.phases() == {"sa-certificate": "follow"}
    plane.now += timedelta(days=1)
    settled(plane)
    assert plane.phases() == {}


@every_ring
def test_a_secret_that_was_deleted_leaves_behind_what_was_trusted(ring: Ring) -> None:
    plane = Plane().born()
    old = plane.keys(ring).signer
    del plane.objects[("Secret", "tenants", ring.secret("demo"))]
    plane.passed()
    keys = plane.keys(ring)
    assert keys.signer != old
    assert keys.former == pem.blocks(old.certificate)


@pytest.mark.keeps("better.authority-overlap")
def test_after_the_authority_was_deleted_nodes_work_on_until_they_are_made_anew() -> None:
    plane = Plane().born()
    old, person = plane.join(), plane.copied()
    del plane.objects[("Secret", "tenants", "demo-ca")]
    plane.passed()
    assert list(wrongs(plane, [person])) == [], "a pod of before is shown nothing that it does not know"
    for _ in range(4):
        settled(plane)
        assert list(wrongs(plane, [person])) == [], "there is no bridge, so what they are shown stays"
    assert plane.told()[0] == "NodesBehind"
    plane.join()
    plane.nodes.remove(old)
    plane.now += DAY
    settled(plane)
    assert plane.phases() == {}
    assert list(wrongs(plane)) == []
    shown = plane.pods[0].files["apiserver.crt"]
    assert x509.signed_by(shown, plane.keys(CA).signer)


def test_an_authority_that_a_user_puts_in_the_others_place_is_trusted_beside_it() -> None:
    plane = Plane().born()
    node = plane.join()
    other = x509.authority("theirs", plane.mint, plane.now)
    secret = plane.objects[("Secret", "tenants", "demo-ca")]
    secret["data"] |= meta.secret_data({"ca.crt": other.certificate, "ca.key": other.key})
    for _ in range(3):
        settled(plane)
        assert list(wrongs(plane)) == []
    assert plane.keys(CA).signer == other
    assert node.name in plane.told()[1]


def test_a_tool_that_puts_the_old_pair_back_meanwhile_loses_nothing_that_the_new_one_signed() -> None:
    plane = Plane().born()
    node, where = plane.join(), ("Secret", "tenants", "demo-ca")
    before = plane.objects[where]["data"]
    plane.annotations[CA.request] = "one"
    for _ in range(3):
        settled(plane)
    plane.renew(node, plane.pods[0])
    new = plane.keys(CA).signer
    plane.objects[where]["data"] |= before
    for _ in range(3):
        settled(plane)
        assert list(wrongs(plane)) == []
    assert plane.keys(CA).former == pem.blocks(new.certificate)


def test_of_one_that_never_ran_the_authority_is_simply_replaced() -> None:
    plane = Plane()
    plane.passed(crash_after=6)
    old = plane.keys(CA).signer
    plane.annotations[CA.request] = "one"
    plane.passed(crash_after=6)
    assert plane.keys(CA).signer != old
    assert not plane.rotating
