"""Whom a moved tenant, store or pool wakes: who waits for a place, and the pools in whose stores something changed."""

from __future__ import annotations

from collections.abc import Callable

from provider.hosting.handlers import Queues
from provider.manifest import Manifest
from tests.unit.provider.hosting.sharding.fleets import tenant

KEY = ("team", "mine")


def store(**status: object) -> Manifest:
    return {"metadata": {"name": "default", "uid": "of-default"}, "spec": {"driver": "etcd"}, "status": status}


def queues() -> Queues:
    found = Queues()
    found.known_pools.add("default")
    return found


def woken(move: Callable[[Queues], object], before: Manifest | None = None) -> dict[str, int]:
    """How many keys each queue has after this one move, those included that are to be looked at in a moment."""
    found = queues()
    if before is not None:
        found.tenant_moved(KEY, before, "default", gone=False)
        for each in (found.tenants, found.stores, found.pools, found.placements):
            each._ready.clear()
            each._timers.clear()
    move(found)
    named = {name: getattr(found, name) for name in ("tenants", "stores", "pools", "placements")}
    return {name: len(each._ready) + len(each._timers) for name, each in named.items()}


async def test_a_tenant_that_waits_for_a_place_wakes_the_placement_and_no_pool() -> None:
    wakes = woken(lambda found: found.tenant_moved(KEY, tenant("mine"), "default", gone=False))
    assert wakes == {"tenants": 1, "stores": 1, "pools": 0, "placements": 1}


async def test_a_tenant_that_was_placed_wakes_its_store_and_the_pools_that_count_it() -> None:
    placed = tenant("mine", at="default")
    wakes = woken(lambda found: found.tenant_moved(KEY, placed, "default", gone=False), before=tenant("mine"))
    assert (wakes["stores"], wakes["pools"]) == (1, 1)


async def test_a_tenant_that_begins_to_move_wakes_the_pools_whose_doors_it_will_knock_at() -> None:
    placed, moving = tenant("mine", at="default"), tenant("mine", at="default")
    moving["status"]["storage"]["migration"] = {"source": "default", "target": "default-2"}
    wakes = woken(lambda found: found.tenant_moved(KEY, moving, "default", gone=False), before=placed)
    assert wakes["pools"] == 1


async def test_a_tenant_whose_status_moves_where_it_is_wakes_no_pool() -> None:
    placed = tenant("mine", at="default")
    wakes = woken(lambda found: found.tenant_moved(KEY, placed, "default", gone=False), before=placed)
    assert (wakes["tenants"], wakes["pools"], wakes["placements"]) == (1, 0, 0)


async def test_a_tenant_that_is_gone_makes_room_for_who_waits() -> None:
    placed = tenant("mine", at="default")
    wakes = woken(lambda found: found.tenant_moved(KEY, placed, "default", gone=True), before=placed)
    assert (wakes["pools"], wakes["placements"]) == (1, 1)


async def test_a_store_or_a_pool_that_moved_wakes_who_waits_for_a_place() -> None:
    assert woken(lambda found: found.store_moved("default-2", store(), gone=False))["placements"] == 1
    assert woken(lambda found: found.pool_moved("default", gone=False))["placements"] == 1


async def test_a_tenant_whose_status_moves_does_not_wake_its_store_which_lists_everybody() -> None:
    placed = tenant("mine", at="default")
    wakes = woken(lambda found: found.tenant_moved(KEY, placed, "default", gone=False), before=placed)
    assert wakes["stores"] == 0


async def test_a_store_wakes_its_tenants_when_it_is_another_and_not_when_it_has_more_of_them() -> None:
    found = queues()
    found.tenant_moved(KEY, tenant("mine", at="default"), "default", gone=False)

    def wakes(body: Manifest, *, gone: bool = False) -> bool:
        found.tenants._ready.clear()
        found.store_moved("default", body, gone=gone)
        return KEY in found.tenants._ready

    assert wakes(store(ready=True, usedBy=["a/b"]))
    assert not wakes(store(ready=True, usedBy=["a/b", "team/mine"], load={"size": 1}))
    assert wakes(store(ready=False))
    assert wakes(store(ready=True, lastRestored="now"))
    assert wakes(store(), gone=True)
    assert wakes(store(ready=True))


async def test_a_store_that_names_another_authority_wakes_its_tenants() -> None:
    found = queues()
    found.tenant_moved(KEY, tenant("mine", at="default"), "default", gone=False)
    found.store_moved("default", store(ready=True, authorities="one"), gone=False)
    found.tenants._ready.clear()
    found.tenants._timers.clear()
    found.store_moved("default", store(ready=True, authorities="one"), gone=False)
    assert not found.tenants._ready
    found.store_moved("default", store(ready=True, authorities="two"), gone=False)
    assert list(found.tenants._ready) == [KEY]
