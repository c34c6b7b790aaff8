"""What signs is made once and kept, also when a user brought it; what cannot be used is refused, never replaced by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509 as parsing
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from provider.api import kinds, names
from provider.api.verdict import Invalid, NotReady
from provider.hosting import renewal
from provider.hosting.desired.pki import authorities
from provider.hosting.view import View
from provider.manifest import Manifest, meta, privatekey, x509
from provider.manifest.x509 import Pair
from tests.golden.world import NOW, CountedMint, rsa_key, tenant, view, walk
from tests.unit.provider.manifest import brought

CA, PROXY, ACCOUNT = "demo-ca", "demo-front-proxy-ca-certificate", "demo-sa-certificate"
STEMS = {CA: ("ca.crt", "ca.key"), PROXY: ("front-proxy-ca.crt", "front-proxy-ca.key"), ACCOUNT: ("sa.pub", "sa.key")}
every_secret = pytest.mark.parametrize("secret", STEMS)


def stands(secret: str, rotate: str | None = None, **data: bytes) -> Manifest:
    """A Secret with these halves (`public`, `private`)."""
    public, private = STEMS[secret]
    keys = {{"public": public, "private": private}[half]: content for half, content in data.items()}
    annotations = {} if rotate is None else {names.ANNOTATION_ROTATE: rotate}
    return meta.new(kinds.SECRET, secret, "tenants", annotations=annotations, data=meta.secret_data(keys))


def of(secret: str, pair: Pair, rotate: str | None = None) -> Manifest:
    return stands(secret, rotate, public=pair.certificate, private=pair.key)


def built(*seen: Manifest, now: datetime = NOW, count: int = 1000, **metadata: Any) -> View:
    start = view(tenant(metadata=metadata), *seen, now=now, mint=CountedMint(count))
    return start.folded(*authorities.build(start))


def refused(*seen: Manifest, now: datetime = NOW) -> Invalid:
    with pytest.raises(Invalid) as caught:
        built(*seen, now=now)
    return caught.value


@pytest.mark.keeps("better.fast-keys")
def test_a_new_tenant_gets_two_authorities_and_a_pair_for_tokens() -> None:
    found = built()
    assert set(found.secret(CA)) == {"ca.crt", "ca.key", "tls.crt", "tls.key"}
    assert set(found.secret(PROXY)) == {"front-proxy-ca.crt", "front-proxy-ca.key"}
    assert set(found.secret(ACCOUNT)) == {"sa.pub", "sa.key"}
    for secret, name in ((CA, "kubernetes"), (PROXY, "front-proxy-ca")):
        certificate = parsing.load_pem_x509_certificate(found.secret(secret)[STEMS[secret][0]])
        assert certificate.subject.rfc4514_string() == f"CN={name}"
        assert certificate.not_valid_after_utc == NOW + x509.CA_LIFE
        assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)


def test_the_two_authorities_have_nothing_in_common() -> None:
    """A client that the front proxy's CA signed may name any user."""
    found = built()
    assert found.secret(CA)["ca.key"] != found.secret(PROXY)["front-proxy-ca.key"]


def test_cluster_api_finds_the_authority_under_the_names_of_a_tls_secret() -> None:
    data = built().secret(CA)
    assert (data["tls.crt"], data["tls.key"]) == (data["ca.crt"], data["ca.key"])


def test_the_public_half_of_the_token_pair_is_its_own() -> None:
    data = built().secret(ACCOUNT)
    key = serialization.load_pem_private_key(data["sa.key"], None)
    assert data["sa.pub"] == key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@every_secret
def test_what_is_there_is_kept_through_every_pass(secret: str) -> None:
    first = built()
    again = built(*first.seen.objects.values(), now=NOW + timedelta(days=3000), count=9000)
    assert again.secret(secret) == first.secret(secret)


@pytest.mark.parametrize("secret", [CA, PROXY])
@pytest.mark.parametrize("identifier", ["sha1", "sha256", ""])
def test_an_authority_that_a_user_brought_is_used_as_it_is(secret: str, identifier: str) -> None:
    pair = brought.authority(NOW, identifier=identifier)
    found = built(of(secret, pair))
    public, private = STEMS[secret]
    assert (found.secret(secret)[public], found.secret(secret)[private]) == (pair.certificate, pair.key)


@pytest.mark.keeps("better.fast-keys")
def test_an_rsa_pair_for_tokens_that_a_user_brought_is_used_as_it_is() -> None:
    key = rsa_key()
    public, private = privatekey.public_key_pem(key), privatekey.private_key_pem(key)
    assert built(stands(ACCOUNT, public=public + b"\n", private=private)).secret(ACCOUNT)["sa.key"] == private


