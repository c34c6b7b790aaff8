"""Private keys and their public halves, as PEM. Called by `x509`, and by whoever has to do with the key of tokens."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from provider.manifest.mint import PrivateKey

CURVES = ("secp256r1", "secp384r1", "secp521r1")
REMEMBERED = 20_000  # public halves kept; some 200 bytes each

_HALVES: dict[bytes, bytes] = {}


def private_key_pem(key: PrivateKey) -> bytes:
    """Unencrypted PEM in the key's traditional form (SEC 1 or PKCS#1), as kubeadm and kube-apiserver read it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def public_key_pem(key: PrivateKey) -> bytes:
    """SubjectPublicKeyInfo PEM of a private key."""
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def public_half(private: bytes) -> bytes:
    """SubjectPublicKeyInfo PEM of a private key's PEM. ValueError when that is none, or neither RSA nor ECDSA.

    To read an RSA key is to check its primes, some 50 ms, and each pass asks of the same keys: what was found is remembered
    by the key's digest, never with the key.
    """
    digest = hashlib.sha256(private).digest()
    if digest not in _HALVES:
        if len(_HALVES) >= REMEMBERED:
            _HALVES.clear()
        _HALVES[digest] = public_key_pem(load_key(private))
    return _HALVES[digest]


def load_key(pem: bytes) -> PrivateKey:
    """The private key in a PEM. ValueError when it is none, neither RSA nor ECDSA, or on a curve that Go does not know."""
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, PrivateKey) or (
        isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name not in CURVES
    ):
        raise ValueError(f"a private key must be RSA, or ECDSA on {', '.join(CURVES)}")
    return key
