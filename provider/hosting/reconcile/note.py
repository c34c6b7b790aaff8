"""Writes one condition of a TenantControlPlane and leaves the rest of its status as it is.

For passes that end before the walk over the parts: one that is paused, one that is being deleted.
"""

from __future__ import annotations

from provider.hosting.reconcile import stating
from provider.hosting.reconcile.context import Context
from provider.manifest import Manifest
from provider.manifest.condition import Condition, merged


async def condition(context: Context, raw: Manifest, wanted: Condition) -> bool:
    """Whether it was written. Nothing is sent when it stands already."""
    metadata, status = raw["metadata"], raw.get("status") or {}
    before = status.get("conditions") or []
    kept = [each for each in before if each["type"] != wanted.type]
    said = merged([wanted], before, metadata.get("generation", 0), context.clock())
    return await stating.wanted(context.cluster, raw, {**status, "conditions": [*kept, *said]})
