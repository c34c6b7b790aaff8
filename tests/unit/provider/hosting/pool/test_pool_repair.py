"""What is done about members: one step at a time, never at the price of the quorum, and nobody begins with nothing twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.api import kinds
from provider.hosting.desired.pool import configuration, repair, roster, volume
from provider.hosting.storeview import Member, PoolView
from provider.manifest import meta
from tests.unit.provider.hosting.pool.pool_views import NOW, applied, node, pool_view

NAMES = tuple(f"default-etcd-{number}" for number in range(5))


def member(number: int, **also: Any) -> Member:
    return Member(**({"id": number + 1, "name": NAMES[number], "started": True, "answers": True} | also))


def claim(name: str, uid: str = "") -> dict[str, Any]:
    made = meta.new(kinds.PERSISTENT_VOLUME_CLAIM, f"data-{name}", "kamaji-system", status={"phase": "Bound"})
    made["metadata"]["uid"] = uid or f"volume-of-{name}"
    return made


def pod(name: str, *, ready: bool = True, minutes: float = 0, revision: str = "now") -> dict[str, Any]:
    since = (NOW - timedelta(minutes=minutes)).isoformat()
    condition = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": since}
    made = meta.new(kinds.POD, name, "kamaji-system", status={"conditions": [condition]})
    made["metadata"] |= {"labels": {"controller-revision-hash": revision}, "uid": f"pod-{name}"}
    return made


def serving(members: int = 3, **also: Any) -> PoolView:
    """A store all of whose members were seen on their volumes."""
    begun = applied(pool_view({"members": members}))
    live = begun.seen.get(kinds.STATEFUL_SET, "default-etcd", "kamaji-system")
    assert live is not None
    live = {**live, "metadata": {**live["metadata"], "generation": 1}}
    live |= {"status": {"updateRevision": "now", "observedGeneration": 1}}
    objects = [each for name in NAMES[:members] for each in (claim(name), pod(name))]
    everybody = tuple(member(number, leader=number == 0) for number in range(members))
    view = replace(begun.folded(live, *objects), membership=everybody)
    return replace(view.folded(*configuration.build(view)), **also)


def told(view: PoolView, *members: Member) -> PoolView:
    """The next look at it, after what the one before has recorded."""
    view = replace(view, membership=members)
    return view.folded(*configuration.build(view))


def what(view: PoolView) -> tuple[str, str] | None:
    step = repair.step(view)
    return (step.kind, step.member) if step else None


def begins_with_nothing(view: PoolView, name: str) -> bool:
    """Whether etcd would take an empty volume of this member: etcd's own rules (server/etcdserver/bootstrap.go)."""
    said = configuration.of_member(view, roster.of(view), name)
    return said["initial-cluster-state"] == "new" or said["initial-cluster"].count("=") > 1


def test_when_all_is_well_then_nothing_is_done_and_nobody_may_begin_with_nothing() -> None:
    view = serving()
    assert repair.step(view) is None
    assert not any(begins_with_nothing(view, each) for each in NAMES[:3])


def test_founders_begin_together_and_one_that_was_not_seen_yet_still_may() -> None:
    view = applied(pool_view({"members": 3}))
    assert all(begins_with_nothing(view, each) for each in NAMES[:3])
    view = told(view.folded(*map(claim, NAMES[:3])), member(0), member(1), member(2, started=False, answers=False))
    assert [begins_with_nothing(view, each) for each in NAMES[:3]] == [False, False, True]
    assert configuration.of_member(view, roster.of(view), NAMES[2])["initial-cluster"].count("https://") == 3


def test_when_etcd_does_not_tell_then_what_was_recorded_stays() -> None:
    view = serving()
    silent = replace(view, membership=None)
    assert roster.of(silent) == roster.of(view)


def test_a_store_whose_record_somebody_deleted_does_not_begin_anew() -> None:
    view = replace(serving(), membership=None)
    objects = {key: each for key, each in view.seen.objects.items() if each["kind"] != "ConfigMap"}
    lost = replace(view, seen=type(view.seen)(objects))
    assert not any(begins_with_nothing(lost, each) for each in NAMES[:3])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (claim(NAMES[1], uid="another"), "its PersistentVolumeClaim is another one than it had"),
        (claim(NAMES[1]) | {"status": {"phase": "Lost"}}, "its volume is gone"),
        (pod(NAMES[1], ready=False, minutes=11), "its pod has not been ready for more than 10 minutes"),
    ],
)
def test_a_member_that_will_not_come_back_is_replaced_and_the_step_says_why(change: dict[str, Any], why: str) -> None:
    view = serving().folded(change)
    step = repair.step(told(view, member(0), member(1, answers=False), member(2)))
    assert step == repair.Step(kind="replace", member=NAMES[1], id=2, why=f"{NAMES[1]} is replaced: {why}")


