"""Bundles: several certificates or public keys in one PEM text. Called by the rotation of authorities and by overrides."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives import hashes

BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


def blocks(text: bytes) -> tuple[bytes, ...]:
    """Each block of a bundle, in order, with one newline at its end; none of what is no PEM."""
    return tuple(each[0].replace(b"\r\n", b"\n") + b"\n" for each in BLOCK.finditer(text))


def bundle(texts: Iterable[bytes]) -> bytes:
    """Every block of these texts once, in order."""
    return b"".join(dict.fromkeys(block for each in texts for block in blocks(each)))


def holds(text: bytes, part: bytes) -> bool:
    """Whether every block of `part` is one of `text`'s."""
    return set(blocks(part)) <= set(blocks(text))


def fingerprint(text: bytes) -> str:
    """Sixteen hex digits that tell one certificate or key from another: of the first block's SHA-256."""
    return hashlib.sha256((*blocks(text), text)[0]).hexdigest()[:16]


def same_certificates(one: bytes, other: bytes) -> bool:
    """Whether two PEM bundles hold the same certificates. Also when one of them cannot be read: then they do not."""
    try:
        found = [
            {each.fingerprint(hashes.SHA256()) for each in x509.load_pem_x509_certificates(pem)} for pem in (one, other)
        ]
    except ValueError:
        return False
    return found[0] == found[1]
