"""What the page is told of objects: rows and sentences of `kamaji`, and nothing of whom one may not see."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from provider.api import kinds, names
from provider.manifest import Manifest, meta
from provider.overview import explain, listing
from provider.statuspage import answers, watching

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
GIB = 2**30


def tenant(name: str, ready: bool = True, message: str = "") -> Manifest:
    found = meta.new(kinds.TENANT_CONTROL_PLANE, name, "team")
    found["metadata"] |= {
        "creationTimestamp": "2026-05-01T11:00:00Z",
        "generation": 2,
        "managedFields": [{"manager": "you", "time": "2026-05-01T11:30:00Z", "fieldsV1": {"f:spec": {}}}],
    }
    found["spec"] = {"kubernetes": {"version": "v1.36.3"}, "dataStore": "one", "addons": {"coreDNS": {}}}
    condition = {"type": "Ready", "status": str(ready), "reason": "PodsNotReady", "message": message}
    found["status"] = {
        "conditions": [condition | {"lastTransitionTime": "2026-05-01T11:40:00Z"}],
        "observedGeneration": 2,
        "controlPlaneEndpoint": "192.0.2.1:6443",
        "kubernetesResources": {"version": {"version": "v1.36.3", "status": "Ready"}, "deployment": {"replicas": 2}},
        "storage": {"dataStoreName": "one", "usage": {"bytes": 1024}},
        "certificates": {"ca": {}},
    }
    return found


def store(name: str, in_use: int, limit: int, *users: str, pool: str = "", ready: bool = True) -> Manifest:
    labels = {names.LABEL_POOL: pool} if pool else None
    found = meta.new(kinds.DATA_STORE, name, labels=labels, spec={"driver": "etcd", "endpoints": ["192.0.2.1:2379"]})
    load = {"quota": limit, "inUse": in_use}
    return found | {"status": {"ready": ready, "usedBy": list(users), "load": load, "conditions": []}}


def drawn(*found: Manifest, tenants: tuple[Manifest, ...] = ()) -> dict[str, Any]:
    return {each["name"]: each for each in answers.stores(found, [], tenants)["stores"]}


def test_a_tenant_of_the_fleet_is_the_row_of_kamaji_get_with_the_first_reason_of_kamaji_explain() -> None:
    ill = tenant("ill", ready=False, message="its pods do not start")
    (row,) = answers.fleet([ill], NOW)["tenants"]
    assert {key: row[key] for key in listing.tenant(ill, NOW)} == listing.tenant(ill, NOW)
    assert (row["state"], row["health"], row["why"]) == ("NotReady", "bad", "Ready: its pods do not start")


def test_one_that_is_as_its_spec_asks_has_no_reason() -> None:
    (row,) = answers.fleet([tenant("well")], NOW)["tenants"]
    assert (row["health"], row["why"]) == ("ok", None)


def test_what_is_kept_of_a_tenant_says_the_same_as_all_of_it() -> None:
    whole = tenant("unseen") | {"status": {}}
    for each in (tenant("well"), tenant("ill", ready=False, message="no"), whole):
        kept = watching.tenant(each)
        assert listing.tenant(kept, NOW) == listing.tenant(each, NOW)
        assert explain.tenant(kept, (), NOW) == explain.tenant(each, (), NOW)
        assert listing.placements([kept]) == listing.placements([each])
    assert "certificates" not in watching.tenant(tenant("well"))["status"]


def test_what_leads_to_a_store_is_not_kept() -> None:
    assert "192.0.2.1" not in str(watching.store(store("one", 0, 0)))


def test_how_a_tenant_in_a_store_does_is_told_of_those_that_may_be_seen() -> None:
    found = drawn(store("one", GIB, 2 * GIB, "team/well", "other/secret"), tenants=(tenant("well"),))
    assert found["one"]["residents"] == [
        {"name": "team/well", "state": "Ready", "health": "ok"},
        {"name": "other/secret", "state": None, "health": None},
    ]
    assert "usedBy" not in found["one"]


@pytest.mark.parametrize(
    ("in_use", "limit", "ready", "full", "health"),
    [
        (1, 4, True, 0.25, "ok"),
        (3, 4, True, 0.75, "waiting"),
        (9, 10, True, 0.9, "bad"),
        (1, 4, False, 0.25, "bad"),
        (1, 0, True, None, "ok"),
    ],
)
def test_a_store_is_drawn_as_full_as_it_is(
    in_use: int, limit: int, ready: bool, full: float | None, health: str
) -> None:
    found = drawn(store("one", in_use * GIB, limit * GIB, ready=ready))["one"]
    assert (found["full"], found["health"]) == (full, health)


def test_stores_stand_in_their_pools_and_those_of_none_come_last() -> None:
    pool = meta.new(kinds.DATA_STORE_POOL, "zoo", spec={}) | {"status": {"ready": True, "waiting": 2}}
    found = answers.stores(
        [store("alone", 0, 1), store("one", 0, 1, pool="zoo"), store("two", 0, 1, pool="gone")], [pool], []
    )
    assert [(each["name"], each["stores"]) for each in found["pools"]] == [
        ("gone", ["two"]),
        ("zoo", ["one"]),
        ("", ["alone"]),
    ]
    assert found["pools"][1]["waiting"] == 2


def test_objects_of_a_tenant_come_with_their_health_and_kinds_that_are_hidden_are_named() -> None:
    pod = meta.new(kinds.POD, "well-0", "team") | {"spec": {}, "status": {"phase": "Pending"}}
    found = answers.tenant(tenant("well"), [pod], ["Service", "ConfigMap"], NOW)
    assert found["hidden"] == ["ConfigMap", "Service"]
    (branch,) = found["objects"]
    assert branch["objects"] == [{"kind": "Pod", "name": "team/well-0", "health": "waiting", "words": "pending"}]
    assert found["placed"] == "its spec.dataStore says so"
    assert found["conditions"][0]["since"] == "20m"
