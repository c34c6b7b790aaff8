"""A DataStore may name two authorities: whose key it has signs, and what the other signed stays until it may be changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from provider.api import kinds
from provider.api.datastore import DataStore
from provider.hosting import storeview
from provider.hosting.desired import datastore as part
from provider.hosting.view import Seen, Store
from provider.manifest import meta, x509
from provider.manifest.x509 import Pair
from tests.golden.world import NOW, CountedMint, store, tenant, view
from tests.unit.provider.hosting.datastore.store_views import manifest, secret

OLD = x509.authority("store", CountedMint(10), NOW)
NEW = x509.authority("store", CountedMint(20), NOW)
BOTH = OLD.certificate + NEW.certificate


def named(certificate: bytes, key: bytes, driver: str = "etcd", root: Pair = OLD) -> Store:
    client = x509.issue(x509.Request(common_name="root", client=True), root, CountedMint(30), NOW)
    secrets = (
        secret("ca", ca_crt=certificate, ca_key=key),
        secret("root", tls_crt=client.certificate, tls_key=client.key),
    )
    raw = manifest()
    if driver != "etcd":
        content = {"content": "cm9vdA=="}
        raw["spec"] |= {"driver": driver, "basicAuth": {"username": content, "password": content}}
    return storeview.store_of(DataStore.parse(raw), raw, Seen().with_objects(*secrets))


def certificate(found: Store, before: bytes = b"", key: bytes = b"", *, resigned: bool = False, days: int = 0) -> bytes:
    stands = meta.new(
        kinds.SECRET,
        "demo-datastore-certificate",
        "tenants",
        data=meta.secret_data({"server.crt": before, "server.key": key} if before else {}),
    )
    start = view(tenant(), stands, store=replace(found, ready=True), resigned=resigned, now=NOW + timedelta(days=days))
    made = {each["metadata"]["name"]: meta.decoded(each) for each in part.build(start)}
    return made["demo-datastore-certificate"]["server.crt"]


@pytest.mark.parametrize("driver", ["etcd", "PostgreSQL"])
@pytest.mark.parametrize(("signer", "other"), [(OLD, NEW), (NEW, OLD)], ids=["old key", "new key"])
@pytest.mark.parametrize("bundle", [OLD.certificate + NEW.certificate, NEW.certificate + OLD.certificate])
def test_who_signs_is_whose_key_is_there_in_whatever_order_they_stand(
    driver: str, signer: Pair, other: Pair, bundle: bytes
) -> None:
    found = named(bundle, signer.key, driver)
    assert (found.client_ca, found.others, found.ca) == (signer, (other.certificate,), bundle)


def test_one_alone_is_as_it_was() -> None:
    found = named(OLD.certificate, OLD.key)
    assert (found.client_ca, found.others) == (OLD, ())
    assert store().others == ()


def test_what_stands_stays_until_the_store_takes_the_new_ones() -> None:
    request = x509.Request(common_name=view(tenant()).tcp.metadata.uid, client=True)
    leaf = x509.issue(request, OLD, CountedMint(40), NOW)
    given = {"before": leaf.certificate, "key": leaf.key}
    assert certificate(named(BOTH, OLD.key), **given) == leaf.certificate
    assert certificate(named(BOTH, NEW.key), **given) == leaf.certificate
    assert certificate(named(BOTH, NEW.key), **given, days=300) == leaf.certificate, "better than one that is refused"
    taken = certificate(named(BOTH, NEW.key), **given, resigned=True)
    assert x509.verifies(taken, NEW.certificate)
    assert x509.verifies(certificate(named(NEW.certificate, NEW.key), **given), NEW.certificate)


def test_a_new_tenant_gets_one_of_who_signs() -> None:
    assert x509.verifies(certificate(named(BOTH, NEW.key)), NEW.certificate)
