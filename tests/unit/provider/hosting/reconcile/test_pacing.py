"""Starts are paced: those begun finish, the others wait their turn in order, and a broken one blocks nobody."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provider.hosting.reconcile.pacing import AT_ONCE, FORGOTTEN, LET_IN, PATIENCE, Key, Starts, Turns


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def starts(limit: int = 2) -> tuple[Starts, Clock, list[Key]]:
    clock, woken = Clock(), []
    return Starts(limit=limit, monotonic=clock, wake=woken.append), clock, woken


A, B, C, D = (("ns", name) for name in "abcd")


def test_no_more_start_at_once_than_the_limit() -> None:
    paced, _, _ = starts()
    assert [paced.admit(each) for each in (A, B, C)] == [True, True, False]


def test_one_that_starts_stays_admitted() -> None:
    paced, _, _ = starts(1)
    assert paced.admit(A)
    assert paced.admit(A)


def test_when_one_serves_who_waits_longest_is_woken_and_admitted() -> None:
    paced, _, woken = starts(1)
    for each in (A, B, C):
        paced.admit(each)
    paced.done(A)
    assert woken == [B]
    assert not paced.admit(C), "C may not overtake B"
    assert paced.admit(B)


def test_one_that_never_serves_loses_its_place_after_a_while() -> None:
    paced, clock, _ = starts(1)
    paced.admit(A)
    assert not paced.admit(B)
    clock.now = PATIENCE + 1
    assert paced.admit(B)


def test_a_deleted_one_leaves_the_queue() -> None:
    paced, _, _ = starts(1)
    for each in (A, B, C):
        paced.admit(each)
    paced.done(B)
    paced.done(A)
    assert paced.admit(C)


def test_after_a_restart_what_is_seen_starting_holds_a_place() -> None:
    paced, _, _ = starts(1)
    paced.running(A)
    assert not paced.admit(D)


def test_a_restart_admits_no_more_than_the_limit_beside_what_is_seen_starting() -> None:
    paced, _, woken = starts(2)
    paced.running(A)
    assert paced.admit(B)
    assert not paced.admit(C)
    paced.done(A)
    assert woken == [C]


def test_one_seen_starting_again_and_again_does_not_renew_its_place() -> None:
    paced, clock, _ = starts(1)
    paced.running(A)
    clock.now = PATIENCE + 1
    paced.running(A)
    assert paced.admit(B)


def test_one_that_was_not_starting_wakes_nobody_when_it_serves() -> None:
    paced, _, woken = starts(1)
    paced.admit(A)
    paced.admit(B)
    paced.done(D)
    assert woken == []


def test_as_many_are_woken_as_there_are_places() -> None:
    paced, clock, woken = starts(2)
    paced.admit(A)
    paced.admit(B)
    assert not paced.admit(C)
    assert not paced.admit(D)
    clock.now = PATIENCE + 1
    assert paced.admit(C), "both broken ones have lost their places"
    paced.done(C)
    assert woken == [D]


def test_who_waits_knows_how_many_are_before_it() -> None:
    paced, _, _ = starts(1)
    for each in (A, B, C):
        paced.admit(each)
    assert [paced.ahead(each) for each in (A, B, C, D)] == [0, 0, 1, 0]


@given(st.lists(st.tuples(st.sampled_from(["admit", "done"]), st.sampled_from([A, B, C, D])), max_size=30))
def test_whatever_happens_no_more_are_admitted_than_the_limit(events: list[tuple[str, Key]]) -> None:
    paced, _, _ = starts(2)
    admitted: set[Key] = set()
    for event, key in events:
        if event == "admit" and paced.admit(key):
            admitted.add(key)
        if event == "done":
            paced.done(key)
            admitted.discard(key)
    assert len(admitted) <= 2


def test_who_come_by_themselves_are_let_in_at_once_and_a_crowd_one_after_the_other() -> None:
    clock = Clock()
    turns = Turns(monotonic=clock)
    clock.now = 100.0
    waits = [turns.wait("etcd", f"t{number}") for number in range(AT_ONCE + 4)]
    assert waits[:AT_ONCE] == [0.0] * AT_ONCE
    assert [round(each, 3) for each in waits[AT_ONCE:]] == [round(number * LET_IN, 3) for number in range(4)]
    assert turns.wait("other", "t0") == 0.0, "each store has its own turns"
    clock.now += 60
    assert turns.wait("etcd", "late") == 0.0


def test_a_turn_that_was_given_stays_and_is_taken_once() -> None:
    clock = Clock()
    turns = Turns(monotonic=clock)
    clock.now = 100.0
    waits = {name: turns.wait("etcd", name) for name in map(str, range(AT_ONCE + 3))}
    last = max(waits, key=lambda each: waits[each])
    assert turns.wait("etcd", last) == waits[last]
    clock.now += waits[last]
    assert turns.wait("etcd", last) == 0.0


def test_a_turn_that_nobody_took_is_forgotten() -> None:
    clock = Clock()
    turns = Turns(monotonic=clock)
    clock.now = 100.0
    for number in range(AT_ONCE + 3):
        turns.wait("etcd", str(number))
    clock.now += FORGOTTEN + 10
    turns.wait("etcd", "another")
    assert turns._given == {}