@pytest.mark.parametrize("next_one", [False, True], ids=["its pod ends", "the next pod is there"])
def test_one_that_answers_while_its_pod_ends_is_not_held_to_run_on_the_next_ones_volume(next_one: bool) -> None:
    ends = pod(NAMES[1], ready=not next_one)
    if not next_one:
        ends["metadata"]["deletionTimestamp"] = NOW.isoformat()
    view = told(serving().folded(ends, claim(NAMES[1], uid="another")), *map(member, range(3)))
    assert repair.step(told(view, member(0), member(1, answers=False), member(2))) == repair.Step(
        kind="replace",
        member=NAMES[1],
        id=2,
        why=f"{NAMES[1]} is replaced: its PersistentVolumeClaim is another one than it had",
    )


def test_a_member_that_may_come_back_is_waited_for() -> None:
    view = serving().folded(pod(NAMES[1], ready=False, minutes=9))
    assert what(told(view, member(0), member(1, answers=False), member(2))) is None


def test_the_only_member_is_never_taken_out() -> None:
    view = serving(1).folded(claim(NAMES[0], uid="another"))
    assert what(told(view, member(0, answers=False))) is None


def test_one_that_is_let_in_anew_gets_an_empty_volume_its_old_one_goes_and_then_it_may_begin_with_nothing() -> None:
    view = serving()
    view = told(view, member(0), member(1, id=22, started=False, answers=False, learner=True), member(2))
    assert begins_with_nothing(view, NAMES[1])
    assert {each["kind"] for each in repair.clearance(view)} == {"PersistentVolumeClaim", "Pod"}
    assert what(view) is None
    fresh = view.folded(claim(NAMES[1], uid="fresh"), pod(NAMES[1]))
    again = told(fresh, member(0), member(1, id=22, learner=True), member(2))
    assert repair.clearance(again) == ()
    assert what(again) == ("promote", NAMES[1])
    assert not begins_with_nothing(again, NAMES[1])


def test_data_on_nodes_of_a_member_that_was_given_up_is_not_taken_up_again() -> None:
    view = applied(pool_view({"members": 3}, classes=(), nodes=(node("a"), node("b"), node("c"), node("d"))))
    hosts = {volume.host_of(view, each) for each in NAMES[:3]}
    assert len(hosts) == 3, "one member a node"
    view = view.folded(*map(claim, NAMES[:3]))
    before = volume.host_path(view, NAMES[1])
    view = replace(view, membership=(member(0), member(1, id=9, started=False, answers=False, learner=True), member(2)))
    dead = (node("a"), node("b", ready=False), node("c"), node("d"))
    view = view.folded(*volume.build(replace(view, nodes=dead)))
    assert volume.host_path(view, NAMES[1]) == f"{before}-again-1"
    assert volume.host_of(view, NAMES[1]) == "d.example"


def test_a_second_try_of_the_same_member_gets_an_empty_volume_as_well() -> None:
    first = told(serving(), member(0), member(1, id=22, started=False, answers=False, learner=True), member(2))
    fresh = first.folded(claim(NAMES[1], uid="fresh"))
    second = told(fresh, member(0), member(1, id=33, started=False, answers=False, learner=True), member(2))
    assert roster.of(second).generations == {NAMES[1]: 2}
    assert roster.of(second).retired == {NAMES[1]: "fresh"}


