"""Which tenants of a pool go from which of its stores to which: off those that are emptied, and off those too full. Pure.

A plan is made anew at each look and depends on nothing but what is seen, so it can be read before any of it is done: what is
`due` of it is what `reconcile.rebalancing` asks for next. A move costs the seconds in which the tenant may not write and the
copying of all it holds; those that cost least for what their leaving brings go first, and no store is filled over the
share by which stores are relieved, so that nobody is sent to and fro.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from provider.api import names
from provider.api.datastorepool import DataStorePool
from provider.api.rebalancing import Rebalancing
from provider.hosting import migration
from provider.hosting.migration import Phase
from provider.hosting.sharding.fleet import Fleet, drained, key_of, resident
from provider.hosting.sharding.room import MI, Resident, Room, choose
from provider.manifest import Manifest, meta

FREEZE = 16 * MI  # what the seconds without writes are worth, in bytes that are copied
MOVING, PLANNED, NO_ROOM, STAYS, GIVEN_UP = "Moving", "Planned", "NoRoom", "Stays", "GivenUp"


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """One tenant of a plan."""

    tenant: Manifest
    source: str
    target: str = ""  # empty: nowhere
    state: str
    why: str
    asked: bool = False  # somebody asked for it, not only for a plan

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return key_of(self.tenant)


@dataclass
class _Planner:
    """The rooms as they are once what is planned so far is done."""

    fleet: Fleet
    pool: DataStorePool
    rooms: dict[str, Room]
    leaving: frozenset[str]  # stores that are emptied, or would be
    found: list[Transfer]

    @property
    def ceiling(self) -> float:
        return (self.pool.spec.rebalancing.above_percent or 100) / 100

    def place(self, tenant: Manifest, source: str, why: str, *, asked: bool) -> bool:
        """Whether there is a store for it; told either way."""
        taken = resident(tenant, source)
        others = [each for each in self.rooms.values() if each.name not in {source, *self.leaving}]
        fit = [each for each in others if _fits(each, taken, self.ceiling)]
        chosen = choose(fit, self.pool.spec.placement.policy)
        if chosen is not None:
            self.rooms[source] = self.rooms[source].with_resident(taken, leave=True)
            self.rooms[chosen.name] = chosen.with_resident(taken)
        target, state = (chosen.name, PLANNED) if chosen else ("", NO_ROOM)
        self.found.append(Transfer(tenant=tenant, source=source, target=target, state=state, why=why, asked=asked))
        return chosen is not None


def of(fleet: Fleet, pool: DataStorePool) -> tuple[Transfer, ...]:
    """The whole plan: what moves already, then what is to, in the order in which it is done, then what cannot."""
    rooms = {each.name: each for each in fleet.rooms(pool)}
    stores = {str(each["metadata"]["name"]): each for each in fleet.members(pool)}
    planner = _Planner(fleet, pool, rooms, frozenset(name for name, each in stores.items() if drained(each)), [])
    for tenant in _sorted(fleet.tenants):
        if (target := heading(tenant)) and not _given_up(tenant) and {target, home(tenant)} & rooms.keys():
            _under_way(planner, tenant, target)
    for name, store in stores.items():
        if said := drained(store):
            _emptied(planner, name, asked=said == "true")
    if pool.spec.rebalancing.above_percent is not None:
        for name in sorted(stores, key=lambda each: (-rooms[each].fullness, each)):
            if not drained(stores[name]):
                _relieved(planner, name)
    order = (MOVING, PLANNED, NO_ROOM, GIVEN_UP, STAYS)
    return tuple(sorted(planner.found, key=lambda each: order.index(each.state)))


def due(plan: Sequence[Transfer], asked: Rebalancing, now: datetime) -> list[Transfer]:
    """What of a plan is to begin now: in the hours that are allowed, no more at once than may be."""
    if not within(asked.hours, now):
        return []
    free = asked.moves_at_once - sum(1 for each in plan if each.state == MOVING)
    return [each for each in plan if each.state == PLANNED and each.asked][: max(0, free)]


def within(hours: str | None, now: datetime) -> bool:
    """Whether moves may begin now. `22-06` is a night, `06-06` the whole day."""
    if hours is None:
        return True
    first, last = (int(each) for each in hours.split("-"))
    return first <= now.hour < last if first < last else now.hour >= first or now.hour < last


def home(tenant: Manifest) -> str:
    """The DataStore in which a tenant's state lives; empty before that."""
    return str(_storage(tenant).get("dataStoreName") or "")


def heading(tenant: Manifest) -> str:
    """The DataStore that a tenant is on its way to, or was asked by its pool to go to; empty where it stays."""
    move = migration.recorded(_storage(tenant))
    if move is not None and move.phase in migration.UNDER_WAY:
        return move.target
    named = (tenant.get("spec") or {}).get("dataStore")
    asked = meta.annotations_of(tenant).get(names.ANNOTATION_MOVE_TO, "")
    return asked if home(tenant) and not named and asked != home(tenant) else ""


