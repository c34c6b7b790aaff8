"""When a certificate is renewed: at two thirds of its life, each holder at its own share of the last twentieth before that.

Pure; called by `x509`, by whoever waits for a renewal, and by holders that want to know their share.
"""

from __future__ import annotations

import zlib
from datetime import datetime

from cryptography import x509

RENEW_AFTER = 2 / 3  # of its life
SPREAD = 1 / 20  # of a life, by so much at most one is renewed earlier than another


def begins(certificate: bytes) -> datetime:
    """From when on a certificate is valid. ValueError when it cannot be read."""
    return x509.load_pem_x509_certificate(certificate).not_valid_before_utc


def due(leaf: x509.Certificate, early: float = 0.0) -> datetime:
    """When a leaf should be renewed, `early` by so much of its life."""
    return of_span(leaf.not_valid_before_utc, leaf.not_valid_after_utc, early)


def of_span(begins: datetime, ends: datetime, early: float = 0.0) -> datetime:
    """The same of one of which only this is known."""
    return begins + (ends - begins) * (RENEW_AFTER - early)


def spread(name: str) -> float:
    """How much of their lives the leaves of this holder are renewed early, always the same.

    So a hundred tenants made in one hour do not all roll in one hour, and each of them rolls once for all its leaves.
    """
    return SPREAD * zlib.crc32(name.encode()) / 2**32