@pytest.mark.parametrize("left", ["a claim that waits for a volume", "no claim"])
def test_what_has_no_volume_is_kept_and_gets_one_that_was_never_used(left: str) -> None:
    view = serving()
    objects = {key: each for key, each in view.seen.objects.items() if key[2] != f"data-{NAMES[1]}"}
    gone = replace(view, seen=type(view.seen)(objects))
    if left != "no claim":
        gone = gone.folded(claim(NAMES[1], uid="pending") | {"status": {"phase": "Pending"}})
    assert what(told(gone, member(0), member(1, answers=False), member(2))) == ("replace", NAMES[1])
    again = told(gone, member(0), member(1, id=22, started=False, answers=False, learner=True), member(2))
    assert repair.clearance(again) == ()
    assert roster.of(again).generations == {NAMES[1]: 1}
    assert begins_with_nothing(again, NAMES[1])


def test_growing_lets_in_one_at_a_time_and_its_pod_comes_with_it() -> None:
    view = replace(serving(1), pool=pool_view({"members": 3}).pool)
    assert what(view) == ("add", NAMES[1])
    assert roster.of(view).replicas == 1
    view = told(view, member(0), member(1, started=False, answers=False, learner=True))
    assert roster.of(view).replicas == 2
    assert what(view) is None
    view = told(view.folded(claim(NAMES[1])), member(0), member(1, learner=True))
    assert what(view) == ("promote", NAMES[1])
    assert what(told(view, member(0), member(1))) == ("add", NAMES[2])


def test_while_one_is_down_no_other_is_started_again_and_the_leader_comes_last() -> None:
    old = serving().folded(*(pod(each, revision="before") for each in NAMES[:3]))
    everybody = (member(0), member(1), member(2, leader=True))
    assert what(told(old, *everybody)) == ("restart", NAMES[1])
    half = old.folded(pod(NAMES[1]))
    assert what(told(half, *everybody)) == ("restart", NAMES[0])
    assert what(told(half, member(0), member(1, answers=False), member(2, leader=True))) is None
    assert what(told(half.folded(pod(NAMES[0])), *everybody)) == ("restart", NAMES[2])


@pytest.mark.parametrize("change", [{"deletionTimestamp": "2026-11-24T00:00:00Z"}, None])
def test_while_a_pod_is_ending_or_not_there_yet_no_other_is_started_again(change: dict[str, str] | None) -> None:
    old = serving().folded(*(pod(each, revision="before") for each in NAMES[:3]))
    ending = pod(NAMES[1])
    ending["metadata"] |= change or {}
    objects = {key: each for key, each in old.seen.objects.items() if key != ("Pod", "kamaji-system", NAMES[1])}
    found = replace(old, seen=type(old.seen)(objects))
    everybody = (member(0), member(1), member(2, leader=True))
    assert what(told(found.folded(ending) if change else found, *everybody)) is None


def test_one_that_is_down_and_runs_what_is_no_longer_asked_for_starts_again_quorum_or_not() -> None:
    broken = serving(1).folded(pod(NAMES[0], ready=False, minutes=1, revision="before"))
    assert what(replace(broken, membership=None)) == ("restart", NAMES[0])
    assert what(told(broken, member(0, answers=False))) == ("restart", NAMES[0])


def test_a_member_that_somebody_let_in_by_hand_stops_all_steps() -> None:
    view = serving().folded(claim(NAMES[1], uid="another"))
    stranger = Member(id=9, name="theirs", started=True, answers=True)
    assert what(told(view, member(0), member(1, answers=False), member(2), stranger)) is None


@given(
    answers=st.lists(st.booleans(), min_size=3, max_size=5).filter(lambda each: len(each) != 4),
    lost=st.lists(st.booleans(), min_size=5, max_size=5),
    learner=st.none() | st.integers(0, 4),
)
def test_whoever_is_lost_the_quorum_that_serves_outlives_every_step(
    answers: list[bool], lost: list[bool], learner: int | None
) -> None:
    size = len(answers)
    view = serving(size)
    gone = [claim(NAMES[number], uid="another") for number in range(size) if lost[number] and not answers[number]]
    members = [member(number, answers=each, learner=number == learner) for number, each in enumerate(answers)]
    step = repair.step(told(view.folded(*gone), *members))
    voters = [each for each in members if not each.learner]
    answering = [each for each in voters if each.answers]
    if step is None:
        return
    if step.kind == "replace":
        left = [each for each in voters if each.name != step.member]
        assert len(answering) > len(voters) // 2
        assert not next(each for each in members if each.name == step.member).answers
        assert len([each for each in left if each.answers]) > len(left) // 2
    if step.kind in ("add", "restart"):
        assert all(answers)
        assert learner is None or learner >= size
