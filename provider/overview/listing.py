"""`kamaji get` and `kamaji stores`: a line for each tenant and for each store. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from provider.api import names
from provider.hosting import quota
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from provider.overview.rows import Column, Row, age

TENANTS = (
    Column("NAMESPACE", "namespace"),
    Column("NAME", "name"),
    Column("STATE", "state"),
    Column("VERSION", "version"),
    Column("ENDPOINT", "endpoint"),
    Column("STORE", "store"),
    Column("USAGE", "usage"),
    Column("AGE", "age"),
)
STORES = (
    Column("NAME", "name"),
    Column("DRIVER", "driver"),
    Column("READY", "ready"),
    Column("VERSION", "version"),
    Column("TENANTS", "tenants"),
    Column("IN USE", "inUse"),
    Column("QUOTA", "quota"),
    Column("ROOM", "room"),
    Column("POOL", "pool"),
    Column("WHY", "why"),
)


def tenant(found: Manifest, now: datetime) -> Row:
    """A tenant at a glance."""
    metadata, status = found["metadata"], found.get("status") or {}
    storage = status.get("storage") or {}
    asked = str(found["spec"]["kubernetes"]["version"])
    installed = ((status.get("kubernetesResources") or {}).get("version") or {}).get("version")
    return {
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "state": state(found),
        "version": installed if installed in (asked, None) else f"{installed} → {asked}",
        "endpoint": status.get("controlPlaneEndpoint") or None,
        "store": storage.get("dataStoreName"),
        "usage": _usage(storage.get("usage") or {}),
        "age": age(metadata.get("creationTimestamp"), now),
    }


def state(found: Manifest) -> str:
    """One word: upstream's phase, unless something says more of it."""
    status = found.get("status") or {}
    if found["metadata"].get("deletionTimestamp"):
        return "Deleting"
    if names.ANNOTATION_PAUSED in meta.annotations_of(found):
        return "Paused"
    word = ((status.get("kubernetesResources") or {}).get("version") or {}).get("status")
    ready = find(status.get("conditions"), "Ready")
    if word == "Ready" and ready is not None and ready["status"] != "True":
        return "NotReady"
    return str(word or "New")


def store(found: Manifest) -> Row:
    """A store: what is in it, and how much goes in still."""
    status = found.get("status") or {}
    load: Mapping[str, Any] = status.get("load") or {}
    ready = find(status.get("conditions"), "Ready") or {}
    limit, used = load.get("quota") or 0, load.get("inUse") or 0
    return {
        "name": found["metadata"]["name"],
        "driver": found["spec"]["driver"],
        "ready": bool(status.get("ready")),
        "version": status.get("version"),
        "tenants": len(status.get("usedBy") or ()),
        "inUse": quota.words(used) if load else None,
        "quota": quota.words(limit) if limit else None,
        "room": f"{max(0.0, 1 - used / limit):.0%}" if limit else None,
        "pool": meta.labels_of(found).get(names.LABEL_POOL),
        "usedBy": list(status.get("usedBy") or ()),
        "why": None if ready.get("status") == "True" else ready.get("message"),
    }


def placements(tenants: Sequence[Manifest]) -> list[Row]:
    """Why each tenant is in the store it is in."""
    return [
        {
            "tenant": f"{each['metadata']['namespace']}/{each['metadata']['name']}",
            "store": ((each.get("status") or {}).get("storage") or {}).get("dataStoreName"),
            "why": _why(each),
        }
        for each in tenants
    ]


def moves(pools: Sequence[Manifest]) -> list[Row]:
    """Which tenants their pools move, would move or cannot."""
    return [
        {
            "pool": each["metadata"]["name"],
            **{key: move.get(key) or None for key in ("state", "tenant", "source", "target", "why")},
        }
        for each in pools
        for move in (each.get("status") or {}).get("moves") or ()
    ]


MOVES = (
    Column("POOL", "pool"),
    Column("MOVE", "state"),
    Column("TENANT", "tenant"),
    Column("FROM", "source"),
    Column("TO", "target"),
    Column("WHY", "why"),
)
PLACEMENTS = (Column("TENANT", "tenant"), Column("STORE", "store"), Column("WHY", "why"))


def _why(found: Manifest) -> str:
    if placed := meta.annotations_of(found).get(names.ANNOTATION_PLACED):
        return placed
    if found["spec"].get("dataStore"):
        return "its spec.dataStore says so"
    storage = (found.get("status") or {}).get("storage") or {}
    return "it is the default DataStore" if storage.get("dataStoreName") else "it has no place yet"


def _usage(usage: Mapping[str, Any]) -> str | None:
    return quota.words(int(usage["bytes"])) if usage.get("bytes") else None
