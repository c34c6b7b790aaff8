"""How many stores a pool has to have: those it has, and a further one before it is full. Stores are never taken away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from provider.api.datastorepool import DataStorePool
from provider.hosting.sharding.room import Room


def stores(pool: DataStorePool, made: Sequence[str], taken: Iterable[str], wanted: int) -> tuple[str, ...]:
    """Names of the stores that the pool has made or is to make: what stands first, then the next free numbers.

    The first is called like the pool, then `pool-2` and so on. `taken`: names of DataStores that are others'.
    """
    found, others = list(dict.fromkeys(made)), set(taken)
    number = 1
    while len(found) < wanted:
        name = pool.name if number == 1 else f"{pool.name}-{number}"
        if name not in found and (name not in others or number == 1):
            found.append(name)  # the first is kept also when somebody else has its name: the pool says so and waits
        number += 1
    return tuple(sorted(found, key=lambda each: (len(each), each)))


def wanted(pool: DataStorePool, rooms: Sequence[Room], made: int, fresh: Room, waiting: int) -> int:
    """How many stores the pool shall have made.

    `made` counts also those that are not offered yet: each will be a room like `fresh`. Who waits is as good as placed.
    """
    spec = pool.spec
    most = max(made, spec.min_stores if spec.max_stores is None else spec.max_stores)
    coming = made - sum(each.made for each in rooms)
    count = max(made, spec.min_stores)
    usable = [each for each in rooms if each.weight]
    free = sum(each.free for each in usable) + (coming + count - made) * fresh.free
    whole = free + sum(each.worth for each in usable)
    if fresh.free < 1:  # limits that let nobody in: more such stores would not help
        return count
    while count < most and _short(free - waiting, whole, spec.headroom_percent):
        count, free, whole = count + 1, free + fresh.free, whole + fresh.free
    return count


def _short(left: float, whole: float, headroom: int) -> bool:
    """Whether too little is left for those who come next."""
    return left < 0 or (headroom > 0 and (left < 1 or left * 100 < headroom * whole))