def test_an_authority_brought_without_the_copies_gets_them() -> None:
    pair = brought.authority(NOW)
    assert built(of(CA, pair)).secret(CA)["tls.crt"] == pair.certificate


@pytest.mark.parametrize("issuer", [{}, {"ca.crt": b"of its issuer, as cert-manager writes it"}])
def test_an_authority_brought_as_a_tls_secret_is_used_as_it_is(issuer: dict[str, bytes]) -> None:
    pair = brought.authority(NOW)
    given = {"tls.crt": pair.certificate, "tls.key": pair.key, **issuer}
    found = built(meta.new(kinds.SECRET, CA, "tenants", data=meta.secret_data(given))).secret(CA)
    assert (found["ca.crt"], found["ca.key"]) == (pair.certificate, pair.key) == (found["tls.crt"], found["tls.key"])


@pytest.mark.parametrize(
    ("secret", "half"), [(CA, "public"), (CA, "private"), (PROXY, "public"), (PROXY, "private"), (ACCOUNT, "public")]
)
def test_half_a_pair_is_refused_and_says_which_half_is_missing(secret: str, half: str) -> None:
    pair = brought.authority(NOW)
    content = {"public": pair.certificate, "private": pair.key}[half]
    found = refused(stands(secret, **{half: content}))
    public, private = STEMS[secret]
    assert found.reason == "AuthorityIncomplete"
    there = {"public": public, "private": private}[half]
    assert f"Secret tenants/{secret} has {there} only: add the other of {public} and {private}" in found.message


@every_secret
def test_the_public_half_that_somebody_deleted_comes_back_for_the_private_one_is_there(secret: str) -> None:
    first = built()
    _, private = STEMS[secret]
    rest = [each for each in first.seen.objects.values() if each["metadata"]["name"] != secret]
    second = built(*rest, stands(secret, private=first.secret(secret)[private]), count=9000)
    assert second.secret(secret) == first.secret(secret)
    assert second.secret("demo-trusted-keys") == first.secret("demo-trusted-keys")


def test_the_private_half_of_the_cas_copy_is_as_good() -> None:
    first = built()
    data = {key: value for key, value in first.secret(CA).items() if key != "ca.key"}
    half = meta.new(kinds.SECRET, CA, "tenants", data=meta.secret_data(data))
    assert built(*first.seen.objects.values(), half, count=9000).secret(CA) == first.secret(CA)


@pytest.mark.parametrize("secret", [CA, PROXY])
def test_a_private_half_that_nobody_remembers_is_refused(secret: str) -> None:
    first = built()
    rest = [each for each in first.seen.objects.values() if each["metadata"]["name"] != secret]
    stranger = x509.authority("kubernetes", CountedMint(5), NOW)
    assert refused(*rest, stands(secret, private=stranger.key)).reason == "AuthorityIncomplete"


UNUSABLE = {
    "junk": Pair(certificate=b"junk", key=b"junk"),
    "empty": Pair(certificate=b"", key=b""),
    "another's key": replace(brought.authority(NOW), key=privatekey.private_key_pem(CountedMint(5).key())),
    "a leaf": brought.authority(NOW, ca=False),
    "expired": brought.authority(NOW, life=timedelta(days=-1)),
    "Ed25519": brought.of_ed25519(NOW),
    "a curve that Go does not know": brought.authority(NOW, curve=ec.SECP256K1()),
    "may not sign certificates": brought.authority(NOW, signs=False),
}


@pytest.mark.parametrize("secret", [CA, PROXY])
@pytest.mark.parametrize("pair", UNUSABLE.values(), ids=UNUSABLE)
def test_an_authority_that_cannot_be_used_is_refused_and_never_replaced(secret: str, pair: Pair) -> None:
    found = refused(of(secret, pair))
    assert found.reason == "AuthorityUnusable"
    assert f"Secret tenants/{secret}: {' and '.join(STEMS[secret])} are not a certificate authority" in found.message
    assert "delete the Secret to have a new one made, after which workers have to join again" in found.message


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda each: each.name)
def test_an_authority_on_any_curve_that_go_knows_signs(curve: ec.EllipticCurve) -> None:
    found = walk(view(tenant(), of(CA, brought.authority(NOW, curve=curve, signs=True))))
    assert found.declined == {}


@pytest.mark.parametrize("secret", [CA, PROXY])
def test_an_authority_whose_time_is_to_come_is_waited_for_and_looked_at_then(secret: str) -> None:
    begins = NOW + timedelta(days=2)
    made = of(secret, x509.authority("brought", CountedMint(), begins + x509.BACKDATE))
    early = view(tenant(), made, now=begins - timedelta(minutes=1))
    with pytest.raises(NotReady) as caught:
        list(authorities.build(early))
    assert caught.value.reason == "AuthorityNotYetValid"
    assert f"Secret tenants/{secret}: {STEMS[secret][0]} is valid from 2026-11-26T12:00:00Z" in caught.value.message
    assert renewal.again(early) == 60
    assert walk(replace(early, now=begins)).declined == {}


