"""A loop of rollouts is stopped after a few, told, and let go when the spec changes; what a user asks for is never held up."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from provider.api import names
from provider.hosting.parts import PARTS
from provider.hosting.reconcile import rollouts
from provider.hosting.reconcile.rollouts import LIMIT, Rollouts
from provider.hosting.status import rollouts as said
from provider.hosting.status import tenant as status
from provider.hosting.status import transitions
from provider.hosting.view import View
from provider.manifest import Manifest
from provider.manifest.condition import find
from tests.golden.world import NOW, tenant, view, walk

KEY = ("tenants", "demo")


def deployment(number: int, replicas: int = 1) -> Manifest:
    labels = {"component.kamaji.clastix.io/ca": str(number)}
    return {"spec": {"replicas": replicas, "template": {"metadata": {"labels": labels}, "spec": {}}}}


def seen(now: datetime, generation: int = 1, **annotations: str) -> View:
    said = {f"{names.EXTENSION_GROUP}/{key}": value for key, value in annotations.items()}
    return view(tenant(annotations=said, metadata={"generation": generation}), now=now)


class Passes:
    """Passes over a tenant whose pods are rendered otherwise each time, a minute after the last."""

    def __init__(self) -> None:
        self.rollouts, self.now, self.number, self.generation = Rollouts(), NOW, 0, 1
        self.annotations: dict[str, str] = {}

    def rolled(self, after: timedelta = timedelta(minutes=1), *, other: bool = True, replicas: int = 1) -> bool:
        """Whether the pods were made anew."""
        self.now += after
        found = self.rollouts.judged(KEY, seen(self.now, self.generation, **self.annotations))
        before = deployment(self.number, replicas)
        if other and not found.stopped:
            self.number += 1
        self.rollouts.noted(KEY, found, before, deployment(self.number, replicas))
        self.stopped = found.stopped
        return before != deployment(self.number, replicas)

    def spent(self) -> Passes:
        self.rolled(other=False)
        assert all(self.rolled() for _ in range(LIMIT))
        assert not self.rolled()
        return self


def test_after_a_few_rollouts_within_the_hour_the_pods_stay_as_they_are() -> None:
    passes = Passes().spent()
    assert passes.stopped == ("metadata.labels[component.kamaji.clastix.io/ca]",)
    assert not any(passes.rolled(timedelta(hours=1)) for _ in range(20))


def test_rollouts_that_are_far_apart_go_on() -> None:
    passes = Passes()
    passes.rolled(other=False)
    assert all(passes.rolled(rollouts.WINDOW / (LIMIT - 1)) for _ in range(50))


@pytest.mark.parametrize("change", ["spec", "annotation"])
def test_what_a_user_changes_is_carried_out_and_gives_another_budget(change: str) -> None:
    passes = Passes().spent()
    if change == "spec":
        passes.generation += 1
    else:
        passes.annotations["rotate-ca"] = "one"
    assert all(passes.rolled() for _ in range(LIMIT))
    assert not passes.rolled()


def test_once_a_day_one_is_let_through() -> None:
    passes = Passes().spent()
    assert [passes.rolled(timedelta(hours=1)) for _ in range(72)].count(True) == 3


def test_a_loop_that_is_over_is_forgotten() -> None:
    passes = Passes().spent()
    passes.rolled(rollouts.RETRY, other=False)
    assert passes.stopped == ()
    assert all(passes.rolled() for _ in range(LIMIT - 1))


def test_what_sleeps_does_not_roll_and_a_birth_is_no_rollout() -> None:
    passes = Passes()
    assert all(passes.rolled(replicas=0) for _ in range(50))
    found = passes.rollouts.judged(KEY, seen(passes.now))
    for _ in range(LIMIT):
        passes.rollouts.noted(KEY, found, None, deployment(1))
    assert passes.rollouts.judged(KEY, seen(passes.now)).stopped == ()


def test_a_tenant_that_is_gone_leaves_nothing_to_another_of_its_name() -> None:
    passes = Passes().spent()
    passes.rollouts.forget(KEY)
    assert passes.rolled()


def test_while_it_is_stopped_the_template_stays_and_all_else_follows_the_spec() -> None:
    first = walk(view(tenant())).view
    assert first.deployment is not None
    other = view(tenant(controlPlane={"deployment": {"replicas": 3, "extraArgs": {"scheduler": ["--v=9"]}}}))
    start = replace(other, seen=first.seen)
    held = walk(replace(start, stopped=("x",))).view.deployment
    assert held is not None
    assert held["spec"]["replicas"] == 3
    assert held["spec"]["template"] == first.deployment["spec"]["template"]
    free = walk(start).view.deployment
    assert free is not None
    assert free["spec"]["template"] != first.deployment["spec"]["template"]


def test_it_is_told_by_a_condition_and_an_event_and_waiting_is_said_to_be_no_use() -> None:
    first = walk(view(tenant())).view
    stopped = replace(first, stopped=("metadata.labels[component.kamaji.clastix.io/ca]",))
    before: dict[str, Any] = status.of(first, PARTS, {}, {})
    after = status.of(stopped, PARTS, {}, {})
    assert find(before["conditions"], said.TYPE) is None
    found = find(after["conditions"], said.TYPE) or {}
    assert (found["status"], found["reason"]) == ("True", "RolloutsStopped")
    assert "differed in metadata.labels[component.kamaji.clastix.io/ca]: find out who changes that" in found["message"]
    assert (find(after["conditions"], "Stalled") or {})["reason"] == "RolloutsStopped"
    assert [(each.reason, each.warning) for each in transitions.of(before, after)] == [("RolloutsStopped", True)]
