"""What exists of a DataStorePool: objects of its stores, DataStores, and where data could lie. Called by `reconcile.pool`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime

from provider.api import kinds, names
from provider.api.datastorepool import DataStorePool
from provider.api.kinds import Kind
from provider.cluster.client import Cluster
from provider.hosting.desired.pool import volume
from provider.hosting.storeview import PoolView
from provider.hosting.view import Seen, key_of
from provider.manifest import Manifest
from provider.manifest.mint import Mint
from provider.settings import Settings

MANAGER = "manager"  # container of the provider's own pod (config/manager)
NAMESPACED = (
    kinds.SECRET,
    kinds.CONFIG_MAP,
    kinds.SERVICE,
    kinds.NETWORK_POLICY,
    kinds.STATEFUL_SET,
    kinds.POD_DISRUPTION_BUDGET,
    kinds.JOB,
    kinds.CRON_JOB,
    kinds.POD,
    kinds.PERSISTENT_VOLUME_CLAIM,
)
"""Kinds of a pool's objects beside the provider; with PersistentVolumes, all it leaves behind."""


async def view(cluster: Cluster, raw: Manifest, *, settings: Settings, now: datetime, mint: Mint) -> PoolView:
    """The view at the start of a pass, of all stores and with every DataStore. Invalid when the object cannot be read."""
    parsed = DataStorePool.parse(raw)
    own, objects, stores, classes = await asyncio.gather(
        cluster.get(kinds.POD, settings.identity, settings.namespace),
        labelled(cluster, settings.namespace, parsed.name),
        cluster.list(kinds.DATA_STORE),
        cluster.list(kinds.STORAGE_CLASS),
    )
    return PoolView(
        pool=parsed,
        raw=raw,
        seen=Seen({key_of(each): each for each in (*objects, *stores)}),
        image=settings.image or image(own),
        classes=tuple(classes),
        nodes=tuple(await cluster.list(kinds.NODE)) if _on_nodes(parsed, classes, objects) else (),
        settings=settings,
        now=now,
        mint=mint,
    )


def _on_nodes(pool: DataStorePool, classes: Iterable[Manifest], objects: Iterable[Manifest]) -> bool:
    """Whether data lies, or would lie, on the disks of nodes."""
    if any(each["kind"] == kinds.PERSISTENT_VOLUME.kind for each in objects):
        return True
    return pool.spec.storage.storage_class_name is None and not volume.default_class(classes)


def image(own: Manifest | None) -> str:
    """The image of the provider's pod; empty where it runs outside of one."""
    containers = own["spec"]["containers"] if own else []
    return next((str(each["image"]) for each in containers if each["name"] == MANAGER), "")


async def labelled(cluster: Cluster, namespace: str, pool: str) -> tuple[Manifest, ...]:
    """Everything that carries the pool's label, its DataStores left out."""
    labels = {names.LABEL_POOL: pool}

    def list_of(kind: Kind, where: str | None) -> asyncio.Task[list[Manifest]]:
        return tasks.create_task(cluster.list(kind, where, labels=labels))

    async with asyncio.TaskGroup() as tasks:
        wanted = [list_of(kind, namespace) for kind in NAMESPACED]
        wanted.append(list_of(kinds.PERSISTENT_VOLUME, None))
    return tuple(each for found in wanted for each in found.result())
