"""Makes a tenant of a backup: as a new one, or in the place of what one holds now. Begun over after a crash at any point.

The file is read to its end before anything is touched. A tenant that is being restored carries an annotation with the restore's
UID: it has no pods and may not write until the pass over the TenantRestore takes that off (`reconcile.tenantrestore`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from provider.api import kinds, names
from provider.api.credentials import tenants
from provider.cluster.errors import Conflict
from provider.hosting import encryption, migration, versions
from provider.hosting.backup.archive import Entry, Head, Reader
from provider.hosting.datastores.etcd.copying.pouring import Pouring
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.desired import encryption as desired
from provider.hosting.reconcile.archiving import Declined, NotYet, key_in
from provider.hosting.reconcile.archiving.places import Place
from provider.hosting.reconcile.context import Context
from provider.hosting.rotation.keyring import RINGS
from provider.hosting.view import Keyspace
from provider.manifest import Manifest, meta
from provider.manifest.condition import find

PATIENCE = 300.0  # seconds for a place in the store, and for the pods of before to end
CHECK = 1.0
A_SECOND = 10  # writes of a whole store that are taken for granted for each second since a backup
MOST_SINCE = 100_000  # half a minute of raising


@dataclass(frozen=True, kw_only=True)
class Order:
    """Which file, and which tenant it is to be."""

    namespace: str
    tenant: str
    key_secret: str  # in the tenant's namespace
    place: Place
    token: str  # UID of the TenantRestore
    data_store: str = ""  # of a new tenant; empty: the one of the backup
    in_place: bool = False
    drill: str = ""  # name of a TenantRestore that only tries it; empty: it is meant


async def brought(context: Context, order: Order) -> dict[str, Any]:
    """What was restored, for the status. BackupUnreadable, Declined, or what is tried again."""
    key = await key_in(context.cluster, order.namespace, order.key_secret)
    with contextlib.ExitStack() as stack:
        path = await asyncio.to_thread(stack.enter_context, order.place.held())
        head, objects, said = _verified(path, key)
        await _asleep(context, order, head, objects)
        name = await _poured(context, order, head, _entries(path, key))
    return {"taken": head.taken, "dataStoreName": name, **said}


async def _poured(context: Context, order: Order, head: Head, entries: Iterator[Entry]) -> str:
    """All keys are in the place of what the tenant held; name of the DataStore."""
    storage = (await _settled(context, order))["status"]["storage"]
    name = str(storage["dataStoreName"])
    keyspace = Keyspace(schema=storage["setup"]["schema"], user=storage["setup"]["user"])
    store = await context.open_store(name)
    if not isinstance(store, EtcdStore):
        raise Declined(f"DataStore {name} is no etcd, and a backup is restored into an etcd only")
    async with store:
        await store.ensure(keyspace, writable=False)
        await Pouring(store, keyspace.schema, order.token, _above(head, context.clock())).pour(entries)
    return name


def _above(head: Head, now: datetime) -> int:
    """A revision that the tenant's clients have hardly seen: what it has written since the backup, nobody knows any more."""
    since = (now - datetime.fromisoformat(head.taken)).total_seconds()
    return head.revision + min(MOST_SINCE, max(0, round(since * A_SECOND)))


def _verified(path: Path, key: bytes) -> tuple[Head, tuple[Manifest, ...], dict[str, Any]]:
    with path.open("rb") as file:
        reader = Reader(file, key)
        for _ in reader.entries():
            pass
        return reader.head, reader.objects, reader.content.said()


def _entries(path: Path, key: bytes) -> Iterator[Entry]:
    with path.open("rb") as file:
        yield from Reader(file, key).entries()


async def _asleep(context: Context, order: Order, head: Head, objects: tuple[Manifest, ...]) -> None:
    """The tenant with the annotation: made, or told."""
    raw = await context.cluster.get(kinds.TENANT_CONTROL_PLANE, order.tenant, order.namespace)
    if raw is not None and meta.annotations_of(raw).get(names.ANNOTATION_RESTORING) == order.token:
        return
    if raw is not None:
        _refuse(order, head, raw)
    for each in objects:
        if each["kind"] == kinds.SECRET.kind and not order.drill:  # nobody signs for a tenant without pods
            await _put_back(context, order, head, each, raw)
    if raw is None:
        tcp = next(each for each in objects if each["kind"] == kinds.TENANT_CONTROL_PLANE.kind)
        made = _scratch(order, tcp) if order.drill else _new(order, tcp)
        await context.cluster.create(made, manager=names.HOSTING_MANAGER)
        return
    patch = {
        "metadata": {
            "annotations": {names.ANNOTATION_RESTORING: order.token},
            "resourceVersion": raw["metadata"]["resourceVersion"],
        }
    }
    kind = kinds.TENANT_CONTROL_PLANE
    await context.cluster.merge(kind, order.tenant, order.namespace, patch, manager=names.HOSTING_MANAGER)