def _under_way(planner: _Planner, tenant: Manifest, target: str) -> None:
    """It counts in both stores; one that has just been asked to go counts in its target from now on."""
    source = home(tenant)
    move = migration.recorded(_storage(tenant))
    if target in planner.rooms and move is None:
        planner.rooms[target] = planner.rooms[target].with_resident(resident(tenant, source))
    planner.found.append(Transfer(tenant=tenant, source=source, target=target, state=MOVING, why="it is on its way"))


def _emptied(planner: _Planner, store: str, *, asked: bool) -> None:
    why = f"DataStore {store} is emptied"
    free, bound = _residents(planner, store)
    for tenant in sorted(free, key=lambda each: (_cost(resident(each, store)), key_of(each))):
        planner.place(tenant, store, why, asked=asked)
    planner.found += bound


def _relieved(planner: _Planner, store: str) -> None:
    room, ceiling = planner.rooms[store], planner.ceiling
    if room.fullness <= ceiling:
        return
    share = f"{ceiling:.0%}"
    why, asked = f"DataStore {store} is above {share}: {room.load}", planner.pool.spec.rebalancing.mode == "Move"
    free, bound = _residents(planner, store)
    for tenant in _least(room, free, ceiling):
        planner.place(tenant, store, why, asked=asked)
    planner.found += [each for each in bound if each.state == GIVEN_UP]


def _least(room: Room, tenants: Sequence[Manifest], ceiling: float) -> list[Manifest]:
    """Those whose leaving brings a store below its share, for the least cost; all that help where they are not enough."""
    left, chosen = list(tenants), list[Manifest]()
    while room.fullness > ceiling and left:
        best = max(left, key=lambda each: (_worth(room, resident(each, room.name), ceiling), key_of(each)))
        if _worth(room, resident(best, room.name), ceiling) <= 0:
            break
        room = room.with_resident(resident(best, room.name), leave=True)
        left.remove(best)
        chosen.append(best)
    for each in sorted(
        chosen, key=lambda one: -_cost(resident(one, room.name))
    ):  # who was taken first may not be needed
        back = room.with_resident(resident(each, room.name))
        if back.fullness <= ceiling:
            room = back
            chosen.remove(each)
    return chosen


def _worth(room: Room, taken: Resident, ceiling: float) -> float:
    """How much nearer a store comes to its share by this tenant's leaving, for what that costs."""
    after = max(ceiling, room.with_resident(taken, leave=True).fullness)
    return (room.fullness - after) / _cost(taken)


def _cost(taken: Resident) -> int:
    return FREEZE + (taken.bytes or 0)


def _fits(room: Room, taken: Resident, ceiling: float) -> bool:
    return not room.refusal and room.with_resident(taken).fullness <= ceiling


def _residents(planner: _Planner, store: str) -> tuple[list[Manifest], list[Transfer]]:
    """Those at home in a store who can be moved, and those who cannot, with the reason. Who moves already is told elsewhere."""
    free: list[Manifest] = []
    bound: list[Transfer] = []
    known = {each.key for each in planner.found}
    for tenant in _sorted(planner.fleet.tenants):
        if home(tenant) != store or key_of(tenant) in known:
            continue
        if why := _given_up(tenant):
            bound.append(Transfer(tenant=tenant, source=store, state=GIVEN_UP, why=why))
        elif why := _bound(tenant, planner.fleet):
            bound.append(Transfer(tenant=tenant, source=store, state=STAYS, why=why))
        else:
            free.append(tenant)
    return free, bound


def _bound(tenant: Manifest, fleet: Fleet) -> str:
    """Why a tenant is not the pool's to move; empty where it is."""
    spec, annotations = tenant.get("spec") or {}, meta.annotations_of(tenant)
    if spec.get("dataStore"):
        return "its spec.dataStore names the store: change that"
    if spec.get("dataStoreOverrides"):
        return "a tenant with dataStoreOverrides cannot move"
    if tenant["metadata"].get("deletionTimestamp"):
        return "it is being deleted"
    for each in (names.ANNOTATION_PAUSED, names.ANNOTATION_DELETE_FOR_MOVE, names.ANNOTATION_RESTORING):
        if each in annotations:
            return f"its annotation {each} is set"
    if fleet.namespace not in ("", tenant["metadata"].get("namespace")):
        return "another provider looks after its namespace"
    return "" if _storage(tenant).get("setup") else "it has no keys there yet"


def _given_up(tenant: Manifest) -> str:
    """Why the last move of a tenant was given up, as long as it is asked for."""
    move = migration.recorded(_storage(tenant))
    if move is None or move.phase != Phase.FAILED:
        return ""
    return (
        f"its move to DataStore {move.target} was given up ({move.reason}): mend that, and take its annotation"
        f" {names.ANNOTATION_MOVE_TO} off"
    )


def _storage(tenant: Manifest) -> Manifest:
    return dict((tenant.get("status") or {}).get("storage") or {})


def _sorted(tenants: Iterable[Manifest]) -> list[Manifest]:
    return sorted(tenants, key=key_of)
