"""Who is moved off a store: those that cost least, to where there is room, no more at once than may be, and never back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.api import names
from provider.api.datastorepool import DataStorePool
from provider.hosting import migration
from provider.hosting.sharding import relief
from provider.hosting.sharding.fleet import Fleet
from provider.hosting.sharding.relief import Transfer
from provider.hosting.status import pool as status
from provider.hosting.view import Move
from provider.manifest import Manifest
from provider.overview import listing
from tests.unit.provider.hosting.sharding.fleets import fleet, pool, store, tenant

MI = 2**20
NOON, NIGHT = (datetime(2026, 11, 29, hour, 30, tzinfo=UTC) for hour in (12, 23))
SETUP = {"schema": "s", "user": "u"}


def resident(name: str, at: str, mib: int = 1, writes: int = 0) -> Manifest:
    """A tenant with keys in a store, and what it takes up there."""
    found = tenant(name, at=at)
    found["status"]["storage"] |= {"setup": SETUP, "usage": {"bytes": mib * MI, "writesPerMinute": writes}}
    return found


def annotated(manifest: Manifest, **said: str) -> Manifest:
    manifest["metadata"].setdefault("annotations", {}).update(
        {f"x.kamaji.clastix.io/{key.replace('_', '-')}": value for key, value in said.items()}
    )
    return manifest


def moving(manifest: Manifest, phase: str, target: str) -> Manifest:
    move = Move(phase=phase, source="default", target=target, began="x", since=NOON, reason="CopyLate", message="m")
    manifest["status"]["storage"]["migration"] = migration.record(move)
    return manifest


def made(*names_: str, drain: str = "") -> list[Manifest]:
    """Stores of the pool; the first has this annotation."""
    found = [store(each, of="default") for each in names_]
    return [annotated(found[0], drain=drain), *found[1:]] if drain else found


def told(plan: tuple[Transfer, ...]) -> list[tuple[str, str, str]]:
    return [(each.key[1], each.target, each.state) for each in plan]


def test_a_store_that_is_emptied_gives_its_tenants_to_the_others_the_cheapest_first() -> None:
    tenants = [resident("big", "default", 300), resident("small", "default", 2), resident("there", "default-2", 2)]
    asked = pool()
    found = relief.of(fleet([asked], made("default", "default-2", "default-3", drain="true"), tenants), asked)
    assert told(found) == [("small", "default-3", "Planned"), ("big", "default-2", "Planned")]
    assert all(each.asked and "default is emptied" in each.why for each in found)


def test_what_would_be_emptied_is_told_and_not_done_and_takes_tenants_still() -> None:
    asked, stores = pool(), made("default", "default-2", drain="plan")
    seen = fleet([asked], stores, [resident("a", "default")])
    found = relief.of(seen, asked)
    assert told(found) == [("a", "default-2", "Planned")]
    assert relief.due(found, asked.spec.rebalancing, NOON) == []
    assert not seen.rooms(asked)[0].refusal
    emptied = fleet([asked], made("default", "default-2", drain="true"), [])
    assert "emptied" in emptied.rooms(asked)[0].refusal


@pytest.mark.fields("DataStorePool", "spec.rebalancing.movesAtOnce")
def test_no_more_move_at_once_than_may() -> None:
    asked = pool(rebalancing={"movesAtOnce": 2})
    tenants = [resident(f"t{number}", "default", number) for number in range(5)]
    stores = made("default", "default-2", drain="true")
    first = relief.of(fleet([asked], stores, tenants), asked)
    begin = [each.key[1] for each in relief.due(first, asked.spec.rebalancing, NOON)]
    assert begin == ["t0", "t1"]
    moving(tenants[0], "Copying", "default-2")
    annotated(tenants[1], move_to="default-2")
    then = relief.of(fleet([asked], stores, tenants), asked)
    assert [each.state for each in then] == ["Moving", "Moving", "Planned", "Planned", "Planned"]
    assert relief.due(then, asked.spec.rebalancing, NOON) == []


@pytest.mark.fields("DataStorePool", "spec.rebalancing.hours")
@pytest.mark.parametrize(
    ("hours", "at_noon", "at_night"),
    [(None, True, True), ("08-18", True, False), ("22-06", False, True), ("12-13", True, False), ("06-06", True, True)],
)
def test_moves_begin_in_the_hours_that_are_allowed(hours: str | None, at_noon: bool, at_night: bool) -> None:
    asked = pool(rebalancing={"hours": hours} if hours else {})
    found = relief.of(fleet([asked], made("default", "default-2", drain="true"), [resident("a", "default")]), asked)
    begun = [bool(relief.due(found, asked.spec.rebalancing, now)) for now in (NOON, NIGHT)]
    assert begun == [at_noon, at_night]


@pytest.mark.fields("DataStorePool", "spec.rebalancing.abovePercent", "spec.rebalancing.mode")
def test_a_store_above_its_share_gives_away_what_costs_least_for_what_that_brings() -> None:
    tenants = [resident(f"t{mib}", "default", mib) for mib in (10, 20, 30, 40)]
    for mode, begins in (("Plan", 0), ("Move", 1)):
        asked = pool(
            placement={"maxBytes": "100Mi", "bytesPerTenant": "1Mi"}, rebalancing={"abovePercent": 80, "mode": mode}
        )
        found = relief.of(fleet([asked], made("default", "default-2"), tenants), asked)
        assert told(found) == [("t20", "default-2", "Planned")]
        assert "80%" in found[0].why
        assert len(relief.due(found, asked.spec.rebalancing, NOON)) == begins
    below = pool(placement={"maxBytes": "100Mi", "bytesPerTenant": "1Mi"})
    assert relief.of(fleet([below], made("default", "default-2"), tenants), below) == ()


def test_off_a_store_that_is_written_too_much_goes_who_writes_and_not_who_holds() -> None:
    tenants = [
        resident("archive", "default", 200, 300),
        resident("busy", "default", 5, 900),
        resident("idle", "default"),
    ]
    asked = pool(
        placement={"maxWritesPerMinute": 2000, "writesPerTenant": 100}, rebalancing={"abovePercent": 50, "mode": "Move"}
    )
    assert told(relief.of(fleet([asked], made("default", "default-2"), tenants), asked)) == [
        ("busy", "default-2", "Planned")
    ]


def test_nobody_is_sent_where_that_would_be_too_much() -> None:
    tenants = [resident("a", "default", 90), resident("b", "default-2", 75)]
    asked = pool(placement={"maxBytes": "100Mi", "bytesPerTenant": "1Mi"}, rebalancing={"abovePercent": 80})
    assert told(relief.of(fleet([asked], made("default", "default-2"), tenants), asked)) == [("a", "", "NoRoom")]


def test_who_is_not_the_pools_to_move_stays_with_the_reason() -> None:
    named = resident("named", "default")
    named["spec"] = {"dataStore": "default"}
    overridden = resident("overridden", "default")
    overridden["spec"] = {"dataStoreOverrides": [{"resource": "/events", "dataStore": "x"}]}
    paused = resident("paused", "default")
    paused["metadata"]["annotations"] = {names.ANNOTATION_PAUSED: ""}
    young = tenant("young", at="default")
    tried = moving(annotated(resident("tried", "default"), move_to="default-2"), "Failed", "default-2")
    asked = pool()
    found = relief.of(
        fleet([asked], made("default", "default-2", drain="true"), [named, overridden, paused, young, tried]), asked
    )
    assert {each.key[1]: each.state for each in found} == {
        "named": "Stays",
        "overridden": "Stays",
        "paused": "Stays",
        "young": "Stays",
        "tried": "GivenUp",
    }
    assert "CopyLate" in next(each for each in found if each.state == "GivenUp").why
    assert all(each.why and not each.target for each in found)


def test_a_plan_is_told_in_the_status_and_by_the_command_line() -> None:
    asked = pool()
    tenants = [resident(f"t{number:02}", "default", number) for number in range(60)]
    said = status.moves(relief.of(fleet([asked], made("default", "default-2", drain="true"), tenants), asked))
    assert (len(said["moves"]), said["movesLeft"]) == (50, 60)
    DataStorePool.parse({**asked.model_dump(by_alias=True), "kind": "DataStorePool", "apiVersion": "x", "status": said})
    (row, *_) = listing.moves([{"metadata": {"name": "default"}, "status": said}])
    assert row == {
        "pool": "default",
        "state": "Planned",
        "tenant": "team/t00",
        "source": "default",
        "target": "default-2",
        "why": "DataStore default is emptied",
    }


fleets = st.lists(
    st.tuples(st.sampled_from(["default", "default-2", "default-3"]), st.integers(0, 60), st.integers(0, 300)),
    max_size=25,
)


def carried_out(seen: Fleet, plan: tuple[Transfer, ...]) -> Fleet:
    """As if all that is planned had been done."""
    going = {each.key: each.target for each in plan if each.state == "Planned"}

    def placed(each: Manifest) -> Manifest:
        name = (each["metadata"]["namespace"], each["metadata"]["name"])
        return resident_at(each, going[name]) if name in going else each

    return fleet(list(seen.pools), list(seen.stores), [placed(each) for each in seen.tenants])


def resident_at(each: Manifest, store_: str) -> Manifest:
    storage = each["status"]["storage"]
    return {**each, "status": {"storage": {**storage, "dataStoreName": store_}}}


@given(fleets, st.sampled_from(["", "plan", "true"]), st.integers(10, 100), st.sampled_from(["Spread", "BinPack"]))
def test_whatever_is_planned_fills_no_store_over_its_share_moves_each_once_and_leaves_nothing_to_do(
    said: list[tuple[str, int, int]], drain: str, percent: int, policy: str
) -> None:
    asked = pool(
        placement={"maxBytes": "300Mi", "bytesPerTenant": "4Mi", "maxTenants": 12, "maxWritesPerMinute": 3000}
        | {"policy": policy},
        rebalancing={"abovePercent": percent, "mode": "Move"},
    )
    tenants = [resident(f"t{number:02}", at, mib, writes) for number, (at, mib, writes) in enumerate(said)]
    before = fleet([asked], made("default", "default-2", "default-3", drain=drain), tenants)
    plan = relief.of(before, asked)
    assert len({each.key for each in plan}) == len(plan)
    assert plan == relief.of(before, asked), "the same fleet has the same plan"
    after = carried_out(before, plan)
    rooms = {each.name: each for each in before.rooms(asked)}
    for each in after.rooms(asked):
        assert each.fullness <= max(percent / 100, rooms[each.name].fullness) + 1e-9
    if drain == "true":
        assert not [each for each in plan if each.target == "default"]
    if not [each for each in plan if each.state == "NoRoom"]:
        assert [each for each in relief.of(after, asked) if each.state == "Planned"] == []
        for each in after.rooms(asked):
            assert each.fullness <= percent / 100 + 1e-9 or each.name == "default" or not each.tenants


def test_a_pool_that_has_nothing_to_relieve_has_no_plan() -> None:
    asked: Any = pool(rebalancing={"abovePercent": 80})
    assert relief.of(fleet([asked], made("default", "default-2"), [resident("a", "default")]), asked) == ()
