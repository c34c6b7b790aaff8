"""Holds an object until what it stands for is gone. Called by passes over what has no teardown of its own, and by `handover`.

The resourceVersion in each patch makes a finalizer that somebody else wrote meanwhile a conflict: the pass is taken again.
"""

from __future__ import annotations

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.manifest import Manifest


async def held(cluster: Cluster, raw: Manifest, finalizer: str) -> Manifest:
    """The object with the finalizer on it; written only when it lacks it."""
    present = list(raw["metadata"].get("finalizers") or ())
    return raw if finalizer in present else await _written(cluster, raw, [*present, finalizer])


async def released(cluster: Cluster, raw: Manifest, finalizer: str) -> None:
    """Take the finalizer off; with the last one a deleted object goes."""
    present = list(raw["metadata"].get("finalizers") or ())
    if finalizer in present:
        await _written(cluster, raw, [each for each in present if each != finalizer])


async def _written(cluster: Cluster, raw: Manifest, finalizers: list[str]) -> Manifest:
    metadata = raw["metadata"]
    patch = {"metadata": {"finalizers": finalizers, "resourceVersion": metadata["resourceVersion"]}}
    where = metadata.get("namespace")
    return await cluster.merge(kinds.of(raw), metadata["name"], where, patch, manager=names.HOSTING_MANAGER)
