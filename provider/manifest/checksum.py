"""Content checksums as upstream writes them, so that its annotations and pod labels compare equal on take-over."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping


def of(data: Mapping[str, str | bytes]) -> str:
    """Hex MD5 of all values in key order, without separators (upstream's rule). Not a security boundary."""
    digest = hashlib.md5(usedforsecurity=False)
    for key in sorted(data):
        value = data[key]
        digest.update(value.encode() if isinstance(value, str) else value)
    return digest.hexdigest()
