"""JSON merge patches (RFC 7386): the difference between two objects. Called by whoever writes a status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def between(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The patch that makes `after` of `before`; empty when they are equal. Lists are replaced whole, as the RFC says."""
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            if inner := between(old, value):
                patch[key] = inner
        elif old != value or key not in before:
            patch[key] = value
    return patch


def merged(base: Mapping[str, Any], *layers: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with each layer laid over it: objects merged key by key, a null takes its key away, anything else replaces."""
    result = dict(base)
    for layer in layers:
        for key, value in layer.items():
            old = result.get(key)
            if value is None:
                result.pop(key, None)
            elif isinstance(value, Mapping):
                result[key] = merged(old if isinstance(old, Mapping) else {}, value)
            else:
                result[key] = value
    return result
