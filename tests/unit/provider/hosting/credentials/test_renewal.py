"""What is due is looked at when it is due, by the deadline alone; what nobody renews is told of before it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from provider.api import credentials, kinds, names
from provider.api.credentials import tenants
from provider.api.credentials.node import Node
from provider.hosting import renewal
from provider.hosting.parts import PARTS
from provider.hosting.status import expiry, transitions
from provider.hosting.status import tenant as status
from provider.hosting.storeview import StoreView
from provider.hosting.view import View
from provider.manifest import Manifest, lifetime, meta, x509
from provider.manifest.condition import find
from provider.manifest.x509 import Pair, Request
from provider.settings import Settings
from tests.golden.world import NOW, CountedMint, tenant, view, walk
from tests.unit.provider.hosting.datastore.store_views import manifest, secret, store_view
from tests.unit.provider.manifest import brought

LEAVES = {each for each in credentials.OF_TENANT if each.sort in ("certificate", "kubeconfig")}
ADDONS = {"konnectivity": {}}


def passed(before: View | None, now: datetime, uid: str = "uid") -> View:
    """A pass over what the one before left."""
    seen = before.seen.objects.values() if before else ()
    mint = before.mint if before else CountedMint()
    raw = tenant(addons=ADDONS, metadata={"uid": uid})
    walked = walk(view(raw, *seen, now=now, mint=mint))
    assert walked.declined == {}
    return walked.view


def made_anew(before: View, after: View) -> set[Node]:
    return {
        each
        for each in credentials.OF_TENANT
        if before.secret(each.secret("demo")) != after.secret(each.secret("demo"))
    }


def told(seen: View) -> dict[str, Any]:
    return dict(find(status.of(seen, PARTS, {}, {})["conditions"], expiry.TYPE) or {})


@pytest.mark.keeps("better.renewal")
@pytest.mark.parametrize("uid", ["one", "two", "three"])
def test_a_tenant_that_is_looked_at_only_when_it_asks_for_it_is_never_without_a_valid_leaf(uid: str) -> None:
    seen, now, anew = passed(None, NOW, uid), NOW, 0
    while now < NOW + timedelta(days=5 * 365):
        wait = renewal.again(seen)
        assert wait is not None
        assert 0 < wait <= renewal.LONGEST
        now += timedelta(days=10) if wait == renewal.LONGEST and _far(seen, now) else timedelta(seconds=wait)
        for each in renewal.of(seen):
            assert each.begins <= now < each.ends - timedelta(days=100)
        after = passed(seen, now, uid)
        assert made_anew(seen, after) in (set(), LEAVES), "one roll for all of them"
        anew += made_anew(seen, after) == LEAVES
        seen = after
    assert anew in (7, 8)  # every 225 to 243 days


def test_certificates_that_live_for_minutes_are_renewed_in_time_as_well_and_nothing_that_signs_is() -> None:
    """By the setting, and by the deadlines alone: as in `make soak`."""
    brief = Settings(certificate_life=600)
    seen = walk(view(tenant(addons=ADDONS), settings=brief)).view
    now, anew = NOW, 0
    while now < NOW + timedelta(hours=1):
        wait = renewal.again(seen)
        assert wait is not None
        now += timedelta(seconds=max(wait, 1.0))
        assert all(each.begins <= now < each.ends - timedelta(minutes=2) for each in renewal.of(seen) if each.renewed)
        after = walk(
            view(tenant(addons=ADDONS), *seen.seen.objects.values(), now=now, mint=seen.mint, settings=brief)
        ).view
        assert made_anew(seen, after) in (set(), LEAVES)
        anew += made_anew(seen, after) == LEAVES
        seen = after
    assert anew in (11, 12, 13, 14)


def _far(seen: View, now: datetime) -> bool:
    """Whether nothing is due for more than ten days: then the passes between may be left out here."""
    then = now + timedelta(days=10)
    return all(then < each.begins + (each.ends - each.begins) * 0.61 for each in renewal.of(seen) if each.renewed)


def test_what_was_made_within_the_same_hour_is_made_anew_in_one_pass() -> None:
    first = passed(None, NOW)
    late = tenants.SCHEDULER.secret("demo")
    secrets = [each for each in first.seen.objects.values() if each["metadata"]["name"] != late]
    second = passed(replace(first, seen=type(first.seen)().with_objects(*secrets)), NOW + timedelta(minutes=30))
    wait = renewal.again(replace(second, now=_due(second) - timedelta(hours=1)))
    assert wait is not None
    then = _due(second) - timedelta(hours=1) + timedelta(seconds=wait)
    assert made_anew(second, passed(second, then)) == LEAVES


def _due(seen: View) -> datetime:
    """When the first leaf is."""
    return min(
        each.begins + (each.ends - each.begins) * (lifetime.RENEW_AFTER - lifetime.spread("uid"))
        for each in renewal.of(seen)
        if each.renewed
    )


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        (timedelta(days=31), ""),
        (timedelta(days=30), "Within30Days"),
        (timedelta(days=14), "Within14Days"),
        (timedelta(days=7, seconds=1), "Within14Days"),
        (timedelta(days=7), "Within7Days"),
        (timedelta(hours=2), "Within1Day"),
        (timedelta(0), "Expired"),
    ],
)
def test_an_authority_near_its_end_is_told_of(left: timedelta, reason: str) -> None:
    ends = NOW + timedelta(days=60)
    pair = brought.authority(NOW, life=timedelta(days=60))
    given = {"ca.crt": pair.certificate, "ca.key": pair.key}
    stands = meta.new(kinds.SECRET, "demo-ca", "tenants", data=meta.secret_data(given))
    found = told(view(tenant(), stands, now=ends - left))
    assert found.get("reason", "") == reason
    if reason:
        assert "certificate authority in Secret tenants/demo-ca ends at 2027-01-23T12:00:00Z" in found["message"]
        assert names.ANNOTATION_ROTATE_CA in found["message"]


def test_each_of_these_steps_is_looked_at_when_it_comes_and_is_an_event() -> None:
    pair = brought.authority(NOW, life=timedelta(days=60))
    stands = meta.new(
        kinds.SECRET,
        "demo-ca",
        "tenants",
        data=meta.secret_data({"ca.crt": pair.certificate, "ca.key": pair.key}),
    )
    now, before, events = NOW, {}, []
    while now <= NOW + timedelta(days=60):
        seen = view(tenant(), stands, now=now)
        after = status.of(seen, PARTS, {}, {})
        events += [each.note.partition(":")[0] for each in transitions.expiry(before, after)]
        before = after
        wait = renewal.again(seen)
        if wait is None:
            break
        now += timedelta(seconds=wait)
    assert events == ["Within30Days", "Within14Days", "Within7Days", "Within1Day", "Expired"]


def test_a_leaf_that_somebody_paused_is_told_of_and_those_that_are_renewed_are_not() -> None:
    first = passed(None, NOW)
    name = tenants.SCHEDULER.secret("demo")
    stands = first.seen.get(kinds.SECRET, name, "tenants")
    assert stands is not None
    annotations = {**meta.annotations_of(stands), names.ANNOTATION_PAUSED: ""}
    marked: Manifest = {**stands, "metadata": {**stands["metadata"], "annotations": annotations}}
    later = passed(first.folded(marked), NOW + timedelta(days=345))
    assert made_anew(first, later) == LEAVES - {tenants.SCHEDULER}
    found = told(later)
    assert found["reason"] == "Within30Days"
    assert f"the scheduler's kubeconfig in Secret tenants/{name} ends at" in found["message"]
    assert names.ANNOTATION_PAUSED in found["message"]


def test_what_a_datastore_names_is_told_of_as_well() -> None:
    ca = x509.authority("store", CountedMint(), NOW - x509.CA_LIFE + timedelta(days=13))
    root = x509.issue(root_request(), ca, CountedMint(7), NOW)
    (found,) = expiry.of_store(_naming(ca, root))
    assert (found.type, found.status, found.reason) == ("ExpiringSoon", "True", "Within14Days")
    assert "the certificate of spec.tlsConfig.certificateAuthority ends at 2026-12-07T12:00:00Z" in found.message
    assert "the certificate of spec.tlsConfig.clientCertificate ends at" in found.message
    lasting = x509.authority("store", CountedMint(), NOW)
    assert expiry.of_store(_naming(lasting, x509.issue(root_request(), lasting, CountedMint(7), NOW))) == []


def root_request() -> Request:
    return Request(common_name="root", client=True)


def _naming(ca: Pair, root: Pair) -> StoreView:
    secrets = (
        secret("ca", ca_crt=ca.certificate, ca_key=ca.key),
        secret("root", tls_crt=root.certificate, tls_key=root.key),
    )
    return replace(store_view(manifest(), *secrets), now=NOW)
