"""A pool says which of its steps is missing, and that data on one node's disk is not durable."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from provider.api import kinds
from provider.api.verdict import NotReady
from provider.hosting.desired.pool import acceptance, snapshot, store
from provider.hosting.sharding.room import Room
from provider.hosting.status import pool as status
from provider.hosting.status import poolstore
from provider.hosting.status.poolstore import Outcome
from provider.hosting.storeview import Member, PoolView, Trial
from provider.manifest import Manifest, meta
from tests.unit.provider.hosting.pool.pool_views import applied, node, pool_view

OPEN = Trial(ready=True, reason="AuthEnabled", message="auth is on")


def with_status(view: PoolView, manifest: Manifest | None, **found: Any) -> PoolView:
    assert manifest is not None
    return view.folded({**manifest, "status": found})


def bound(view: PoolView, phase: str = "Bound") -> PoolView:
    claim = meta.new(kinds.PERSISTENT_VOLUME_CLAIM, "data-default-etcd-0", view.namespace)
    return with_status(view, claim, phase=phase)


def serving(view: PoolView) -> PoolView:
    members = view.seen.get(kinds.STATEFUL_SET, "default-etcd", view.namespace)
    return with_status(bound(view), members, readyReplicas=1)


def offered(view: PoolView, **found: Any) -> PoolView:
    (made,) = store.build(view)
    return with_status(view, made, **found)


def of(view: PoolView, outcome: Outcome) -> dict[str, Any]:
    """The status of a pool of one store, which is offered once its DataStore exists."""
    made = view.seen.get(kinds.DATA_STORE, "default")
    rooms = [Room(name="default", made=True)] if made and acceptance.offers(view, made) else []
    return status.of(view, [(view, outcome)], rooms, {}, 0)


def conditions(view: PoolView, outcome: Outcome) -> dict[str, tuple[str, str]]:
    found = of(view, outcome)["conditions"]
    return {each["type"]: (each["status"], each["reason"]) for each in found}


def message(view: PoolView, outcome: Outcome, kind: str) -> str:
    return next(str(each["message"]) for each in of(view, outcome)["conditions"] if each["type"] == kind)


def test_while_the_volume_is_pending_nothing_else_is_blamed() -> None:
    found = conditions(bound(applied(pool_view()), "Pending"), Outcome())
    assert found["StorageReady"] == found["Ready"] == ("False", "VolumePending")


def test_while_pods_start_the_pool_waits_for_them() -> None:
    found = conditions(bound(applied(pool_view())), Outcome())
    assert found["MembersReady"] == found["Ready"] == ("False", "MembersStarting")
    assert found["AuthEnabled"] == ("Unknown", "WaitingForMembers")


def test_an_image_that_cannot_be_pulled_is_named() -> None:
    waiting = {"name": "etcd", "image": "quay.io/coreos/etcd:v3.6.16", "state": {"waiting": {"reason": "ErrImagePull"}}}
    pod = {**meta.new(kinds.POD, "default-etcd-0", "kamaji-system"), "status": {"containerStatuses": [waiting]}}
    view = bound(applied(pool_view())).folded(pod)
    assert conditions(view, Outcome())["Ready"] == ("False", "ImageUnavailable")
    assert "quay.io/coreos/etcd:v3.6.16" in message(view, Outcome(), "Ready")


def test_when_etcd_refuses_us_then_the_pool_is_not_ready_and_says_why() -> None:
    refused = Trial(ready=False, reason="Untrusted", message="certificate of another authority")
    found = conditions(serving(applied(pool_view())), Outcome(trial=refused))
    assert found["AuthEnabled"] == found["Ready"] == ("False", "Untrusted")


def test_when_auth_is_on_then_the_datastores_own_verdict_decides() -> None:
    view = serving(applied(pool_view()))
    assert conditions(view, Outcome(trial=OPEN))["Ready"] == ("False", "DataStoreNotReady")
    view = offered(view, ready=True)
    assert conditions(view, Outcome(trial=OPEN))["Ready"] == ("True", "Ready")
    found = of(view, Outcome(trial=OPEN))
    assert (found["ready"], found["dataStoreNames"], found["observedGeneration"]) == (True, ["default"], 1)


def test_a_name_that_is_taken_offers_nothing() -> None:
    view = pool_view().folded(meta.new(kinds.DATA_STORE, "default", spec={}))
    found = of(view, Outcome(part="acceptance", declined=acceptance.refusal(view)))
    assert (found["ready"], found["dataStoreNames"]) == (False, [])
    assert next(each for each in found["conditions"] if each["type"] == "Ready")["reason"] == "NameTaken"


def test_when_no_node_can_hold_the_data_then_storage_is_what_lacks() -> None:
    found = conditions(pool_view(classes=()), Outcome(part="volume", declined=NotReady("NoNode", "add a node")))
    assert found["StorageReady"] == found["Ready"] == ("False", "NoNode")
    assert found["Accepted"] == ("True", "Accepted")


def test_data_on_one_node_is_a_standing_warning_and_no_hindrance() -> None:
    view = offered(serving(applied(pool_view(classes=(), nodes=(node("one"),)))), ready=True)
    found = conditions(view, Outcome(trial=OPEN))
    assert found["Durable"] == ("False", "NodeLocalStorage")
    assert found["Ready"] == ("True", "Ready")
    assert "one.example" in message(view, Outcome(trial=OPEN), "Durable")


def test_data_on_a_class_of_volumes_is_durable() -> None:
    assert conditions(applied(pool_view()), Outcome())["Durable"] == ("True", "StorageClass")


def test_saying_the_same_again_changes_nothing() -> None:
    view = serving(applied(pool_view()))
    first = of(view, Outcome(trial=OPEN))
    again = pool_view()
    later = replace(view, raw={**view.raw, "status": first}, now=again.now.replace(year=2027))
    assert of(later, Outcome(trial=OPEN)) == first


def test_an_ending_pool_keeps_what_it_knew_and_says_who_holds_it() -> None:
    view = serving(applied(pool_view()))
    before = of(view, Outcome(trial=OPEN))
    view = replace(view, raw={**view.raw, "status": before})
    found = status.ending(view, "DataStoreStillUsed", "it holds the state of a/x")
    kinds_of = [each["type"] for each in found["conditions"]]
    assert sorted(kinds_of) == sorted(each["type"] for each in before["conditions"])
    assert found["conditions"][-1]["reason"] == "DataStoreStillUsed"


def with_members(view: PoolView, *versions: str) -> PoolView:
    """Members that run these versions; an empty one does not answer."""
    found = [
        Member(id=number + 1, name=f"default-etcd-{number}", started=True, answers=bool(version), version=version)
        for number, version in enumerate(versions)
    ]
    return replace(view, membership=tuple(found))


def updated(view: PoolView) -> tuple[str, str]:
    found = {each.type: each for each in poolstore.conditions(view, Outcome(trial=OPEN))}["Updated"]
    return found.reason, found.message


def test_an_upgrade_says_how_far_it_is_and_who_holds_it_up() -> None:
    view = serving(applied(pool_view({"members": 3, "version": "3.7.1"})))
    assert updated(with_members(view, "3.7.1", "3.7.1", "3.7.1")) == ("Updated", "etcd 3.7.1")
    assert updated(with_members(view, "3.6.16", "3.6.16", "3.7.1")) == (
        "Updating",
        "1 of 3 members run etcd 3.7.1, the others 3.6.16",
    )
    reason, message = updated(with_members(view, "3.6.16", "3.6.16", ""))
    assert reason == "UpdateStopped"
    assert "no other is updated until default-etcd-2 answers" in message


def test_before_the_snapshot_is_taken_no_member_becomes_another_version() -> None:
    before = serving(applied(pool_view({"members": 3})))
    asked = replace(before, pool=pool_view({"members": 3, "version": "3.7.1"}).pool)
    everybody = with_members(asked, "3.6.16", "3.6.16", "3.6.16")
    assert updated(everybody)[0] == "SnapshotImpossible"
    named = replace(everybody, image="provider:1")
    assert updated(named)[0] == "TakingSnapshot"
    (job,) = snapshot.build(named)
    assert updated(with_status(named, job, conditions=[{"type": "Failed", "status": "True"}]))[0] == "SnapshotFailed"
    assert snapshot.version(with_status(named, job)) == "3.6.16"
    assert snapshot.version(with_status(named, job, conditions=[{"type": "Complete", "status": "True"}])) == "3.7.1"
    assert list(snapshot.build(with_members(named, "3.6.16", "", "3.6.16"))) == []


def test_going_back_from_a_version_that_no_member_has_got_to_needs_no_snapshot_and_no_member_that_is_down() -> None:
    stuck = serving(applied(pool_view({"members": 3, "version": "3.7.1"})))
    back = replace(stuck, pool=pool_view({"members": 3, "version": "3.6.16"}).pool, image="provider:1")
    assert snapshot.version(with_members(back, "3.6.16", "3.6.16", "")) == "3.6.16"
    assert list(snapshot.build(with_members(back, "3.6.16", "3.6.16", ""))) == []


def test_the_job_says_no_secret_and_shares_the_members_volume_beside_it() -> None:
    before = serving(applied(pool_view({"members": 1})))
    asked = replace(before, pool=pool_view({"version": "3.7.1"}).pool, image="provider:1")
    (job,) = snapshot.build(with_members(asked, "3.6.16"))
    pod = job["spec"]["template"]["spec"]
    assert pod["containers"][0]["args"] == [
        "snapshot",
        "--endpoint=default-etcd-0.default-etcd-members.kamaji-system.svc:2379",
        "--credentials=/etc/etcd/root",
        "--output=/var/lib/etcd/snapshots/before-upgrade.db",
    ]
    assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": "data-default-etcd-0"}
    assert "x.kamaji.clastix.io/store" not in job["spec"]["template"]["metadata"]["labels"], (
        "no member's Service leads to it"
    )


def test_of_several_stores_the_first_that_lacks_something_is_named() -> None:
    view = serving(applied(pool_view()))
    other = applied(replace(pool_view(), store="default-2"))
    said = status.of(view, [(view, Outcome(trial=OPEN)), (other, Outcome())], [], {}, 3)
    found = {each["type"]: each for each in said["conditions"]}
    assert found["Accepted"]["status"] == "True"
    assert found["StorageReady"]["message"].startswith("store default-2: PersistentVolumeClaim")
    assert (said["waiting"], said["ready"]) == (3, False)
