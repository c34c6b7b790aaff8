"""Where a DataStore's certificates come from: in place or from Secrets, and what is said when they are not there."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from provider.api.datastore import DataStore
from provider.api.verdict import Invalid
from provider.hosting.storematerial import Material, material, references
from provider.hosting.storeview import store_of
from provider.hosting.view import Seen, key_of
from provider.manifest import Manifest
from provider.manifest.x509 import Pair
from tests.unit.provider.hosting.datastore.store_views import SECRETS, manifest, reference, secret

WHOLE = Material(authority=Pair(certificate=b"CA", key=b"CA KEY"), client=Pair(certificate=b"ROOT", key=b"ROOT KEY"))


def seen(*secrets: Manifest) -> Seen:
    return Seen({key_of(each): each for each in secrets})


def content(value: bytes) -> dict[str, Any]:
    return {"content": base64.b64encode(value).decode()}


def test_material_is_read_from_secrets() -> None:
    assert material(DataStore.parse(manifest()), seen(*SECRETS)) == WHOLE


def test_content_in_place_wins_over_a_secret() -> None:
    both = {"certificate": content(b"HERE") | reference("ca", "ca.crt"), "privateKey": reference("ca", "ca.key")}
    found = material(DataStore.parse(manifest(certificateAuthority=both)), seen(*SECRETS))
    assert found.authority == Pair(certificate=b"HERE", key=b"CA KEY")


def test_each_secret_is_read_once_and_content_needs_none() -> None:
    assert list(references(DataStore.parse(manifest()))) == [("stores", "ca"), ("stores", "root")]
    here = {"certificate": content(b"A"), "privateKey": content(b"B")}
    parsed = DataStore.parse(manifest(clientCertificate=here))
    assert list(references(parsed)) == [("stores", "ca")]


@pytest.mark.parametrize(
    ("tls", "secrets", "reason", "words"),
    [
        (
            {},
            (SECRETS[0],),
            "SecretMissing",
            "Secret stores/root, named by spec.tlsConfig.clientCertificate.certificate",
        ),
        ({}, (secret("ca", ca_crt=b"CA"), SECRETS[1]), "SecretKeyMissing", "Secret stores/ca has no key 'ca.key'"),
        ({"clientCertificate": None}, SECRETS, "FieldMissing", "spec.tlsConfig.clientCertificate.certificate is empty"),
        (
            {"certificateAuthority": {"certificate": {"content": "%"}, "privateKey": reference("ca", "ca.key")}},
            SECRETS,
            "ContentUnreadable",
            "spec.tlsConfig.certificateAuthority.certificate.content is no base64",
        ),
    ],
    ids=["no Secret", "no key in it", "no field", "no base64"],
)
def test_what_is_missing_is_named(tls: dict[str, Any], secrets: tuple[Manifest, ...], reason: str, words: str) -> None:
    with pytest.raises(Invalid, match=reason) as caught:
        material(DataStore.parse(manifest(**tls)), seen(*secrets))
    assert words in caught.value.message


@pytest.mark.fields("DataStore", "spec.endpoints")
def test_a_ready_store_gives_tenants_its_authority_with_the_key() -> None:
    raw = manifest() | {"status": {"ready": True}}
    found = store_of(DataStore.parse(raw), raw, seen(*SECRETS))
    assert (found.ready, found.ca, found.client_ca) == (True, b"CA", WHOLE.authority)
    assert found.endpoints == ("etcd.stores.svc:2379",)


def test_a_store_that_says_ready_without_its_secrets_is_not() -> None:
    raw = manifest() | {"status": {"ready": True}}
    found = store_of(DataStore.parse(raw), raw, seen(SECRETS[1]))
    assert not found.ready
    assert "Secret stores/ca" in found.message


def test_a_store_that_is_being_deleted_takes_nobody_in() -> None:
    raw = manifest() | {"status": {"ready": True}}
    raw["metadata"]["deletionTimestamp"] = "2026-11-24T00:00:00Z"
    found = store_of(DataStore.parse(raw), raw, seen(*SECRETS))
    assert (found.ready, found.message) == (False, "it is being deleted")


def test_why_a_store_is_not_ready_is_passed_on() -> None:
    when = {"lastTransitionTime": "2026-11-24T00:00:00Z"}
    said = {"type": "Ready", "status": "False", "reason": "Unreachable", "message": "no endpoint answers"} | when
    raw = manifest() | {"status": {"ready": False, "conditions": [said]}}
    assert store_of(DataStore.parse(raw), raw, seen(*SECRETS)).message == "no endpoint answers"
    untried = manifest()
    assert store_of(DataStore.parse(untried), untried, seen(*SECRETS)).message == "it was not looked at yet"


def test_no_message_holds_a_secret() -> None:
    half = {"certificate": content(b"TOP SECRET"), "privateKey": reference("ca", "absent")}
    with pytest.raises(Invalid) as caught:
        material(DataStore.parse(manifest(certificateAuthority=half)), seen(*SECRETS))
    assert "TOP SECRET" not in str(caught.value)
    assert content(b"TOP SECRET")["content"] not in str(caught.value)
