"""Lets a tenant's API servers serve on here until those at its new place do. Called by the tenant pass and by teardown.

`clusterctl move` takes a TenantControlPlane away here a moment before it lets go of it there, and what stood under it would go
with it. So while it is paused with its Cluster what serves is held by a finalizer, and after its owner is gone it stays for
`SECONDS`: both places serve one range of keys, as the pods of a rollout do. Deletion that is no move is not held up.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.hosting.reconcile import finalizer
from provider.hosting.reconcile.context import Context
from provider.manifest import Manifest

HELD = (kinds.DEPLOYMENT, kinds.SERVICE, kinds.NETWORK_POLICY)
SECONDS = 60.0  # from the owner's end; a control plane starts in far less
OWNERLESS = 2.0  # seconds until we look again for what garbage collection has not come to yet


async def prepared(context: Context, raw: Manifest) -> None:
    """Hold what serves, of a paused tenant that Cluster API may move; nothing is written where it is held."""
    if not _may_move(raw):
        return
    for each in await _standing(context.cluster, raw):
        if not each["metadata"].get("deletionTimestamp"):
            await finalizer.held(context.cluster, each, names.FINALIZER_HANDOVER)


async def released(cluster: Cluster, found: Iterable[Manifest]) -> bool:
    """Hold these no longer: their tenant goes on here, or is deleted for good. Whether any was held."""
    held = [each for each in found if _is_held(each)]
    for each in held:
        await finalizer.released(cluster, each, names.FINALIZER_HANDOVER)
    return bool(held)


async def ended(context: Context, raw: Manifest) -> None:
    """The tenant is deleted, and not moved: nothing of it is held."""
    await released(context.cluster, await _standing(context.cluster, raw))


async def served_on(context: Context, name: str, namespace: str) -> float | None:
    """After a tenant is gone: let go of what is held once its time is over. Seconds until then, None when nothing is held."""
    found = await _standing(context.cluster, {"metadata": {"name": name, "namespace": namespace}})
    left = [(_left(each, context.clock()), each) for each in found if _is_held(each)]
    await released(context.cluster, [each for seconds, each in left if seconds <= 0])
    return min((seconds for seconds, _ in left if seconds > 0), default=None)


def _left(held: Manifest, now: datetime) -> float:
    metadata = held["metadata"]
    if since := metadata.get("deletionTimestamp"):
        return SECONDS - (now - datetime.fromisoformat(since)).total_seconds()
    return OWNERLESS if metadata.get("ownerReferences") else 0.0  # orphaned on purpose: it stays, and not because of us


def _may_move(raw: Manifest) -> bool:
    owners = raw["metadata"].get("ownerReferences") or ()
    return any(each["kind"] == kinds.KAMAJI_CONTROL_PLANE.kind for each in owners)


async def _standing(cluster: Cluster, tenant: Manifest) -> list[Manifest]:
    metadata = tenant["metadata"]
    found = [await cluster.get(kind, metadata["name"], metadata["namespace"]) for kind in HELD]
    return [each for each in found if each is not None]


def _is_held(manifest: Manifest) -> bool:
    return names.FINALIZER_HANDOVER in (manifest["metadata"].get("finalizers") or ())
