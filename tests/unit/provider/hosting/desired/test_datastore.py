"""How a tenant's API server gets into its store: by a certificate whose name is its user there, and by nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509 as parsing
from cryptography.x509.oid import ExtendedKeyUsageOID

from provider.api import kinds, names
from provider.api.verdict import NotReady
from provider.hosting.desired import datastore
from provider.hosting.view import Keyspace, View
from provider.manifest import Manifest, meta, privatekey, x509
from provider.manifest.x509 import Pair
from tests.golden.world import NOW, CountedMint, store, tenant, view

KEYSPACE = Keyspace(schema="place", user="who")
CONFIG, CERTIFICATE = "demo-datastore-config", "demo-datastore-certificate"


def seen(*objects: Manifest, **changes: Any) -> View:
    return view(tenant(), *objects, **{"keyspace": KEYSPACE, **changes})


def built(start: View) -> View:
    return start.folded(*datastore.build(start))


def certificate(found: View) -> parsing.Certificate:
    return parsing.load_pem_x509_certificate(found.secret(CERTIFICATE)["server.crt"])


def authority(**changes: Any) -> Pair:
    ca = store().client_ca
    assert ca is not None
    return replace(ca, **changes)


@pytest.mark.keeps("better.etcd-identity")
def test_the_certificate_says_who_the_tenant_is_and_no_more() -> None:
    found = certificate(built(seen()))
    assert found.subject.rfc4514_string() == "CN=who", "no organization such as system:masters"
    assert list(found.extensions.get_extension_for_class(parsing.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
    with pytest.raises(parsing.ExtensionNotFound):
        found.extensions.get_extension_for_class(parsing.SubjectAlternativeName)


def test_the_secret_has_the_stores_authority_without_its_key() -> None:
    data = built(seen()).secret(CERTIFICATE)
    assert set(data) == {"ca.crt", "server.crt", "server.key"}
    assert data["ca.crt"] == store().ca
    assert authority().key not in data.values()


def test_the_connection_names_schema_and_user_under_upstreams_keys() -> None:
    data = built(seen()).secret(CONFIG)
    assert {key: value for key, value in data.items() if key != "DB_PASSWORD"} == {
        "DB_CONNECTION_STRING": b"",
        "DB_SCHEMA": b"place",
        "DB_USER": b"who",
    }
    assert data["DB_PASSWORD"]


def test_a_password_that_is_there_stays() -> None:
    there = meta.new(kinds.SECRET, CONFIG, "tenants", data=meta.secret_data({"DB_PASSWORD": "as it was"}))
    assert built(seen(there)).secret(CONFIG)["DB_PASSWORD"] == b"as it was"


@pytest.mark.keeps("better.renewal")
def test_a_certificate_is_kept_until_two_thirds_of_its_life() -> None:
    first = built(seen())
    early = replace(first, now=NOW + timedelta(days=200), mint=CountedMint(9000))
    late = replace(first, now=NOW + timedelta(days=250), mint=CountedMint(9000))
    assert built(early).secret(CERTIFICATE) == first.secret(CERTIFICATE)
    assert certificate(built(late)) != certificate(first)


def test_when_the_store_has_another_authority_the_certificate_is_made_again() -> None:
    first = built(seen())
    other = x509.authority("etcd-ca", CountedMint(9000), NOW)
    moved = replace(first, store=replace(store(), ca=other.certificate, client_ca=other))
    certificate(built(moved)).verify_directly_issued_by(parsing.load_pem_x509_certificate(other.certificate))


@pytest.mark.keeps("rules.data-store")
@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"store": None}, "DataStoreNotFound", "create it, or name another in spec.dataStore"),
        (
            {"store": replace(store(), ready=False, message="nobody answers")},
            "DataStoreNotReady",
            "DataStore default is not ready: nobody answers",
        ),
        ({"store": replace(store(), client_ca=None)}, "DataStoreNotReady", "DataStore default is not ready"),
        ({"keyspace": None}, "KeyspaceNotClaimed", "waiting for a keyspace in DataStore default"),
        (
            {"store": replace(store(), client_ca=authority(key=privatekey.private_key_pem(CountedMint(9000).key())))},
            "DataStoreUnusable",
            "tlsConfig.certificateAuthority names is no certificate authority with its own key",
        ),
        (
            {"store": replace(store(), client_ca=authority(certificate=b"junk"))},
            "DataStoreUnusable",
            "DataStore default cannot sign the tenant's certificate",
        ),
        ({"now": NOW + x509.CA_LIFE + timedelta(days=1)}, "DataStoreUnusable", "that has not expired"),
    ],
)
def test_what_is_missing_is_said(changes: dict[str, Any], reason: str, words: str) -> None:
    with pytest.raises(NotReady) as caught:
        list(datastore.build(seen(**changes)))
    assert caught.value.reason == reason
    assert words in caught.value.message


def test_the_status_names_both_secrets_and_never_the_keyspace() -> None:
    found = datastore.report(built(seen()))["storage"]
    assert found["config"]["secretName"] == CONFIG
    assert found["certificate"]["secretName"] == CERTIFICATE
    assert "setup" not in found, "recorded before its first use, and never from here"
    assert datastore.report(seen()) == {}


@pytest.mark.keeps("better.leftovers")
def test_both_secrets_are_the_tenants_own_objects() -> None:
    for each in datastore.build(seen()):
        assert each["metadata"]["labels"][names.LABEL_NAME] == "demo"
        assert each["metadata"]["ownerReferences"][0]["kind"] == "TenantControlPlane"
