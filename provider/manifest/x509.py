"""Certificates: made from a request, judged by content. Called by the pki, kubeconfigs, datastore and pool parts.

A certificate is judged by what it says (issuer, key, names, usages, time left), never by bytes (RFC 5280).
Time comes in as `now`, keys and serials from a Mint.
"""

from __future__ import annotations

import ipaddress
import warnings
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from provider.manifest import lifetime, pem, privatekey
from provider.manifest.mint import Algorithm, Mint, PrivateKey

YEAR = timedelta(days=365)
CA_LIFE = 10 * YEAR
LEAF_LIFE = YEAR
BACKDATE = timedelta(minutes=5)  # clocks of workers may be behind ours

# Names of more than 64 characters are taken as they are (`issue`): to say so each time one is made or read helps nobody. For
# the whole process, as the library warns whoever reads a subject; of such names only, not of a country's two letters.
warnings.filterwarnings("ignore", "Attribute's length must be >= 1 and <= 64, but it was ", UserWarning)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A certificate with its private key, both PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a leaf should say. `names` are DNS names, `addresses` IP literals; both are compared as sets.

    `spare` are names that one which stands may have or lack. `lax` lets pass one that says more: other organizations, uses.
    """

    common_name: str
    organizations: tuple[str, ...] = ()
    names: frozenset[str] = field(default_factory=frozenset)
    addresses: frozenset[str] = field(default_factory=frozenset)
    server: bool = False
    client: bool = False
    spare: frozenset[str] = field(default_factory=frozenset)
    lax: bool = False
    life: timedelta = LEAF_LIFE
    algorithm: Algorithm = "ECDSA-P256"


def authority(common_name: str, mint: Mint, now: datetime, algorithm: Algorithm = "ECDSA-P256") -> Pair:
    """A fresh self-signed certificate authority, ten years."""
    key = mint.key(algorithm)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = (
        dated(x509.CertificateBuilder(), mint, now, CA_LIFE)
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(key_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(common_name)]), critical=False)
    )
    return Pair(certificate=signed(builder, key), key=privatekey.private_key_pem(key))


def issue(request: Request, issuer: Pair, mint: Mint, now: datetime) -> Pair:
    """A fresh leaf for `request`, signed by `issuer`, which it never outlives. ValueError: unusable issuer."""
    key = mint.key(request.algorithm)
    issuer_certificate = x509.load_pem_x509_certificate(issuer.certificate)
    life = min(request.life, issuer_certificate.not_valid_after_utc - now)
    subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in request.organizations]
    # RFC 5280 knows 64 characters at most. Users that upstream recorded may have more, and etcd takes them.
    subject.append(x509.NameAttribute(NameOID.COMMON_NAME, request.common_name, _validate=False))
    builder = (
        dated(x509.CertificateBuilder(), mint, now, life)
        .subject_name(x509.Name(subject))
        .issuer_name(issuer_certificate.subject)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(_usages(request)), critical=False)
        .add_extension(authority_key(issuer_certificate), critical=False)
    )
    if alternatives := _alternatives(request):
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return Pair(certificate=signed(builder, privatekey.load_key(issuer.key)), key=privatekey.private_key_pem(key))


def authority_is_usable(pair: Pair, now: datetime) -> bool:
    """Whether a CA pair parses, belongs together, may sign and has not expired (also one brought by a user)."""
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate)
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        able = basic.ca and _may_sign(certificate) and now < certificate.not_valid_after_utc
        return able and _belong_together(certificate, pair.key)
    except (ValueError, TypeError, x509.ExtensionNotFound):
        return False


def _may_sign(certificate: x509.Certificate) -> bool:
    """Where it says what its key is for, Go takes it for an authority only if that is to sign certificates."""
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


def signed_by(certificate: bytes, authority: Pair) -> bool:
    """Whether the authority signed it and has its own key, to sign others."""
    try:
        signer = x509.load_pem_x509_certificate(authority.certificate)
        return verifies(certificate, authority.certificate) and _belong_together(signer, authority.key)
    except (ValueError, TypeError):
        return False


def verifies(certificate: bytes, authority: bytes) -> bool:
    """Whether the authority with this certificate signed it."""
    try:
        signer = x509.load_pem_x509_certificate(authority)
        x509.load_pem_x509_certificate(certificate).verify_directly_issued_by(signer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def signing(bundle: Pair) -> Pair:
    """Of a bundle with one key the pair that belongs together; as it stands where none does."""
    blocks = pem.blocks(bundle.certificate)
    try:
        half = privatekey.public_half(bundle.key) if len(blocks) > 1 else b""
    except (ValueError, TypeError):
        return bundle
    return next((replace(bundle, certificate=each) for each in blocks if half and is_of(each, half)), bundle)


def satisfies(pair: Pair, request: Request, issuer: Pair, now: datetime, early: float = 0.0) -> bool:
    """Whether an existing leaf still says what is asked, under this issuer, with more than a third of its life left."""
    return fits(pair, request, issuer) and in_time(pair, now, early, end=end(request, issuer, now))


def fits(pair: Pair, request: Request, issuer: Pair) -> bool:
    """Whether a leaf says what is asked, under this issuer, whatever the time is."""
    try:
        leaf = x509.load_pem_x509_certificate(pair.certificate)
        authority = x509.load_pem_x509_certificate(issuer.certificate)
        leaf.verify_directly_issued_by(authority)
        return _belong_together(leaf, pair.key) and _says(leaf, request) and _names_key_of(leaf, authority)
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False


def end(request: Request, issuer: Pair, now: datetime) -> datetime:
    """When a leaf ends that is made now. ValueError when the issuer cannot be read."""
    signer = x509.load_pem_x509_certificate(issuer.certificate)
    return min(now + request.life, signer.not_valid_after_utc).replace(microsecond=0)


def renewal(pair: Pair, early: float = 0.0) -> datetime:
    """When a pair should be renewed. ValueError when its certificate cannot be read."""
    return lifetime.due(x509.load_pem_x509_certificate(pair.certificate), early)


def in_time(pair: Pair, now: datetime, early: float = 0.0, *, end: datetime) -> bool:
    """Whether a leaf is valid, and not yet to be renewed or as good as another, which would have this end.

    Near its authority's end none lives longer than the one that stands: to make it anew ever faster would help nobody.
    ValueError when it cannot be read.
    """
    leaf = x509.load_pem_x509_certificate(pair.certificate)
    return leaf.not_valid_before_utc <= now and (now < lifetime.due(leaf, early) or end <= leaf.not_valid_after_utc)


def authority_key(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """How a leaf names its authority's key: as the authority itself does, else OpenSSL does not find it (RFC 5280 4.2.1.1).

    An authority that a user brought may count its identifier in another way than we do: Go does since 1.25.
    """
    if own := _key_identifier(authority):
        return x509.AuthorityKeyIdentifier(own, None, None)
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())  # type: ignore[arg-type]


def _names_key_of(leaf: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether a verifier that goes by key identifiers finds this authority; it need not look where one is missing."""
    try:
        named = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return True
    own = _key_identifier(authority)
    return own is None or named is None or named == own


