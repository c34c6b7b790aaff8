"""The API server's certificates: every name it is dialled by and none else, renewed in time, each under its own authority."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509 as parsing
from cryptography.x509.oid import ExtendedKeyUsageOID

from provider.api import kinds, names
from provider.api.verdict import NotReady
from provider.hosting import credential
from provider.hosting.desired.pki import leaves
from provider.hosting.view import View
from provider.manifest import lifetime, meta, privatekey, x509
from tests.golden.world import NOW, CountedMint, tenant, view, walk

SERVING, KUBELET, PROXY = (
    "demo-api-server-certificate",
    "demo-api-server-kubelet-client-certificate",
    "demo-front-proxy-client-certificate",
)
STEMS = {SERVING: "apiserver", KUBELET: "apiserver-kubelet-client", PROXY: "front-proxy-client"}
ALWAYS = {
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "localhost",
    "demo",
    "demo.tenants",
    "demo.tenants.svc",
    "demo.tenants.svc.cluster.local",
    "127.0.0.1",
}
every_secret = pytest.mark.parametrize("secret", STEMS)


def made(**network: Any) -> View:
    return walk(view(tenant(networkProfile=network))).view


def certificate(found: View, secret: str) -> parsing.Certificate:
    return parsing.load_pem_x509_certificate(found.secret(secret)[f"{STEMS[secret]}.crt"])


def hosts(**network: Any) -> set[str]:
    """Names and addresses of the serving certificate."""
    said = (
        certificate(made(**network), SERVING).extensions.get_extension_for_class(parsing.SubjectAlternativeName).value
    )
    return {*said.get_values_for_type(parsing.DNSName), *map(str, said.get_values_for_type(parsing.IPAddress))}


def again(before: View, after: timedelta, **network: Any) -> View:
    raw = tenant(networkProfile=network)
    start = view(raw, *before.seen.objects.values(), now=NOW + after, mint=CountedMint(9000))
    return start.folded(*leaves.build(start))


@pytest.mark.parametrize(
    ("network", "more"),
    [
        ({}, {"kubernetes.default.svc.cluster.local", "10.96.0.1", "10.96.7.7"}),
        ({"clusterDomain": "demo.local"}, {"kubernetes.default.svc.demo.local", "10.96.0.1", "10.96.7.7"}),
        (
            {"serviceCidrs": ["10.20.0.0/16", "fd00:20::/112"]},
            {"kubernetes.default.svc.cluster.local", "10.20.0.1", "fd00:20::1", "10.96.7.7"},
        ),
        (
            {"serviceCidrs": ["10.20.3.4/16"]},
            {"kubernetes.default.svc.cluster.local", "10.20.0.1", "10.96.7.7"},
        ),
        (
            {"address": "api.example.com", "advertiseAddress": "192.0.2.10"},
            {"kubernetes.default.svc.cluster.local", "10.96.0.1", "api.example.com", "192.0.2.10"},
        ),
        (
            {"certSANs": ["a.example.com", "*.b.example.com", "203.0.113.9", "2001:DB8::1"]},
            {
                "kubernetes.default.svc.cluster.local",
                "10.96.0.1",
                "10.96.7.7",
                "a.example.com",
                "*.b.example.com",
                "203.0.113.9",
                "2001:db8::1",
            },
        ),
        (
            {"certSANs": ["localhost", "127.0.0.1", "10.96.7.7"]},
            {"kubernetes.default.svc.cluster.local", "10.96.0.1", "10.96.7.7"},
        ),
    ],
    ids=["least", "domain", "two families", "range by another address", "own address", "more names", "names twice"],
)
def test_it_serves_every_name_it_is_dialled_by_and_no_other(network: dict[str, Any], more: set[str]) -> None:
    assert hosts(**network) == ALWAYS | more


def test_who_each_one_is_and_what_for() -> None:
    found = made()
    said = {
        secret: (
            certificate(found, secret).subject.rfc4514_string(),
            list(certificate(found, secret).extensions.get_extension_for_class(parsing.ExtendedKeyUsage).value),
        )
        for secret in STEMS
    }
    assert said == {
        SERVING: ("CN=kube-apiserver", [ExtendedKeyUsageOID.SERVER_AUTH]),
        KUBELET: ("CN=kube-apiserver-kubelet-client", [ExtendedKeyUsageOID.CLIENT_AUTH]),
        PROXY: ("CN=front-proxy-client", [ExtendedKeyUsageOID.CLIENT_AUTH]),
    }


@pytest.mark.parametrize(
    ("secret", "authority", "key"),
    [(SERVING, "demo-ca", "ca.crt"), (KUBELET, "demo-ca", "ca.crt"), (PROXY, "demo-front-proxy-ca-certificate", "")],
)
def test_each_is_signed_by_the_authority_its_reader_trusts(secret: str, authority: str, key: str) -> None:
    found = made()
    issuer = parsing.load_pem_x509_certificate(found.secret(authority)[key or "front-proxy-ca.crt"])
    certificate(found, secret).verify_directly_issued_by(issuer)


@pytest.mark.keeps("better.validity")
@every_secret
def test_it_is_kept_until_two_thirds_of_its_life_and_then_made_anew(secret: str) -> None:
    first = made()
    due = lifetime.due(certificate(first, secret), credential.early(first)) - NOW
    assert again(first, due - timedelta(seconds=1)).secret(secret) == first.secret(secret)
    assert again(first, due).secret(secret) != first.secret(secret)


@every_secret
def test_the_rotate_annotation_asks_for_a_new_one(secret: str) -> None:
    first = made()
    stand = first.seen.get(kinds.SECRET, secret, "tenants")
    assert stand is not None
    asked = meta.new(kinds.SECRET, secret, "tenants", annotations={names.ANNOTATION_ROTATE: ""}, data=stand["data"])
    rotated = again(first.folded(asked), timedelta())
    assert rotated.secret(secret) != first.secret(secret)
    assert again(rotated, timedelta(days=1)).secret(secret) == rotated.secret(secret)


@pytest.mark.parametrize("network", [{"certSANs": ["a.example.com"]}, {"address": "192.0.2.1"}])
def test_another_name_makes_the_serving_certificate_anew_and_no_other(network: dict[str, Any]) -> None:
    first = made()
    found = again(first, timedelta(), **network)
    assert found.secret(SERVING) != first.secret(SERVING)
    assert (found.secret(KUBELET), found.secret(PROXY)) == (first.secret(KUBELET), first.secret(PROXY))


def test_a_name_that_is_no_longer_asked_for_leaves_the_certificate() -> None:
    wide = made(certSANs=["a.example.com"])
    found = again(wide, timedelta())
    said = certificate(found, SERVING).extensions.get_extension_for_class(parsing.SubjectAlternativeName).value
    assert "a.example.com" not in said.get_values_for_type(parsing.DNSName)


@pytest.mark.parametrize("order", [["b.example", "a.example"], ["a.example", "b.example", "a.example"]])
def test_names_in_another_order_or_twice_change_nothing(order: list[str]) -> None:
    first = made(certSANs=["a.example", "b.example"])
    assert again(first, timedelta(), certSANs=order).secret(SERVING) == first.secret(SERVING)


@every_secret
def test_what_somebody_broke_is_made_anew(secret: str) -> None:
    first = made()
    stem = STEMS[secret]
    broken = {f"{stem}.crt": first.secret(secret)[f"{stem}.crt"], f"{stem}.key": b"junk"}
    found = again(first.folded(meta.new(kinds.SECRET, secret, "tenants", data=meta.secret_data(broken))), timedelta())
    privatekey.load_key(found.secret(secret)[f"{stem}.key"])


BY_HAND = {
    "a name is missing": (timedelta(), ALWAYS - {"demo.tenants.svc"}),
    "all names are missing": (timedelta(), set[str]()),
    "made by a clock that is ahead": (timedelta(days=2), ALWAYS),
}


@pytest.mark.parametrize(("ahead", "said"), BY_HAND.values(), ids=BY_HAND)
def test_one_that_the_right_authority_signed_otherwise_than_is_wanted_is_made_anew(
    ahead: timedelta, said: set[str]
) -> None:
    first = made()
    authority = first.pair("demo-ca", "ca.crt", "ca.key")
    spoken = frozenset(each for each in said if each != "127.0.0.1")
    request = x509.Request(common_name="kube-apiserver", names=spoken, addresses=frozenset({"127.0.0.1"}), server=True)
    hand = x509.issue(request, authority, CountedMint(77), NOW + ahead)
    data = meta.secret_data({"apiserver.crt": hand.certificate, "apiserver.key": hand.key})
    found = again(first.folded(meta.new(kinds.SECRET, SERVING, "tenants", data=data)), timedelta())
    now, before = (certificate(each, SERVING) for each in (found, first))
    names_ = parsing.SubjectAlternativeName
    assert now.extensions.get_extension_for_class(names_) == before.extensions.get_extension_for_class(names_)
    assert now.not_valid_before_utc <= NOW
    assert found.secret(SERVING)["apiserver.crt"] != hand.certificate


def test_near_the_end_of_its_authority_a_leaf_ends_with_it() -> None:
    first = made()
    late = again(first, x509.CA_LIFE - timedelta(days=30))
    for secret in STEMS:
        assert certificate(late, secret).not_valid_after_utc == NOW + x509.CA_LIFE


def test_without_authorities_or_an_address_it_waits() -> None:
    with pytest.raises(NotReady, match="demo-ca"):
        list(leaves.build(view(tenant())))
    ready = made()
    nowhere = replace(ready, tcp=view(tenant(controlPlane={"service": {"serviceType": "NodePort"}})).tcp)
    with pytest.raises(NotReady, match="AddressUnknown"):
        list(leaves.build(nowhere))


def test_the_status_names_all_three() -> None:
    found = leaves.report(made())["certificates"]
    assert {key: block["secretName"] for key, block in found.items()} == {
        "apiServer": SERVING,
        "apiServerKubeletClient": KUBELET,
        "frontProxyClient": PROXY,
    }
    assert leaves.report(view(tenant())) == {"certificates": {}}


def test_addresses_are_compared_as_addresses() -> None:
    first = made(certSANs=["2001:db8:0:0::1"])
    assert str(ipaddress.ip_address("2001:db8::1")) in hosts(certSANs=["2001:db8:0:0::1"])
    assert again(first, timedelta(), certSANs=["2001:DB8::1"]).secret(SERVING) == first.secret(SERVING)
