"""Authorities as others make them, for tests of what we do with what a user brought."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509 as making
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from provider.manifest import privatekey
from provider.manifest.x509 import Pair


def sha256_identifier(key: Any) -> making.SubjectKeyIdentifier:
    """As Go counts it since 1.25 (RFC 7093, method 1)."""
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return making.SubjectKeyIdentifier(hashlib.sha256(point).digest()[:20])


def authority(
    now: datetime,
    *,
    identifier: str = "sha1",
    ca: bool = True,
    life: timedelta = timedelta(days=3650),
    path_length: int | None = None,
    curve: ec.EllipticCurve | None = None,
    signs: bool | None = None,
) -> Pair:
    """A self-signed certificate that somebody else made; `identifier` is sha1, sha256, or empty for none."""
    key = ec.derive_private_key(77, curve or ec.SECP256R1())
    builder = _named("brought", now, life).public_key(key.public_key())
    builder = builder.add_extension(making.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    if signs is not None:
        builder = builder.add_extension(_usage(signs=signs), critical=True)
    if identifier:
        own = (
            sha256_identifier(key)
            if identifier == "sha256"
            else making.SubjectKeyIdentifier.from_public_key(key.public_key())
        )
        builder = builder.add_extension(own, critical=False)
    return _pair(builder.sign(key, hashes.SHA256()), privatekey.private_key_pem(key))


def _usage(*, signs: bool) -> making.KeyUsage:
    return making.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs,
        crl_sign=signs,
        key_encipherment=False,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def of_ed25519(now: datetime) -> Pair:
    """With a key that is neither RSA nor ECDSA."""
    key = ed25519.Ed25519PrivateKey.generate()
    builder = _named("brought", now, timedelta(days=365)).public_key(key.public_key())
    builder = builder.add_extension(making.BasicConstraints(ca=True, path_length=None), critical=True)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return _pair(builder.sign(key, None), pem)


def _named(name: str, now: datetime, life: timedelta) -> making.CertificateBuilder:
    subject = making.Name([making.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        making.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .serial_number(7)
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + life)
    )


def _pair(certificate: making.Certificate, key: bytes) -> Pair:
    return Pair(certificate=certificate.public_bytes(serialization.Encoding.PEM), key=key)
