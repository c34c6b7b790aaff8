"""The real source of keys, serials and passwords. Handed to every view; the pure floors only know its shape."""

from __future__ import annotations

import secrets

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from provider.manifest.mint import Algorithm, PrivateKey


class RandomMint:
    """Keys from the operating system's randomness. A P-256 key takes some microseconds, an RSA key up to 0.2 s."""

    def key(self, algorithm: Algorithm = "ECDSA-P256") -> PrivateKey:
        """A fresh private key."""
        if algorithm == "RSA-2048":
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return ec.generate_private_key(ec.SECP256R1())

    def serial(self) -> int:
        """A random serial number (RFC 5280 4.1.2.2)."""
        return x509.random_serial_number()

    def password(self) -> str:
        """256 bits, URL-safe."""
        return secrets.token_urlsafe(32)

    def cipher(self) -> bytes:
        """256 bits."""
        return secrets.token_bytes(32)