@pytest.mark.parametrize(
    ("public", "private"),
    [
        (privatekey.public_key_pem(CountedMint(1).key()), privatekey.private_key_pem(CountedMint(2).key())),
        (b"junk", privatekey.private_key_pem(CountedMint(2).key())),
        (privatekey.public_key_pem(CountedMint(1).key()), b"junk"),
        (privatekey.public_key_pem(CountedMint(1).key()), brought.of_ed25519(NOW).key),
    ],
    ids=["of two pairs", "no public key", "no private key", "Ed25519"],
)
def test_a_pair_for_tokens_that_does_not_match_is_refused(public: bytes, private: bytes) -> None:
    found = refused(stands(ACCOUNT, public=public, private=private))
    assert found.reason == "AuthorityUnusable"
    assert "sa.pub and sa.key are not an RSA or ECDSA key with its public half" in found.message


@pytest.mark.keeps("better.renewal")
def test_an_authority_that_expires_is_refused_on_that_day_and_not_before() -> None:
    first = built()
    objects = first.seen.objects.values()
    built(*objects, now=NOW + x509.CA_LIFE - timedelta(seconds=1))
    assert refused(*objects, now=NOW + x509.CA_LIFE).reason == "AuthorityUnusable"


@every_secret
def test_the_rotate_annotation_asks_for_a_new_one_once(secret: str) -> None:
    first = built()
    stand = first.seen.get(kinds.SECRET, secret, "tenants")
    assert stand is not None
    asked = {**stand, "metadata": {**stand["metadata"], "annotations": {names.ANNOTATION_ROTATE: ""}}}
    rotated = built(*first.seen.objects.values(), asked, count=9000)
    assert rotated.secret(secret) != first.secret(secret)
    done = built(*rotated.seen.objects.values(), count=9900)
    assert done.secret(secret) == rotated.secret(secret)


def test_the_rotate_annotation_also_replaces_what_cannot_be_used() -> None:
    found = built(of(CA, UNUSABLE["junk"], rotate=""))
    assert x509.authority_is_usable(found.pair(CA, "ca.crt", "ca.key"), NOW)


def test_an_empty_secret_is_filled() -> None:
    found = built(stands(CA))
    assert x509.authority_is_usable(found.pair(CA, "ca.crt", "ca.key"), NOW)


def test_when_the_authority_is_new_and_nothing_tells_of_another_everything_below_it_is() -> None:
    first = walk(view(tenant()))
    gone = (CA, "demo-trusted-keys")
    rest = [each for each in first.view.seen.objects.values() if each["metadata"]["name"] not in gone]
    second = walk(view(tenant(), *rest, mint=CountedMint(9000)))
    ca = parsing.load_pem_x509_certificate(second.view.secret(CA)["ca.crt"])
    serving = second.view.secret("demo-api-server-certificate")["apiserver.crt"]
    parsing.load_pem_x509_certificate(serving).verify_directly_issued_by(ca)
    assert second.view.secret(PROXY) == first.view.secret(PROXY)
    assert second.view.secret("demo-front-proxy-client-certificate") == first.view.secret(
        "demo-front-proxy-client-certificate"
    )


def test_the_authority_of_a_tenant_called_like_its_cluster_is_what_cluster_api_looks_for() -> None:
    labels = {names.LABEL_CLUSTER_NAME: "demo"}
    made = built(labels=labels).seen.get(kinds.SECRET, CA, "tenants")
    assert made is not None
    assert made["type"] == names.CLUSTER_SECRET_TYPE
    assert meta.labels_of(made)[names.LABEL_CLUSTER_NAME] == "demo"
    other = built(labels={names.LABEL_CLUSTER_NAME: "another"}).seen.get(kinds.SECRET, CA, "tenants")
    assert other is not None
    assert other["type"] == "Opaque"
    assert names.LABEL_CLUSTER_NAME not in meta.labels_of(other)


def test_the_type_of_a_secret_that_exists_cannot_change() -> None:
    stand = of(CA, brought.authority(NOW)) | {"type": "kubernetes.io/tls"}
    made = built(stand, labels={names.LABEL_CLUSTER_NAME: "demo"}).seen.get(kinds.SECRET, CA, "tenants")
    assert made is not None
    assert made["type"] == "kubernetes.io/tls"


def test_the_status_names_all_three() -> None:
    found = authorities.report(built())["certificates"]
    assert {key: block["secretName"] for key, block in found.items()} == {
        "ca": CA,
        "frontProxyCA": PROXY,
        "sa": ACCOUNT,
    }
    assert authorities.report(view(tenant())) == {"certificates": {}}
