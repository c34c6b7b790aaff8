"""What exists of one tenant: its objects here, its store, and what is inside its own API server. Called by `reconcile`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.api.tenantcontrolplane import TenantControlPlane
from provider.cluster.client import Cluster
from provider.hosting import migration
from provider.hosting.autoscaling import pods as resizing
from provider.hosting.observe import autoscaler as autoscaling
from provider.hosting.observe import datastore, fleet, routes
from provider.hosting.rotation.keyring import RINGS
from provider.hosting.sharding.fleet import Fleet, is_unplaced
from provider.hosting.view import Keyspace, Override, Seen, View, key_of
from provider.manifest import Manifest, meta
from provider.manifest.mint import Mint
from provider.settings import Settings

HERE = (
    kinds.SECRET,
    kinds.CONFIG_MAP,
    kinds.SERVICE,
    kinds.DEPLOYMENT,
    kinds.POD_DISRUPTION_BUDGET,
    kinds.NETWORK_POLICY,
    kinds.POD,
    kinds.INGRESS,
)
INSIDE = (
    kinds.CONFIG_MAP,
    kinds.SERVICE_ACCOUNT,
    kinds.SERVICE,
    kinds.DEPLOYMENT,
    kinds.DAEMON_SET,
    kinds.ROLE,
    kinds.ROLE_BINDING,
    kinds.CLUSTER_ROLE,
    kinds.CLUSTER_ROLE_BINDING,
    kinds.ADMISSION_POLICY,
    kinds.ADMISSION_POLICY_BINDING,
    kinds.LEASE,
)
WATCHED = tuple(each for each in INSIDE if each is not kinds.LEASE)
"""Of those, what wakes a pass when it moves; Leases are renewed all the time."""


async def tenant(cluster: Cluster, raw: Manifest, *, settings: Settings, now: datetime, mint: Mint) -> View:
    """The view at the start of a pass. ApiError when the management cluster does not answer."""
    tcp = _sleeping_while_restored(TenantControlPlane.parse(raw), raw)
    name, namespace = tcp.metadata.name, tcp.metadata.namespace or ""
    recorded = (raw.get("status") or {}).get("storage") or {}
    move = migration.recorded(recorded)
    awaits = await _awaits_place(cluster, raw, settings.default_datastore)
    store_name = recorded.get("dataStoreName") or tcp.spec.data_store or ("" if awaits else settings.default_datastore)
    other = migration.away(move) if move else _asked(tcp, raw, recorded, store_name)
    labels = {names.LABEL_NAME: name}
    seen, autoscaler, store, away, routed, overrides = await asyncio.gather(
        here(cluster, namespace, name),
        autoscaling.of_tenant(cluster, namespace, name),
        datastore.store(cluster, store_name) if store_name else _nothing(),
        datastore.store(cluster, other) if other != store_name else _nothing(),
        routes.of_tenant(cluster, namespace, labels),
        _overrides(cluster, tcp, recorded.get("overrides") or ()),
    )
    found, gateways = routed or ((), None)
    view = View(
        tcp=tcp,
        raw=raw,
        seen=await _with_brought_authorities(cluster, seen.with_objects(*found), name, namespace),
        gateways=gateways,
        store=store,
        awaits_place=awaits,
        keyspace=_recorded(recorded.get("setup") or {}),
        tenant=None,
        settings=settings,
        now=now,
        mint=mint,
        overrides=overrides,
        move=move,
        other=away,
        autoscaler=autoscaler,
    )
    if autoscaler is None:
        return view
    return replace(view, resizable=not await autoscaling.hindrance(cluster, resizing.running(view.pods), now))


def _asked(tcp: TenantControlPlane, raw: Manifest, recorded: Manifest, home: str) -> str:
    """The store to which something of the tenant is to go by its spec or its pool; where all is, when nothing is."""
    by_pool = meta.annotations_of(raw).get(names.ANNOTATION_MOVE_TO) if recorded.get("dataStoreName") else None
    asked = tcp.spec.data_store or by_pool or home
    return asked if asked != home else _asked_elsewhere(tcp, recorded.get("overrides") or ()) or home


def _asked_elsewhere(tcp: TenantControlPlane, recorded: Iterable[Mapping[str, str]]) -> str:
    """The store to which the first override is to go that lies in another; empty when none is."""
    places = {each["resource"]: each["dataStoreName"] for each in recorded}
    asked = tcp.spec.data_store_overrides
    return next(
        (each.data_store for each in asked if places.get(each.resource, each.data_store) != each.data_store), ""
    )


def _sleeping_while_restored(tcp: TenantControlPlane, raw: Manifest) -> TenantControlPlane:
    """A tenant whose keys are being restored is one of no replicas, in every respect."""
    if names.ANNOTATION_RESTORING not in meta.annotations_of(raw):
        return tcp
    deployment = tcp.deployment.model_copy(update={"replicas": 0})
    asleep = tcp.spec.control_plane.model_copy(update={"deployment": deployment})
    return tcp.model_copy(update={"spec": tcp.spec.model_copy(update={"control_plane": asleep})})


async def _awaits_place(cluster: Cluster, raw: Manifest, default: str) -> str:
    """Why a tenant that names no DataStore has none yet; empty where it has one, or the default one is meant."""
    if not is_unplaced(raw):
        return ""
    pools = await fleet.pools_of(cluster)
    stores = [each for each in [await cluster.get(kinds.DATA_STORE, default) if default else None] if each]
    pool = Fleet(pools=pools, stores=tuple(stores), default=default).pool_of(raw)
    if pool is None:
        return ""
    full = [f"{each.name}: {each.message}" for each in pool.status.stores if each.message]
    why = "; ".join(full[:5]) if full and len(full) == len(pool.status.stores) else "its turn comes in a moment"
    return f"waiting for a place in DataStorePool {pool.name}: {why if pool.status.stores else 'it has no stores yet'}"


async def _overrides(
    cluster: Cluster, tcp: TenantControlPlane, recorded: Iterable[Mapping[str, str]]
) -> tuple[Override, ...]:
    """Where each lies; one that is not recorded lies nowhere yet, and comes to where the spec says."""
    places = {each["resource"]: each["dataStoreName"] for each in recorded}
    asked = tcp.spec.data_store_overrides
    said = [each.model_copy(update={"data_store": places.get(each.resource, each.data_store)}) for each in asked]
    wanted = sorted({each.data_store for each in said})
    found = await asyncio.gather(*(datastore.store(cluster, each) for each in wanted))
    stores = dict(zip(wanted, found, strict=True))
    return tuple(
        Override(resource=each.resource, data_store=each.data_store, store=stores[each.data_store]) for each in said
    )


def _recorded(setup: Mapping[str, str]) -> Keyspace | None:
    if setup.get("schema") and setup.get("user"):
        return Keyspace(schema=setup["schema"], user=setup["user"])
    return None


async def here(cluster: Cluster, namespace: str, name: str) -> Seen:
    """The tenant's objects in the management cluster, its pods among them."""
    return await _labelled(cluster, HERE, namespace, {names.LABEL_NAME: name})


