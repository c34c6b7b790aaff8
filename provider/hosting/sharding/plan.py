"""Places all tenants that wait, in one go: each choice counts for the next, so that a burst fills no store over its limit."""

from __future__ import annotations

from dataclasses import dataclass

from provider.hosting.sharding.fleet import Fleet
from provider.hosting.sharding.room import Room, choose, why
from provider.manifest import Manifest

NO_STORES = "it has no stores yet"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a tenant is to be put: `store` is empty where nothing takes it. `reason` is a sentence for people either way."""

    tenant: Manifest
    pool: str
    store: str
    reason: str


def of(fleet: Fleet) -> tuple[Place, ...]:
    """A place for each tenant that waits, in the order in which they came."""
    rooms = {pool.name: list(fleet.rooms(pool)) for pool in fleet.pools}
    found = []
    for tenant in fleet.unplaced():
        pool = fleet.pool_of(tenant)
        assert pool is not None, "who has no pool does not wait for one"
        policy, candidates = pool.spec.placement.policy, rooms[pool.name]
        chosen = choose(candidates, policy)
        if chosen is None:
            found.append(Place(tenant=tenant, pool=pool.name, store="", reason=full(candidates)))
            continue
        found.append(Place(tenant=tenant, pool=pool.name, store=chosen.name, reason=why(chosen, candidates, policy)))
        for those in rooms.values():  # a store that was brought may be in several pools
            those[:] = [each.with_one_more() if each.name == chosen.name else each for each in those]
    return tuple(found)


def full(rooms: list[Room]) -> str:
    """Why a pool takes nobody."""
    return "; ".join(f"{each.name}: {each.refusal}" for each in rooms[:5]) or NO_STORES
