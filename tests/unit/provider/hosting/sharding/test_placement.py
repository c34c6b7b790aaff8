"""Who places a tenant, in which store, and that no limit is passed however many come at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.bench import placement
from provider.hosting.sharding import plan
from provider.hosting.sharding.room import Room, Stock, choose
from provider.manifest import Manifest
from tests.unit.provider.hosting.sharding.fleets import fleet, measured, pool, store, tenant

MADE = [store("default", of="default"), store("default-2", of="default")]


def places(*args: Any) -> dict[str, str]:
    """Store by tenant."""
    return {each.tenant["metadata"]["name"]: each.store for each in plan.of(fleet(*args))}


def waiting(count: int) -> list[Manifest]:
    return [tenant(f"t{number:03}", created=number % 60) for number in range(count)]


@pytest.mark.fields("DataStorePool", "spec.placement.policy")
def test_spread_takes_the_emptiest_and_bin_pack_the_fullest_that_has_room() -> None:
    there = [tenant("old", at="default-2")]
    spread = places([pool(placement={"maxTenants": 3})], MADE, [*there, *waiting(1)])
    packed = places([pool(placement={"policy": "BinPack", "maxTenants": 3})], MADE, [*there, *waiting(3)])
    assert spread == {"t000": "default"}
    assert packed == {"t000": "default-2", "t001": "default-2", "t002": "default"}


@pytest.mark.fields("DataStorePool", "spec.placement.maxTenants")
def test_a_burst_fills_no_store_over_its_number_and_the_oldest_go_first() -> None:
    found = places([pool(placement={"maxTenants": 60})], MADE, waiting(200))
    assert Counter(found.values()) == {"default": 60, "default-2": 60, "": 80}
    placed = [plan_.tenant["metadata"]["creationTimestamp"] for plan_ in plan.of(fleet([pool()], MADE, waiting(50)))]
    assert placed == sorted(placed)


@pytest.mark.fields("DataStorePool", "spec.placement.maxBytes", "spec.placement.bytesPerTenant")
def test_each_tenant_has_bytes_set_aside_before_it_has_written_any() -> None:
    asked = pool(placement={"maxBytes": "100Mi", "bytesPerTenant": "20Mi"})
    assert Counter(places([asked], MADE, waiting(20)).values()) == {"default": 5, "default-2": 5, "": 10}


def test_a_store_that_grew_beyond_what_was_set_aside_takes_fewer() -> None:
    stores = [{"name": "default", "usedBytes": 90 * 2**20}]
    asked = pool(status={"stores": stores}, placement={"maxBytes": "100Mi", "bytesPerTenant": "20Mi"})
    assert Counter(places([asked], MADE, waiting(20)).values()) == {"default-2": 5, "": 15}


def test_what_is_set_aside_for_a_tenant_stays_so_also_beside_one_that_took_far_more() -> None:
    stores = [{"name": "default", "usedBytes": 50 * 2**20}]
    asked = pool(status={"stores": stores}, placement={"maxBytes": "100Mi", "bytesPerTenant": "20Mi"})
    heavy = measured(tenant("heavy", at="default"), bytes=50 * 2**20)
    assert Counter(places([asked], MADE[:1], [heavy, *waiting(20)]).values()) == {"default": 2, "": 18}
    light = [measured(tenant(f"light-{number}", at="default"), bytes=5 * 2**20) for number in range(2)]
    assert Counter(places([asked], MADE[:1], [*light, *waiting(20)]).values()) == {"default": 1, "": 19}


@pytest.mark.fields("DataStorePool", "spec.placement.maxWritesPerMinute")
def test_no_store_gets_more_writers_than_it_may_have_writes() -> None:
    asked = pool(placement={"maxWritesPerMinute": 1000, "writesPerTenant": 100})
    busy = measured(tenant("busy", at="default"), writesPerMinute=750)
    assert Counter(places([asked], MADE, [busy, *waiting(30)]).values()) == {"default": 2, "default-2": 10, "": 18}
    (*_, last) = plan.of(fleet([asked], MADE, [busy, *waiting(30)]))
    assert "default: it is full: 3 tenants, 48Mi of 3072Mi, 950 of 1000 writes a minute" in last.reason


@pytest.mark.fields("DataStorePool", "spec.placement.writesPerTenant")
def test_who_writes_for_ten_counts_as_ten_and_the_place_says_what_was_measured() -> None:
    asked = pool(placement={"writesPerTenant": 60})
    busy = measured(tenant("busy", at="default"), writesPerMinute=600)
    found = plan.of(fleet([asked], MADE, [busy, *waiting(11)]))
    assert Counter(each.store for each in found) == {"default-2": 10, "default": 1}
    (last,) = [each for each in found if each.store == "default"]
    assert (
        last.reason
        == "Spread: the least in it for its weight among 2 (1 tenants, 16Mi of 3072Mi, 600 writes a minute before)"
    )
    quiet = measured(tenant("quiet", at="default"), writesPerMinute=3)
    assert Counter(places([asked], MADE, [quiet, *waiting(11)]).values()) == {"default": 5, "default-2": 6}


def test_bin_pack_takes_the_store_that_is_nearest_to_the_tightest_of_its_limits() -> None:
    asked = pool(placement={"policy": "BinPack", "maxWritesPerMinute": 1200, "maxTenants": 100})
    there = [tenant(f"many-{number}", at="default") for number in range(3)]
    busy = measured(tenant("busy", at="default-2"), writesPerMinute=900)
    assert places([asked], MADE, [*there, busy, *waiting(1)]) == {"t000": "default-2"}


def test_what_a_tenant_writes_counts_where_it_lives_and_not_where_its_overrides_do() -> None:
    busy = measured(tenant("busy", at="default"), writesPerMinute=900)
    busy["metadata"]["finalizers"] = ["datastore.x.kamaji.clastix.io/default-2"]
    asked = pool()
    found = {each.name: each.writes.taken for each in fleet([asked], MADE, [busy]).rooms(asked)}
    assert found == {"default": 900, "default-2": 120}


def test_without_limits_of_the_pools_etcds_quota_is_the_limit_of_a_store_that_it_makes() -> None:
    found = places([pool(placement={"bytesPerTenant": "1Gi"})], MADE[:1], waiting(5))
    assert Counter(found.values()) == {"default": 3, "": 2}


def test_who_names_a_store_counts_there_and_is_never_placed() -> None:
    asked = pool(placement={"maxTenants": 1})
    named = tenant("named", named="default")
    assert places([asked], MADE, [named, tenant("there", named="default", at="default"), *waiting(1)]) == {
        "t000": "default-2"
    }


@pytest.mark.parametrize(
    ("left_out", "why"),
    [
        (store("default-2", of="default", ready=False), "it is not ready"),
        (store("default-2", of="default", weight="0"), "its annotation x.kamaji.clastix.io/weight is 0"),
    ],
)
def test_a_store_that_is_not_ready_or_has_no_weight_takes_nobody_and_the_place_says_so(
    left_out: Manifest, why: str
) -> None:
    there = [tenant("a", at="default"), tenant("b", at="default")]
    (found,) = plan.of(fleet([pool()], [MADE[0], left_out], [*there, *waiting(1)]))
    assert found.store == "default"
    assert f"default-2 ({why})" in found.reason


def test_a_store_of_twice_the_weight_takes_twice_as_many() -> None:
    stores = [store("default", of="default"), store("default-2", of="default", weight="2")]
    assert Counter(places([pool()], stores, waiting(30)).values()) == {"default": 10, "default-2": 20}


@pytest.mark.fields("DataStorePool", "spec.storeSelector.matchLabels")
def test_stores_that_were_brought_belong_to_the_pool_that_selects_them() -> None:
    brought, other = store("theirs", tier="gold"), store("other", tier="iron")
    asked = pool("gold", tenantSelector={}, storeSelector={"matchLabels": {"tier": "gold"}}, minStores=0)
    assert places([asked], [brought, other], waiting(1)) == {"t000": "theirs"}
    assert [each.made for each in fleet([asked], [brought, other]).rooms(asked)] == [False]


@pytest.mark.fields(
    "DataStorePool",
    *(
        f"spec.{each}Selector.matchExpressions[].{part}"
        for each in ("store", "tenant")
        for part in ("key", "operator", "values")
    ),
)
def test_selectors_have_expressions_as_kubernetes_has_them() -> None:
    either = {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["gold", "silver"]}]}
    asked = pool("fine", tenantSelector=either, storeSelector=either, minStores=0)
    stores = [store("a", tier="iron"), store("b", tier="silver"), store("c", rank="gold")]
    assert places([asked], stores, [tenant("x", tier="gold"), tenant("y", tier="iron"), tenant("z")]) == {"x": "b"}


def test_a_store_that_one_pool_made_is_not_anothers_whatever_its_labels_say() -> None:
    asked = pool("greedy", storeSelector={}, minStores=0)
    assert fleet([asked, pool()], [*MADE, store("free")]).members(asked) == [store("free")]


@pytest.mark.fields("DataStorePool", "spec.tenantSelector.matchLabels")
def test_the_pool_that_selects_a_tenant_places_it_and_the_default_one_everybody_else() -> None:
    gold = pool("gold", tenantSelector={"matchLabels": {"tier": "gold"}})
    stores = [*MADE[:1], store("gold", of="gold")]
    assert places([pool(), gold], stores, [tenant("rich", tier="gold"), tenant("poor")]) == {
        "rich": "gold",
        "poor": "default",
    }


def test_a_default_datastore_that_is_nobodys_pools_stays_upstreams_rule() -> None:
    theirs = store("default")
    assert fleet([pool()], [theirs], waiting(1)).unplaced() == []


def test_a_selector_that_means_nothing_selects_nobody() -> None:
    broken = {"matchExpressions": [{"key": "tier", "operator": "Like", "values": ["gold"]}]}
    assert places([pool("gold", tenantSelector=broken)], [store("gold", of="gold")], waiting(1)) == {}


@pytest.mark.parametrize("annotation", ["kamaji.clastix.io/paused", "clusterctl.cluster.x-k8s.io/delete-for-move"])
def test_who_is_paused_or_on_its_way_elsewhere_is_left_alone(annotation: str) -> None:
    (still,) = waiting(1)
    still["metadata"]["annotations"] = {annotation: ""}
    assert places([pool()], MADE, [still]) == {}


def test_a_provider_that_is_confined_to_a_namespace_places_nobody_elsewhere_and_counts_all() -> None:
    elsewhere = tenant("elsewhere")
    elsewhere["metadata"]["namespace"] = "others"
    full = [tenant("there", at="default"), elsewhere, *waiting(1)]
    found = replace(fleet([pool(placement={"maxTenants": 2})], MADE[:1], full), namespace="team")
    assert [(each.tenant["metadata"]["name"], each.store) for each in plan.of(found)] == [("t000", "default")]


def test_when_nothing_takes_it_then_the_place_says_why_of_each_store() -> None:
    (_, left) = plan.of(fleet([pool(placement={"maxTenants": 1})], MADE[:1], waiting(2)))
    assert left.store == ""
    assert left.reason == "default: it is full: 1 of 1 tenants, 16Mi of 3072Mi, 120 writes a minute"
    (alone,) = plan.of(fleet([pool()], [], waiting(1)))
    assert alone.reason == plan.NO_STORES


stocks = st.builds(
    Stock,
    each=st.integers(1, 200),
    measured=st.integers(0, 4000),
    promised=st.integers(0, 4000),
    most=st.none() | st.integers(1, 9000),
)
rooms = st.builds(
    Room,
    name=st.sampled_from([f"s{number}" for number in range(20)]),
    hindrance=st.sampled_from(["", "", "", "it is not ready"]),
    weight=st.integers(1, 5),
    tenants=st.integers(0, 50),
    max_tenants=st.none() | st.integers(1, 50),
    bytes=stocks,
    writes=stocks,
)


@given(
    found=st.lists(rooms, unique_by=lambda each: each.name, max_size=8), policy=st.sampled_from(["Spread", "BinPack"])
)
def test_no_store_passes_its_limits_and_nobody_waits_while_one_has_room(found: list[Room], policy: str) -> None:
    before = {each.name: each for each in found}
    for _ in range(120):
        chosen = choose(found, policy)
        if chosen is None:
            assert all(each.hindrance or each.free < 1 for each in found)
            break
        found = [each.with_one_more() if each == chosen else each for each in found]
    for each in found:
        grew = each.tenants > before[each.name].tenants
        assert not grew or each.max_tenants is None or each.tenants <= each.max_tenants
        for stock in (each.bytes, each.writes):
            assert not grew or stock.most is None or stock.taken <= stock.most
        assert not (grew and each.hindrance)


@given(
    found=st.lists(rooms, unique_by=lambda each: each.name, max_size=8), policy=st.sampled_from(["Spread", "BinPack"])
)
def test_the_choice_does_not_depend_on_the_order_in_which_stores_are_listed(found: list[Room], policy: str) -> None:
    assert choose(found, policy) == choose(found[::-1], policy)


writers = st.lists(st.lists(st.integers(0, 3000), max_size=6), min_size=2, max_size=5)
"""Writes a minute of each tenant, by store."""
EACH = 100


def spread(writes: list[list[int]], newcomers: int) -> list[int]:
    """How many newcomers each store gets, beside tenants that write so much."""
    asked, stores = pool(placement={"writesPerTenant": EACH}), range(len(writes))
    there = [
        measured(tenant(f"old-{store}-{number}", at=f"s{store}"), writesPerMinute=rate)
        for store in stores
        for number, rate in enumerate(writes[store])
    ]
    made = [store(f"s{each}", of="default") for each in stores]
    found = Counter(places([asked], made, [*there, *waiting(newcomers)]).values())
    return [found[f"s{each}"] for each in stores]


@given(writes=writers, newcomers=st.integers(1, 60))
def test_writes_count_as_the_tenants_that_they_are_worth_and_no_more(writes: list[list[int]], newcomers: int) -> None:
    counted = [max(len(rates), sum(rates) / EACH) for rates in writes]
    news = spread(writes, newcomers)
    assert sum(news) == newcomers
    for mine, new in zip(counted, news, strict=True):
        for theirs, other in zip(counted, news, strict=True):
            assert not new or mine + new <= theirs + other + 1, "one that had less in it was passed over"


@given(writes=writers, newcomers=st.integers(1, 60))
def test_who_writes_no_more_than_is_set_aside_is_placed_beside_as_if_nobody_had_looked(
    writes: list[list[int]], newcomers: int
) -> None:
    within = [[min(rate, EACH) for rate in rates] for rates in writes]
    assert spread(within, newcomers) == spread([[0 for _ in rates] for rates in writes], newcomers)


def test_to_place_a_thousand_tenants_over_ten_stores_is_less_than_a_second_of_our_own() -> None:
    assert min(placement.seconds() for _ in range(3)) < placement.LIMIT
