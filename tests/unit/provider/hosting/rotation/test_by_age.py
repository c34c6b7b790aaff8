"""Where an annotation says at which age, what signs and what encrypts is asked for anew by nobody, each tenant apart."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from provider.api import names
from provider.api.verdict import Invalid
from provider.hosting import encryption, rotation
from provider.hosting.rotation import age
from provider.hosting.rotation.keyring import ACCOUNT, RINGS, Ring
from provider.hosting.view import key_of
from provider.manifest import lifetime
from provider.manifest.condition import timestamp
from tests.golden.world import NOW, UID, tenant, view, walk
from tests.unit.provider.hosting.encryption.vaults import Vault
from tests.unit.provider.hosting.rotation.planes import Plane

YEAR = timedelta(days=365)
EARLY = YEAR * lifetime.spread(UID)
HOUR = timedelta(hours=1)

every_ring = pytest.mark.parametrize("ring", RINGS, ids=lambda each: each.component)


class Dated(Plane):
    """Its API server says when objects were made."""

    def _applied(self, manifest: dict[str, Any]) -> dict[str, Any]:
        stands = self.objects.get(key_of(manifest), {"metadata": {}})
        found = super()._applied(manifest)
        found["metadata"]["creationTimestamp"] = stands["metadata"].get("creationTimestamp") or timestamp(self.now)
        return found


def plane(ring: Ring, said: str = "365d") -> Plane:
    found = Dated(annotations={ring.request + age.AFTER: said})
    return found.born()


@every_ring
def test_it_begins_at_that_age_and_not_before(ring: Ring) -> None:
    found = plane(ring)
    found.now = NOW + YEAR - EARLY - HOUR
    found.passed()
    assert found.phases() == {}
    found.now = NOW + YEAR
    found.passed()
    assert found.phases() == {ring.component: "prepare"}


@every_ring
def test_it_goes_the_way_of_any_rotation_and_the_next_begins_at_the_age_of_the_new_one(ring: Ring) -> None:
    found = plane(ring)
    first = found.keys(ring).signer
    found.now = NOW + YEAR
    for _ in range(3):
        found.passed()
        found.roll()
    second, since = found.keys(ring).signer, found.now
    assert second != first
    for _ in range(4):
        found.now += timedelta(days=100)
        found.passed()
        found.roll()
        if found.now < since + YEAR - EARLY - HOUR:
            assert found.keys(ring).signer == second
            assert found.keys(ring).next is None
    for _ in range(6):
        found.now += timedelta(days=60)
        found.passed()
        found.roll()
    assert found.keys(ring).signer != second, "the former one is gone by then, and so the next may come"


@every_ring
def test_taken_away_before_the_new_one_signs_it_ends_without_a_trace(ring: Ring) -> None:
    found = plane(ring)
    first = found.secret(ring.secret("demo"))
    found.now = NOW + YEAR
    found.passed()
    found.annotations.clear()
    found.passed()
    found.roll()
    found.passed()
    assert found.phases() == {}
    assert found.keys(ring).signer.key == first[ring.private]


@every_ring
def test_without_the_annotation_nothing_that_signs_is_ever_replaced(ring: Ring) -> None:
    found = Dated().born()
    first = found.keys(ring).signer
    found.now = NOW + 5 * YEAR
    found.passed()
    assert (found.keys(ring).signer, found.phases()) == (first, {})


@every_ring
def test_the_deadline_is_looked_at_when_it_comes(ring: Ring) -> None:
    found = plane(ring, "36h")
    found.now = NOW + timedelta(hours=30)
    wait = rotation.again(found._view())
    assert wait is not None
    found.now += timedelta(seconds=wait)
    found.passed()
    assert found.phases() == {ring.component: "prepare"}


def test_tenants_of_one_birth_have_their_turns_apart() -> None:
    annotations = {ACCOUNT.request + age.AFTER: "365d"}
    raws = [tenant(annotations=annotations, metadata={"uid": f"uid-{each}"}) for each in range(20)]
    moments = {age.due(view(each), ACCOUNT.request, NOW) for each in raws}
    assert len(moments) == 20
    assert all(each is not None and NOW + YEAR * 0.95 <= each <= NOW + YEAR for each in moments)


@pytest.mark.parametrize("said", ["", "1", "0d", "1y", "12 h", "-3d", "1.5d", "999999d"])
@pytest.mark.parametrize("request_", age.REQUESTS)
def test_what_is_no_age_is_refused_by_its_annotation(request_: str, said: str) -> None:
    found = walk(view(tenant(annotations={request_ + age.AFTER: said}))).declined["spec"]
    assert isinstance(found, Invalid)
    assert (found.reason, request_ + age.AFTER in found.message) == ("AnnotationInvalid", True)


def test_the_key_of_stored_objects_is_replaced_at_an_age_as_well() -> None:
    vault = Vault().begin()
    vault.say(encrypt="secrets")
    vault.annotations[names.ANNOTATION_ROTATE_ENCRYPTION_KEY + age.AFTER] = "90d"
    vault.settle()
    first = vault.held()
    assert first is not None
    wait = encryption.again(vault.seen())
    assert wait is not None
    assert wait > 0
    vault.now += timedelta(days=85)
    vault.settle(2)
    assert vault.held() == first
    vault.now += timedelta(days=5)
    vault.settle()
    second = vault.held()
    assert second is not None
    assert second.key != first.key
    assert [each.name for each in second.document.readers] == [second.key]
    assert vault.told()[:2] == ("True", "Encrypted")
    vault.settle(3)
    assert vault.held() == second, "the next is as far as that one was"
