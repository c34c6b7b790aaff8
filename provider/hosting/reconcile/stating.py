"""Writes statuses, for all passes alike. What claims a place in a store is written where it is claimed, under a version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.manifest import Manifest, mergepatch


async def wanted(cluster: Cluster, raw: Manifest, status: Mapping[str, Any]) -> bool:
    """Make the status what is wanted. Whether anything had to be sent: not where it says that already."""
    patch = mergepatch.between(raw.get("status") or {}, status)
    if patch:
        await laid(cluster, raw, patch)
    return bool(patch)


async def laid(cluster: Cluster, raw: Manifest, patch: Mapping[str, Any]) -> None:
    """Lay a merge patch over the status."""
    metadata = raw["metadata"]
    await cluster.merge(
        kinds.of(raw),
        metadata["name"],
        metadata.get("namespace"),
        {"status": dict(patch)},
        subresource="status",
        manager=names.HOSTING_STATUS_MANAGER,
    )
