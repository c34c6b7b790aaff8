"""Status of a DataStorePool: its stores and what is in them, and of each condition the first store that lacks it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from provider.hosting.desired.pool import acceptance
from provider.hosting.sharding import plan, relief
from provider.hosting.sharding.relief import Transfer
from provider.hosting.sharding.room import Room
from provider.hosting.status import poolrotation, poolstore, snapshots
from provider.hosting.status.poolstore import ORDER, Outcome
from provider.hosting.storeview import CONDITION_READY, PoolView
from provider.manifest import mergepatch
from provider.manifest.condition import Condition, merged

STEP = (
    16 * 2**20
)  # bytes: sizes are told in such steps, so that a store that is written to does not move its pool all the time
TAKES = "TakesTenants"
TOLD = 50  # moves

Kept = Sequence[tuple[PoolView, Outcome]]
"""The stores that the pool makes, each with its view after the pass and what came of it."""


def of(view: PoolView, kept: Kept, rooms: Sequence[Room], sizes: Mapping[str, int], waiting: int) -> dict[str, Any]:
    """The whole wanted `.status`, laid over the one that stands.

    `rooms` are all stores of the pool, `sizes` what their databases measured just now, `waiting` tenants have no place yet.
    """
    turning = poolrotation.conditions(store for store, _ in kept)
    conditions = [*_of_stores(view, kept, rooms), _takes(view, rooms, waiting), *turning]
    ready = next(each for each in conditions if each.type == CONDITION_READY)
    status = _status(view, conditions, ready=ready.status == "True")
    newest = {store.name: snapshots.last(store) for store, _ in kept}
    loads = [_load(each, sizes.get(each.name)) | _taken(newest.get(each.name)) for each in rooms]
    return {**status, "dataStoreNames": [each.name for each in rooms], "stores": loads} | {
        "tenants": sum(each.tenants for each in rooms),
        "waiting": waiting,
    }


def moves(plan: Sequence[Transfer]) -> dict[str, Any]:
    """What of the status tells which tenants go from which store to which."""
    told = [
        {
            "tenant": "/".join(each.key),
            "source": each.source,
            "target": each.target,
            "state": each.state,
            "why": each.why,
        }
        for each in plan[:TOLD]
    ]
    left = sum(1 for each in plan if each.state in (relief.MOVING, relief.PLANNED, relief.NO_ROOM))
    return {"moves": told, "movesLeft": left}


def ending(view: PoolView, reason: str, message: str) -> dict[str, Any]:
    """The status of a pool that somebody deleted."""
    before = (view.raw.get("status") or {}).get("conditions") or ()
    kept = [each for each in before if each.get("type") != CONDITION_READY]
    ready = Condition(type=CONDITION_READY, status="False", reason=reason, message=message)
    status = _status(view, [ready], ready=False)
    return {**status, "conditions": [*kept, *status["conditions"]]}


def _status(view: PoolView, conditions: list[Condition], *, ready: bool) -> dict[str, Any]:
    before = view.raw.get("status") or {}
    generation = view.pool.metadata.generation
    status = {
        "ready": ready,
        "conditions": merged(conditions, before.get("conditions"), generation, view.now),
        "observedGeneration": generation,
    }
    return mergepatch.merged(before, status)


def _of_stores(view: PoolView, kept: Kept, rooms: Sequence[Room]) -> Iterator[Condition]:
    """Of each kind the first that is not True; where there are several stores it names the one it is of."""
    if not kept:
        yield from _of_none(view, rooms)
        return
    told = [(store.name, poolstore.conditions(store, outcome)) for store, outcome in kept]
    for number, first in enumerate(told[0][1]):
        of_kind = [(name, conditions[number]) for name, conditions in told]
        name, worst = next(((name, each) for name, each in of_kind if each.status != "True"), ("", first))
        if name and len(kept) > 1:
            message = f"store {name}: {worst.message or worst.reason}"
            worst = Condition(type=worst.type, status=worst.status, reason=worst.reason, message=message)
        yield worst


def _of_none(view: PoolView, rooms: Sequence[Room]) -> Iterator[Condition]:
    """Of a pool that makes no stores itself."""
    declined = acceptance.refusal(view)
    if declined is not None:
        yield from (
            Condition(type=kind, status="False", reason=declined.reason, message=declined.message)
            for kind in (ORDER[0], CONDITION_READY)
        )
        return
    yield Condition(type=ORDER[0], status="True", reason=ORDER[0])
    bad = next((each for each in rooms if each.hindrance), None)
    if bad is not None:
        message = f"DataStore {bad.name}: {bad.hindrance}"
        yield Condition(type=CONDITION_READY, status="False", reason="DataStoreNotReady", message=message)
    elif not rooms:
        message = (
            "minStores is 0 and storeSelector selects no DataStore: raise the one or label DataStores for the other"
        )
        yield Condition(type=CONDITION_READY, status="False", reason="NoStores", message=message)
    else:
        yield Condition(type=CONDITION_READY, status="True", reason="Ready", message="all its DataStores are ready")


def _takes(view: PoolView, rooms: Sequence[Room], waiting: int) -> Condition:
    if any(not each.refusal for each in rooms):
        return Condition(type=TAKES, status="True", reason="RoomLeft")
    spec = view.pool.spec
    most = spec.min_stores if spec.max_stores is None else spec.max_stores
    message = (
        f"{waiting} TenantControlPlanes wait for a place. {plan.full(list(rooms))}. At most {most} stores are made: raise"
        " spec.maxStores or spec.placement's limits, or bring a DataStore that spec.storeSelector selects"
    )
    return Condition(type=TAKES, status="False", reason="NoRoom", message=message)


def _taken(newest: dict[str, Any] | None) -> dict[str, Any]:
    return {"lastSnapshot": newest} if newest else {}


def _load(room: Room, size: int | None) -> dict[str, Any]:
    used = room.bytes.measured if size is None else -(-size // STEP) * STEP
    limits = {
        "maxTenants": room.max_tenants,
        "maxBytes": room.bytes.most,
        "maxWritesPerMinute": room.writes.most,
    }
    return {
        "name": room.name,
        "made": room.made,
        "ready": not room.hindrance,
        "tenants": room.tenants,
        "usedBytes": used,
        "writesPerMinute": room.writes.measured,
        "takes": not room.refusal,
        "message": room.refusal,
    } | {key: value for key, value in limits.items() if value is not None}
