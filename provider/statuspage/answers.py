"""What the page is told, as plain data, of objects that who asks may see. Pure. Rows and sentences are those of `kamaji`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from provider.manifest import Manifest
from provider.manifest.condition import find
from provider.overview import explain, listing, tree
from provider.overview.rows import Column, Row, age
from provider.overview.tree import BAD, OK, WAITING

CALM = (
    "Sleeping",
    "Paused",
    "Deleting",
    "Provisioning",
    "Upgrading",
    "Migrating",
    "CertificateAuthorityRotating",
    "New",
)
FLEET = (*listing.TENANTS, Column("WHY", "why"))
NEARLY, FULL = 0.75, 0.9  # of what a store takes


def fleet(tenants: Iterable[Manifest], now: datetime) -> dict[str, Any]:
    """A row for each tenant, with the first reason why it is not as its spec asks."""
    return {"columns": _columns(FLEET), "tenants": [_row(each, now) for each in tenants]}


def tenant(found: Manifest, objects: Iterable[Manifest], hidden: Iterable[str], now: datetime) -> dict[str, Any]:
    """All of one: what `kamaji explain` says, its conditions, and its objects but for kinds that who asks may not list."""
    (placed,) = listing.placements([found])
    conditions = (found.get("status") or {}).get("conditions") or ()
    return {
        "columns": _columns(listing.TENANTS),
        "row": _row(found, now),
        "placed": placed["why"],
        "explanation": explain.tenant(found, (), now).said(),
        "conditions": [_condition(each, now) for each in conditions],
        "objects": [each.said() for each in tree.branches(objects, now)],
        "hidden": sorted(hidden),
    }


def stores(found: Iterable[Manifest], pools: Sequence[Manifest], tenants: Iterable[Manifest]) -> dict[str, Any]:
    """A row for each store, and the picture: pools, their stores, and the tenants in each as far as who asks may see them."""
    seen = {f"{each['metadata']['namespace']}/{each['metadata']['name']}": each for each in tenants}
    drawn = [_drawn(each, seen) for each in found]
    named = {each["metadata"]["name"]: each for each in pools}
    groups: dict[str, list[Row]] = {name: [] for name in named}
    for each in drawn:
        groups.setdefault(each["pool"] or "", []).append(each)
    return {
        "columns": _columns([each for each in listing.STORES if each.key != "why"]),
        "stores": drawn,
        "pools": [_pool(name, named.get(name), inside) for name, inside in sorted(groups.items(), key=_pools_first)],
        "moveColumns": _columns(listing.MOVES),
        "moves": listing.moves(pools),
        "placementColumns": _columns(listing.PLACEMENTS),
        "placements": listing.placements(list(seen.values())),
    }


def health(state: str) -> str:
    """Of a tenant's state, for its colour; the word stands beside it."""
    return OK if state == "Ready" else WAITING if state in CALM else BAD


def _row(found: Manifest, now: datetime) -> Row:
    row = listing.tenant(found, now)
    explanation = explain.tenant(found, (), now)
    first = explanation.findings[0] if explanation.findings else None
    why = f"{first.what}: {first.message}" if first else None
    return row | {"why": why, "health": health(row["state"])}


def _condition(found: Mapping[str, Any], now: datetime) -> Row:
    said = {key: str(found.get(key) or "") for key in ("type", "status", "reason", "message")}
    word = explain.health(said["type"], said["status"])
    return said | {"since": age(found.get("lastTransitionTime"), now), "health": word}


def _drawn(found: Manifest, seen: Mapping[str, Manifest]) -> Row:
    row = listing.store(found)
    load = (found.get("status") or {}).get("load") or {}
    limit = load.get("quota") or 0
    full = round((load.get("inUse") or 0) / limit, 3) if limit else None
    inside = [_resident(each, seen) for each in row.pop("usedBy")]
    bad = not row["ready"] or (full or 0) >= FULL
    return row | {
        "full": full,
        "health": BAD if bad else WAITING if (full or 0) >= NEARLY else OK,
        "residents": inside,
    }


def _resident(name: str, seen: Mapping[str, Manifest]) -> Row:
    """DataStores name who is in them; how that one does is told to who may see it."""
    state = listing.state(seen[name]) if name in seen else None
    return {"name": name, "state": state, "health": health(state) if state else None}


def _pool(name: str, found: Manifest | None, inside: list[Row]) -> Row:
    if found is None:
        return {"name": name, "stores": [each["name"] for each in inside], "ready": None, "waiting": 0, "why": None}
    status = found.get("status") or {}
    ready = find(status.get("conditions"), "Ready") or {}
    return {
        "name": name,
        "stores": [each["name"] for each in inside],
        "ready": bool(status.get("ready")),
        "waiting": status.get("waiting") or 0,
        "why": None if ready.get("status") == "True" else ready.get("message"),
    }


def _pools_first(group: tuple[str, Any]) -> tuple[bool, str]:
    return (not group[0], group[0])


def _columns(found: Iterable[Column]) -> list[dict[str, str]]:
    return [{"heading": each.heading, "key": each.key} for each in found]
