"""Writes one tenant to a file, sealed: its object, what signs for it, and its keys at one revision. Then reads the file back.

The file is in its place only once it is whole; one that a Job before this one left half is replaced. Memory does not grow
with the tenant.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provider.api import kinds, names
from provider.hosting import encryption, migration
from provider.hosting.backup import envelope
from provider.hosting.backup.archive import Content, Entry, Head, Reader, Writer
from provider.hosting.datastores.errors import Outrun
from provider.hosting.datastores.etcd.copying import reading, writing
from provider.hosting.datastores.etcd.ranges import range_of
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.reconcile.archiving import Declined, NotYet, key_in
from provider.hosting.reconcile.archiving.places import Place
from provider.hosting.reconcile.context import Context
from provider.hosting.rotation.keyring import RINGS
from provider.manifest import Manifest, meta
from provider.manifest.condition import timestamp

log = logging.getLogger(__name__)

TRIES = 3  # while the store forgets the revision that is being read
STALE = ("kubectl.kubernetes.io/last-applied-configuration", names.ANNOTATION_RESTORING, names.ANNOTATION_PLACED)


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to back up, and to where. `keep`: of the backups beside it, as many as these, the newest; 0: all."""

    namespace: str
    tenant: str
    key_secret: str  # in the tenant's namespace
    place: Place
    keep: int = 0


async def taken(context: Context, order: Order) -> dict[str, Any]:
    """What the backup is, for the status. Declined, or what is tried again: NotYet, StoreError, ApiError, OSError."""
    key = await key_in(context.cluster, order.namespace, order.key_secret)
    with order.place.drafted() as draft:
        for attempt in range(TRIES):
            try:
                head = await _written(context, order, key, draft)
                break
            except Outrun:
                if attempt == TRIES - 1:
                    raise
                log.warning("the store forgot the revision that was being read; once more")
        content, size = _read_back(draft, key), draft.stat().st_size
        await asyncio.to_thread(order.place.keep, draft)
    if order.keep:
        await asyncio.to_thread(order.place.thin, order.keep)
    return {
        "revision": head.revision,
        "kubernetesVersion": head.version,
        "taken": head.taken,
        "fileSize": size,
        **content.said(),
    }


async def _written(context: Context, order: Order, key: bytes, draft: Path) -> Head:
    raw = await _tenant(context, order)
    storage = raw["status"]["storage"]
    store, schema = await context.open_store(storage["dataStoreName"]), storage["setup"]["schema"]
    if not isinstance(store, EtcdStore):
        raise Declined(f"DataStore {storage['dataStoreName']} is no etcd, and only tenants in etcd are backed up")
    objects = [_bare(raw), *await _signers(context, order)]
    async with store:
        head = Head(
            namespace=order.namespace,
            name=order.tenant,
            uid=raw["metadata"]["uid"],
            schema=schema,
            version=raw["spec"]["kubernetes"]["version"],
            revision=await store.revision(),
            taken=timestamp(context.clock()),
        )
        with draft.open("wb") as file:
            writer = Writer(key, secrets.token_bytes(envelope.SALT), file.write)
            writer.begin(head, objects)
            await _pour(store, head, writer)
            writer.close()
            file.flush()
            os.fsync(file.fileno())
    again = await _tenant(context, order)
    if (again["metadata"]["uid"], again["status"]["storage"]["dataStoreName"]) != (head.uid, storage["dataStoreName"]):
        raise NotYet(f"TenantControlPlane {order.namespace}/{order.tenant} changed its store meanwhile")
    return head


async def _pour(store: EtcdStore, head: Head, writer: Writer) -> None:
    """All keys. What is left of a lease is asked when its first key comes; one that has ended has no keys any more."""
    own, left, ask = range_of(head.schema), dict[int, int](), writing.left_in(store)
    async for page in reading.pages(store, own, head.revision):
        for each in page:
            if each.lease and each.lease not in left:
                left[each.lease] = await ask(each.lease)
            if not each.lease or left[each.lease] >= 0:
                key = bytes(each.key)[len(own.start) :]
                writer.add(Entry(key, bytes(each.value), each.lease, left.get(each.lease, 0)))


async def _tenant(context: Context, order: Order) -> Manifest:
    """The tenant, which lives in one etcd and stays there."""
    where = f"TenantControlPlane {order.namespace}/{order.tenant}"
    raw = await context.cluster.get(kinds.TENANT_CONTROL_PLANE, order.tenant, order.namespace)
    if raw is None:
        raise Declined(f"{where} does not exist: name another in spec.tenantControlPlaneName")
    if raw["spec"].get("dataStoreOverrides"):
        raise Declined(
            f"{where} has dataStoreOverrides, and only tenants whose keys are all in one store are backed up"
        )
    if names.ANNOTATION_RESTORING in meta.annotations_of(raw):
        raise NotYet(f"{where} is being restored")
    storage = (raw.get("status") or {}).get("storage") or {}
    if not (storage.get("dataStoreName") and (storage.get("setup") or {}).get("schema")):
        raise NotYet(f"{where} has no place in a DataStore yet")
    if (move := migration.recorded(storage)) and move.phase in migration.UNDER_WAY:
        raise NotYet(f"{where} moves to another DataStore")
    return raw


async def _signers(context: Context, order: Order) -> list[Manifest]:
    """The Secrets by which nodes, tokens and kubeconfigs are known, and by which what is stored can be read.

    What the first sign is made anew from them. The others are read before the revision: what they say then can read whatever is
    written until two more steps of an encryption are taken.
    """
    found = []
    for each in (*(ring.secret(order.tenant) for ring in RINGS), names.trusted_keys_secret(order.tenant)):
        secret = await context.cluster.get(kinds.SECRET, each, order.namespace)
        if secret is None:
            raise NotYet(f"waiting for Secret {order.namespace}/{each}")
        found.append(_bare(secret))
    for node in encryption.NODES:
        secret = await context.cluster.get(kinds.SECRET, node.secret(order.tenant), order.namespace)
        found += [_bare(secret)] if secret is not None else []
    return found


def _bare(raw: Manifest) -> Manifest:
    """An object without what only its API server and its place made of it."""
    metadata = raw["metadata"]
    annotations = {key: value for key, value in meta.annotations_of(raw).items() if key not in STALE}
    kept = {"name": metadata["name"], "labels": meta.labels_of(raw), "annotations": annotations}
    body: Manifest = {each: raw[each] for each in ("apiVersion", "kind", "spec", "type", "data") if each in raw}
    return {**body, "metadata": {key: value for key, value in kept.items() if value}}


def _read_back(path: Path, key: bytes) -> Content:
    """To the end; BackupUnreadable when a disk gives back what was not written."""
    with path.open("rb") as file:
        reader = Reader(file, key)
        for _ in reader.entries():
            pass
        return reader.content
