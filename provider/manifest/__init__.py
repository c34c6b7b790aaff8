"""Words of Kubernetes and X.509: pure helpers that every builder uses. No clock, no randomness, no client."""

from __future__ import annotations

from typing import Any

Manifest = dict[str, Any]
"""One Kubernetes object as parsed JSON: apiVersion, kind, metadata and the rest."""
