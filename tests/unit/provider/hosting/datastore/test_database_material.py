"""What a DataStore of a database says of how to get in, and what of it tenants are given."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from provider.api.datastore import DataStore
from provider.api.verdict import Invalid
from provider.hosting.status import datastore as status
from provider.hosting.storematerial import BasicAuthInvalid, access, references
from provider.hosting.storeview import Trial, store_of
from provider.hosting.view import Seen, key_of
from provider.manifest import Manifest, x509
from provider.manifest.x509 import Pair, Request
from tests.golden.world import NOW, CountedMint
from tests.unit.provider.hosting.datastore.store_views import reference, secret, store_view

MINT = CountedMint(8000)
CA, FOREIGN = x509.authority("ca", MINT, NOW), x509.authority("foreign", MINT, NOW)


def client(authority: Pair) -> Pair:
    return x509.issue(Request(common_name="root", client=True), authority, MINT, NOW)


def content(value: bytes) -> dict[str, Any]:
    return {"content": base64.b64encode(value).decode()}


BASIC = {"username": content(b"landlord"), "password": reference("login", "password")}
LOGIN = secret("login", password=b"top-secret")


def manifest(driver: str = "PostgreSQL", basic: Any = BASIC, tls: Any = None, endpoint: str = "db:5432") -> Manifest:
    spec = {"driver": driver, "endpoints": [endpoint], "basicAuth": basic, "tlsConfig": tls}
    spec = {key: value for key, value in spec.items() if value is not None}
    return {"metadata": {"name": "databases", "uid": "u"}, "spec": spec, "status": {"ready": True}}


def tls(authority: Pair = CA, shown: Pair | None = None, *, key: bool = True) -> Manifest:
    said: Manifest = {"certificateAuthority": {"certificate": content(authority.certificate)}}
    if key:
        said["certificateAuthority"]["privateKey"] = content(authority.key)
    if shown:
        said["clientCertificate"] = {"certificate": content(shown.certificate), "privateKey": content(shown.key)}
    return said


def seen(*secrets: Manifest) -> Seen:
    return Seen({key_of(each): each for each in secrets})


def test_user_and_password_are_read_and_tls_is_what_is_given() -> None:
    found = access(DataStore.parse(manifest()), seen(LOGIN))
    assert (found.user, found.password, found.ca, found.client) == ("landlord", "top-secret", b"", None)
    shown = client(CA)
    found = access(DataStore.parse(manifest(tls=tls(shown=shown))), seen(LOGIN))
    assert (found.ca, found.client) == (CA.certificate, shown)
    assert "top-secret" not in repr(found)


def test_secrets_of_basic_auth_are_read_as_well() -> None:
    assert list(references(DataStore.parse(manifest()))) == [("stores", "login")]


@pytest.mark.keeps("better.drivers", "rules.stores")
@pytest.mark.parametrize(
    ("said", "secrets", "words"),
    [
        ({"basic": None, "tls": tls()}, (LOGIN,), "spec.basicAuth.username is empty"),
        ({}, (), "Secret stores/login, named by spec.basicAuth.password, does not exist"),
        ({"basic": {**BASIC, "username": content(bytes([255]))}}, (LOGIN,), "spec.basicAuth.username is no UTF-8"),
        ({"driver": "NATS", "basic": {**BASIC, "username": content(b"a:b")}}, (LOGIN,), "kine cannot hand to NATS"),
    ],
)
def test_what_of_basic_auth_cannot_be_used_is_told_as_that(said: Any, secrets: Any, words: str) -> None:
    with pytest.raises(BasicAuthInvalid) as caught:
        access(DataStore.parse(manifest(**said)), seen(*secrets))
    assert words in caught.value.message


@pytest.mark.parametrize("endpoint", ["db", "https://db:5432", "db:5432/other", "a@db:1", "db:port", "db:1,other:2"])
def test_an_endpoint_that_is_more_than_host_and_port_is_refused(endpoint: str) -> None:
    with pytest.raises(Invalid, match="EndpointMalformed"):
        access(DataStore.parse(manifest(endpoint=endpoint)), seen(LOGIN))


@pytest.mark.parametrize("endpoint", ["db:5432", "10.0.0.1:3306", "[fd00::1]:5432", "db-0.db_x.svc:1"])
def test_hosts_addresses_and_ports_are_taken(endpoint: str) -> None:
    assert access(DataStore.parse(manifest(endpoint=endpoint)), seen(LOGIN)).endpoints == (endpoint,)


@pytest.mark.parametrize(
    ("said", "signs"),
    [
        (tls(shown=client(CA)), True),
        (tls(shown=client(FOREIGN)), False),
        (tls(shown=client(CA), key=False), False),
        (tls(), False),
        (None, False),
    ],
    ids=["signed by it", "signed by another", "without its key", "nothing shown", "no TLS"],
)
def test_who_signs_for_tenants(said: Any, signs: bool) -> None:
    raw = manifest(tls=said)
    found = store_of(DataStore.parse(raw), raw, seen(LOGIN))
    assert found.ready
    assert (found.client_ca is not None) is signs
    assert (found.user, found.password) == ("landlord", ""), "root's password stays with us"


def test_validation_tells_basic_auth_from_tls() -> None:
    trial = Trial(ready=False, reason="x", message="y")
    for raw, reason in (
        (manifest(basic=None, tls=tls()), "BasicAuthValidationFailed"),
        (manifest(tls={"certificateAuthority": {"certificate": content(b"")}}), "TLSConfigurationValidationFailed"),
    ):
        raw["metadata"]["generation"] = 1
        conditions = {each["type"]: each for each in status.of(store_view(raw, LOGIN), trial)["conditions"]}
        assert conditions["kamaji.clastix.io/DataStoreValidation"]["reason"] == reason
