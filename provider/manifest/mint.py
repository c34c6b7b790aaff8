"""Where fresh secrets come from, as a parameter: builders ask a Mint, so that tests can give a fixed one.

The real one is `provider.hosting.reconcile.mint`; nothing in the pure floors makes a key by itself.
"""

from __future__ import annotations

from typing import Literal, Protocol

from cryptography.hazmat.primitives.asymmetric import ec, rsa

Algorithm = Literal["ECDSA-P256", "RSA-2048"]
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Mint(Protocol):
    """Source of everything random that ends in an object."""

    def key(self, algorithm: Algorithm = "ECDSA-P256") -> PrivateKey:
        """A fresh private key."""

    def serial(self) -> int:
        """A certificate serial number: positive, at most 159 bits (RFC 5280 4.1.2.2)."""

    def password(self) -> str:
        """A fresh password of at least 128 bits."""

    def cipher(self) -> bytes:
        """A fresh key to encrypt with: 32 bytes."""