def _key_identifier(authority: x509.Certificate) -> bytes | None:
    try:
        return authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return None


def _says(leaf: x509.Certificate, request: Request) -> bool:
    common = [str(each.value) for each in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    organizations = {str(each.value) for each in leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)}
    usages = set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    try:
        alternatives = set(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        alternatives = set()
    asked, wanted = set(_usages(request)), set(request.organizations)
    return (
        common == [request.common_name]
        and (organizations >= wanted if request.lax else organizations == wanted)
        and (usages >= asked if request.lax else usages == asked)
        and alternatives ^ set(_alternatives(request)) <= {x509.DNSName(each) for each in request.spare}
    )


def is_of(certificate: bytes, half: bytes) -> bool:
    """Whether it is the certificate of this public key (SubjectPublicKeyInfo PEM)."""
    try:
        return _half(x509.load_pem_x509_certificate(certificate)) == half
    except ValueError:
        return False


def is_pair(pair: Pair) -> bool:
    """Whether the key is the certificate's."""
    try:
        return is_of(pair.certificate, privatekey.public_half(pair.key))
    except (ValueError, TypeError):
        return False


def _belong_together(certificate: x509.Certificate, key_pem: bytes) -> bool:
    return _half(certificate) == privatekey.public_half(key_pem)


def _half(certificate: x509.Certificate) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return certificate.public_key().public_bytes(encoding, form)


def _usages(request: Request) -> list[x509.ObjectIdentifier]:
    wanted = []
    if request.server:
        wanted.append(ExtendedKeyUsageOID.SERVER_AUTH)
    if request.client:
        wanted.append(ExtendedKeyUsageOID.CLIENT_AUTH)
    return wanted


def _alternatives(request: Request) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName(each) for each in sorted(request.names)]
    return names + [x509.IPAddress(ipaddress.ip_address(each)) for each in sorted(request.addresses)]


def key_usage(*, ca: bool) -> x509.KeyUsage:
    """What a key may be used for: an authority's also to sign certificates."""
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=True,
        key_cert_sign=ca,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def dated(builder: x509.CertificateBuilder, mint: Mint, now: datetime, life: timedelta) -> x509.CertificateBuilder:
    """With a serial number and a validity of so long from now."""
    return (
        builder.serial_number(mint.serial())
        .not_valid_before((now - BACKDATE).replace(microsecond=0))
        .not_valid_after((now + life).replace(microsecond=0))
    )


def signed(builder: x509.CertificateBuilder, key: PrivateKey) -> bytes:
    """The certificate as PEM."""
    # Deterministic ECDSA (RFC 6979): equal input gives equal bytes, which the golden tests lean on.
    deterministic = True if isinstance(key, ec.EllipticCurvePrivateKey) else None
    certificate = builder.sign(key, hashes.SHA256(), ecdsa_deterministic=deterministic)
    return certificate.public_bytes(serialization.Encoding.PEM)
