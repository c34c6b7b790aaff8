"""What a move sees of pods and stores, and what its condition says of each step."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from provider.api import kinds, names
from provider.api.tenantcontrolplane import TenantControlPlane
from provider.api.verdict import Invalid, NotReady, Verdict
from provider.hosting import migration
from provider.hosting.migration import Phase, fitness, sight
from provider.hosting.reconcile.mint import RandomMint
from provider.hosting.status import migration as status
from provider.hosting.status import phase, relevance
from provider.hosting.view import ETCD, NATS, Move, Override, Seen, Store, View
from provider.manifest import Manifest, meta, x509
from provider.manifest.condition import Condition
from provider.settings import Settings

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SPEC = {"kubernetes": {"version": "v1.36.3", "kubelet": {}}, "controlPlane": {"service": {"serviceType": "ClusterIP"}}}
HOME = Store(name="a", driver=ETCD, endpoints=("a-0:2379", "a-1:2379"), ready=True)


def servers(*endpoints: str) -> Manifest:
    said = ",".join(f"https://{each}" for each in endpoints)
    return {"containers": [{"name": "kube-apiserver", "args": ["--v=1", f"--etcd-servers={said}"]}]}


OURS, THEIRS = servers("a-1:2379", "a-0:2379"), servers("b-0:2379")


def pod(name: str, spec: Manifest, *, ready: bool = True, ended: timedelta | None = None) -> Manifest:
    said = {"conditions": [{"type": "Ready", "status": str(ready)}]}
    found = meta.new(kinds.POD, name, "ns", spec=spec, status=said)
    if ended is not None:
        found["metadata"]["deletionTimestamp"] = (NOW - ended).isoformat()
    return found


def deployment(spec: Manifest, **status: int) -> Manifest:
    wanted = {"replicas": status.pop("wanted", 1), "template": {"spec": spec}}
    found = meta.new(kinds.DEPLOYMENT, "t", "ns", spec=wanted, status={"observedGeneration": 2, **status})
    found["metadata"]["generation"] = 2
    return found


def view(*objects: Manifest, move: Move | None = None, held_up: Verdict | None = None, **given: Any) -> View:
    manifest = meta.new(kinds.TENANT_CONTROL_PLANE, "t", "ns", spec=SPEC | given)
    manifest["metadata"] |= {"uid": "u", "finalizers": [names.FINALIZER_OVERRIDE + "b"]}
    manifest["status"] = {"storage": {"dataStoreName": "a"}}
    return View(
        tcp=TenantControlPlane.parse(manifest),
        raw=manifest,
        seen=Seen().with_objects(*objects),
        store=HOME,
        keyspace=None,
        tenant=None,
        settings=Settings(),
        now=NOW,
        mint=RandomMint(),
        move=move,
        held_up=held_up,
    )


def at(step: Phase, **given: Any) -> Move:
    return Move(phase=step, source="a", target="b", began="x", since=NOW, **given)


def test_who_uses_another_store_is_a_stranger_until_he_is_gone_or_his_node_is() -> None:
    assert sight.strangers(view(deployment(OURS), pod("t-1", OURS))) == []
    assert sight.strangers(view(deployment(OURS), pod("t-1", THEIRS, ready=False))) == ["t-1"]
    assert sight.strangers(view(deployment(THEIRS))) == ["Deployment t"]
    assert sight.strangers(view(deployment(OURS), pod("t-1", THEIRS, ended=timedelta(seconds=5)))) == ["t-1"]
    assert sight.strangers(view(deployment(OURS), pod("t-1", THEIRS, ended=timedelta(seconds=61)))) == []


def test_an_ending_pod_whose_api_server_has_ended_shows_nobody_anything_and_one_that_may_restart_does() -> None:
    def told(ended: timedelta | None, **containers: str) -> list[str]:
        found = pod("t-1", THEIRS, ready=False, ended=ended)
        found["status"]["containerStatuses"] = [
            {"name": name.replace("_", "-"), "state": {state: {"exitCode": 0}}} for name, state in containers.items()
        ]
        return sight.strangers(view(deployment(OURS), found))

    just = timedelta(seconds=1)
    assert told(just, kube_apiserver="terminated", kube_scheduler="running") == []
    assert told(just, kube_apiserver="running", kube_scheduler="terminated") == ["t-1"]
    assert told(None, kube_apiserver="terminated") == ["t-1"], "the kubelet starts it again"


def test_who_is_told_to_end_and_runs_is_asked_whether_he_has_hung_up_and_then_shows_nobody_anything() -> None:
    def there(name: str, spec: Manifest, *, ended: timedelta | None = None, state: str = "running") -> Manifest:
        found = pod(name, spec, ended=ended)
        statuses = [{"name": "kube-apiserver", "state": {state: {}}}]
        found["status"] |= {"podIP": f"10.0.0.{name[-1]}", "containerStatuses": statuses}
        return found

    just = timedelta(seconds=1)
    seen = view(
        deployment(OURS),
        there("t-1", OURS, ended=just),
        there("t-2", THEIRS),
        there("t-3", THEIRS, ended=just),
        there("t-4", THEIRS, ended=just, state="waiting"),
    )
    assert sight.leaving(seen) == {"t-3": "10.0.0.3"}
    assert sight.strangers(seen, {"t-3"}) == ["t-2", "t-4"]


def test_only_a_ready_pod_of_the_home_serves() -> None:
    assert sight.served(view(pod("t-1", OURS)))
    assert not sight.served(view(pod("t-1", OURS, ready=False), pod("t-2", THEIRS)))


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1}, True),
        ({"replicas": 2, "updatedReplicas": 1, "readyReplicas": 2}, False),
        ({"replicas": 1, "updatedReplicas": 1}, False),
        ({"wanted": 0}, True),
        ({"wanted": 0, "replicas": 1}, False),
        ({"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "observedGeneration": 1}, False),
    ],
)
def test_pods_are_rolled_out_when_all_are_new_and_ready_also_where_there_shall_be_none(
    counts: dict[str, int], expected: bool
) -> None:
    assert sight.rolled_out(view(deployment(OURS, **counts))) is expected


def test_what_is_wanted_is_what_the_spec_says_and_else_what_the_tenant_has() -> None:
    assert sight.wanted(view()) == "a"
    assert sight.wanted(view(dataStore="c")) == "c"


@pytest.mark.parametrize("step", Phase)
def test_a_record_is_read_as_it_was_written(step: Phase) -> None:
    for move in (at(step), at(step, reason="Withdrawn", message="why")):
        assert migration.recorded({"migration": migration.record(move)}) == move
    assert migration.recorded({}) is None


def test_of_a_store_that_was_left_something_is_kept_for_a_while_and_of_the_home_always() -> None:
    later = NOW + migration.KEPT
    assert migration.kept(None, "a", NOW) == frozenset()
    assert migration.kept(at(Phase.MOVED), "b", NOW) == {"a", "b"}
    assert migration.kept(at(Phase.MOVED), "b", later) == {"b"}
    assert migration.kept(at(Phase.MOVED), "c", NOW) == {"b"}, "who goes on is not waited for"
    assert migration.kept(at(Phase.FAILED), "b", NOW) == {"a"}
    for step in migration.UNDER_WAY:
        assert migration.kept(at(step), "a", later) == {"a", "b"}


@pytest.mark.parametrize("step", Phase)
def test_every_step_says_where_it_is_and_whether_waiting_helps(step: Phase) -> None:
    seen = view(move=at(step, reason="PodsNotServing", message="no pod served from b"))
    told = status.condition(seen)
    assert told is not None
    assert "DataStore a" in told.message or "DataStore b" in told.message
    assert "{" not in told.message
    assert (told.status == "True") is (step == Phase.MOVED)
    worth = {Phase.MOVED: None, Phase.FAILED: "Stalled"}.get(step, "Reconciling")
    assert status.worth(seen) == worth
    word = "Migrating" if worth == "Reconciling" else "Ready"
    assert phase.worded(seen, {"version": "v1", "status": "Ready"})["status"] == word
    assert phase.worded(seen, {"version": "v1", "status": "Upgrading"})["status"] == "Upgrading"


def test_a_move_that_does_not_begin_says_why_and_stalls_only_where_the_user_has_to_act() -> None:
    assert status.condition(view()) is None
    waits, refused = view(held_up=NotReady("NotYet", "soon")), view(held_up=Invalid("Never", "no"))
    for seen, worth, reason in ((waits, None, "NotYet"), (refused, "Stalled", "Never")):
        told = status.condition(seen)
        assert told is not None
        assert (told.status, told.reason) == ("False", reason)
        assert status.worth(seen) == worth


def test_a_store_that_is_kept_is_not_said_to_be_released() -> None:
    released = Condition(type="StorageReleased", status="True", reason="StorageReleased")
    assert relevance.told(view(), released)
    assert not relevance.told(view(move=at(Phase.COPYING)), released)
    assert relevance.told(view(move=at(Phase.FAILED)), released)
    assert not relevance.told(replace(view(move=at(Phase.MOVED)), now=NOW), released)


AUTHORITY = x509.authority("tests", RandomMint(), NOW)
THERE = Store(name="b", driver=ETCD, endpoints=("b-0:2379",), ready=True, client_ca=AUTHORITY)
EVENTS = Override(resource="/events", data_store="c", store=None)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"other": None}, "DataStoreNotFound"),
        ({"other": replace(THERE, driver=NATS)}, "DriverCannotMove"),
        ({"other": replace(THERE, name="b" * 64)}, "NameTooLong"),
        ({"overrides": (EVENTS,)}, "OverridesStay"),
        ({"other": replace(THERE, ready=False)}, "DataStoreNotReady"),
        ({"other": replace(THERE, client_ca=None)}, "DataStoreUnusable"),
        ({"now": NOW + timedelta(days=9999)}, "DataStoreUnusable"),
    ],
)
def test_a_store_to_which_a_tenant_cannot_go_is_told_with_what_to_do(given: dict[str, Any], reason: str) -> None:
    fit = replace(view(dataStore="b"), other=THERE)
    assert fitness.checked(fit, HOME) == THERE
    with pytest.raises(Verdict, match="DataStore") as verdict:
        fitness.checked(replace(fit, **given), HOME)
    assert verdict.value.reason == reason


def overriding(spec: str, *, main: str = "a") -> View:
    """Events and ConfigMaps lie in c, and the spec wants them in another store."""
    there = Store(name="c", driver=ETCD, endpoints=("c-0:2379",), ready=True)
    said = [{"resource": each, "dataStore": spec} for each in ("/events", "/configmaps")]
    placed = tuple(Override(resource=each["resource"], data_store="c", store=there) for each in said)
    return replace(view(dataStore=main, dataStoreOverrides=said), overrides=placed, other=replace(THERE, name=spec))


def test_overrides_that_the_spec_wants_elsewhere_go_together_to_where_nothing_of_the_tenant_is() -> None:
    assert sight.changed(overriding("c")) is None
    seen = overriding("d")
    change = sight.changed(seen)
    assert change == sight.Change(source="c", target="d", resources=("/events", "/configmaps"))
    assert fitness.checked_override(seen, change).name == "d"
    for wrong, reason in (
        (replace(seen, other=None), "DataStoreNotFound"),
        (replace(seen, store=replace(HOME, name="d")), "OverridesStay"),
    ):
        with pytest.raises(Verdict) as verdict:
            fitness.checked_override(wrong, change)
        assert verdict.value.reason == reason
    apart = [{"resource": "/events", "dataStore": "d"}, {"resource": "/configmaps", "dataStore": "c"}]
    alone = replace(view(dataStoreOverrides=apart), overrides=seen.overrides, other=seen.other)
    with pytest.raises(Invalid, match="only move together"):
        fitness.checked_override(alone, change)


def test_of_overrides_that_move_a_pod_is_a_stranger_by_their_store_alone() -> None:
    def served(*endpoints: str) -> Manifest:
        said = ";".join(f"https://{each}" for each in endpoints)
        main = OURS["containers"][0]
        return {"containers": [{**main, "args": [*main["args"], f"--etcd-servers-overrides=/events#{said}"]}]}

    move = replace(at(Phase.SWITCHING), source="d", target="c", resources=("/events", "/configmaps"))
    moving = sight.moved(replace(overriding("c"), move=move))
    assert moving.store is not None
    assert moving.store.name == "c"
    assert not sight.strange(moving, served("c-0:2379"))
    assert sight.strange(moving, served("d-0:2379"))
    assert sight.wanted(moving) == "c"
    assert migration.frozen(move)
    assert not migration.all_frozen(move), "the main store is written all the time"
    assert migration.recorded({"migration": migration.record(move)}) == move