async def inside(cluster: Cluster) -> Seen:
    """Our objects inside a tenant cluster. Unreachable while its API server does not answer."""
    return await _labelled(cluster, INSIDE, None, {names.LABEL_PROJECT: names.PROJECT})


async def _labelled(cluster: Cluster, wanted: Sequence[Kind], namespace: str | None, labels: dict[str, str]) -> Seen:
    looks = await asyncio.gather(*(cluster.look(kind, namespace, labels=labels) for kind in wanted))
    return Seen(
        objects={key_of(each): each for objects, _ in looks for each in objects},
        at={kind: version for kind, (_, version) in zip(wanted, looks, strict=True)},
    )


async def _with_brought_authorities(cluster: Cluster, seen: Seen, name: str, namespace: str) -> Seen:
    """Authorities that a user made by hand carry no label of ours; they are looked up by name, so that they are used."""
    wanted = [each.secret(name) for each in RINGS]
    absent = [each for each in wanted if seen.get(kinds.SECRET, each, namespace) is None]
    brought = await asyncio.gather(*(cluster.get(kinds.SECRET, each, namespace) for each in absent))
    return seen.with_objects(*(each for each in brought if each is not None))


async def _nothing() -> None:
    return None


def kubeconfig(view: View) -> bytes | None:
    """The kubeconfig we use for the tenant ourselves (annotation kubeconfig-secret-key, else super-admin.conf)."""
    key = meta.annotations_of(view.raw).get(names.ANNOTATION_KUBECONFIG_SECRET_KEY) or "super-admin.conf"
    return view.secret(names.admin_kubeconfig_secret(view.name)).get(key)