def _refuse(order: Order, head: Head, raw: Manifest) -> None:
    """Declined when this backup is not to be put in the place of what that tenant holds."""
    where = f"TenantControlPlane {order.namespace}/{order.tenant}"
    if not order.in_place:
        raise Declined(
            f"{where} exists: give spec.tenantControlPlaneName another name, or set spec.inPlace to replace what it holds"
        )
    if (head.namespace, head.name) != (order.namespace, order.tenant):
        raise Declined(f"the backup is of {head.namespace}/{head.name}, and not of {where}: use one of its own backups")
    if versions.numbers(raw["spec"]["kubernetes"]["version"]) < versions.numbers(head.version):
        raise Declined(
            f"{where} runs {raw['spec']['kubernetes']['version']}, and the backup is of {head.version}: upgrade it first, for"
            " an older API server may not read what a newer one has stored"
        )
    storage = (raw.get("status") or {}).get("storage") or {}
    if (move := migration.recorded(storage)) and move.phase in migration.UNDER_WAY:
        raise NotYet(f"{where} moves to another DataStore")


async def _put_back(context: Context, order: Order, head: Head, secret: Manifest, raw: Manifest | None) -> None:
    """A Secret that signs; one that is there stays, for whoever was signed since then knows that.

    One that is there and encrypts stays as well, and gets what it lacks to read what is brought (`encryption.held`).
    """
    nodes = (*(ring.node for ring in RINGS), tenants.TRUSTED, *encryption.NODES)
    renamed = {each.secret(head.name): each.secret(order.tenant) for each in nodes}
    name = renamed[secret["metadata"]["name"]]
    labels = {**meta.labels_of(secret), names.LABEL_PROJECT: names.PROJECT, names.LABEL_NAME: order.tenant}
    metadata = {**secret["metadata"], "name": name, "namespace": order.namespace, "labels": labels}
    try:
        await context.cluster.create({**secret, "metadata": metadata}, manager=names.HOSTING_MANAGER)
    except Conflict:
        ciphers = {each.secret(order.tenant) for each in encryption.NODES}
        if raw is None or name not in ciphers or encryption.read(secret) is None:
            return
        labels |= {names.LABEL_PART: desired.NAME}
        brought = {**metadata, "name": names.encryption_brought_secret(order.tenant), "labels": labels}
        with contextlib.suppress(Conflict):
            beside = meta.owned({**secret, "metadata": brought}, raw)
            # Who may not let go of a tenant may not hold up its end either.
            beside["metadata"]["ownerReferences"][0].pop("blockOwnerDeletion")
            await context.cluster.create(beside, manager=names.HOSTING_MANAGER)


def _new(order: Order, tcp: Manifest) -> Manifest:
    """The object under its new name. It gets a keyspace of its own; what it was called before is another's, or was."""
    spec = {key: value for key, value in tcp["spec"].items() if key not in ("dataStoreSchema", "dataStoreUsername")}
    if order.data_store:
        spec["dataStore"] = order.data_store
    annotations = {**meta.annotations_of(tcp), names.ANNOTATION_RESTORING: order.token}
    metadata = {**tcp["metadata"], "name": order.tenant, "namespace": order.namespace, "annotations": annotations}
    return {**tcp, "spec": spec, "metadata": metadata}


def _scratch(order: Order, tcp: Manifest) -> Manifest:
    """A tenant that holds keys and nothing else, no address and no pod, and that goes with its TenantRestore."""
    plane = {"deployment": {"replicas": 0}, "service": {"serviceType": "ClusterIP"}}
    spec = {"controlPlane": plane, "kubernetes": tcp["spec"]["kubernetes"]}
    if store := order.data_store or tcp["spec"].get("dataStore"):
        spec["dataStore"] = store
    kind = kinds.TENANT_RESTORE
    owner = {"apiVersion": kind.api_version, "kind": kind.kind, "name": order.drill, "uid": order.token}
    metadata = {
        "name": order.tenant,
        "namespace": order.namespace,
        "annotations": {names.ANNOTATION_RESTORING: order.token},
        "ownerReferences": [owner],
    }
    return {"apiVersion": tcp["apiVersion"], "kind": tcp["kind"], "metadata": metadata, "spec": spec}


async def _settled(context: Context, order: Order) -> Manifest:
    """The tenant once it has its place, and no pod. NotYet when that takes too long."""
    where = f"TenantControlPlane {order.namespace}/{order.tenant}"
    missing = ""
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                raw = await context.cluster.get(kinds.TENANT_CONTROL_PLANE, order.tenant, order.namespace)
                if raw is None or meta.annotations_of(raw).get(names.ANNOTATION_RESTORING) != order.token:
                    raise Declined(f"{where} was deleted, or is restored by another TenantRestore")
                if not (missing := await _missing(context, order, raw)):
                    return raw
                await asyncio.sleep(CHECK)
    except TimeoutError as error:
        raise NotYet(f"{where}: {missing}") from error


async def _missing(context: Context, order: Order, raw: Manifest) -> str:
    """What is waited for; empty when it is all there."""
    storage = (raw.get("status") or {}).get("storage") or {}
    if not (storage.get("setup") or {}).get("schema"):
        told = find((raw.get("status") or {}).get("conditions"), "StorageReady") or {}
        return f"it has no place in a DataStore yet: {told.get('message') or 'is the provider running?'}"
    deployment = await context.cluster.get(kinds.DEPLOYMENT, order.tenant, order.namespace)
    if deployment is not None and deployment["spec"].get("replicas"):
        return "its Deployment is not scaled down yet"
    labels = {names.LABEL_NAME: order.tenant, names.LABEL_COMPONENT: "deployment"}
    pods = await context.cluster.list(kinds.POD, order.namespace, labels=labels)
    return f"pods have not ended: {', '.join(each['metadata']['name'] for each in pods)}" if pods else ""
