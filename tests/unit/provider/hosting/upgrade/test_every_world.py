"""Every combination of what can be seen between two versions, and what has to be true of the decision in all of them."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from provider.hosting import upgrade, versions
from provider.hosting.upgrade import failure
from provider.hosting.upgrade.skew import Kubelet
from provider.hosting.view import Rollout, View
from provider.manifest import Manifest
from tests.unit.provider.hosting.upgrade.worlds import deployment, pod, replica_set, unpullable, view

VERSIONS = ("v1.35.4", "v1.36.3", "v1.36.9", "v1.37.2")
RECORDS = ("none", "this one", "one on the way", "another spec")
KUBELETS: dict[str, list[Kubelet] | None] = {
    "unknown": None,
    "none": [],
    "fine": [Kubelet("a", "v1.35.0")],
    "old": [Kubelet("a", "v1.30.0")],
    "new": [Kubelet("a", "v1.99.0")],
}
World = tuple[View, list[Manifest], str]


def asked(wanted: str, replicas: int) -> dict[str, Any]:
    return {"kubernetes": {"version": wanted}, "controlPlane": {"deployment": {"replicas": replicas}}}


def pods(installed: str) -> list[tuple[Manifest, ...]]:
    starting = pod("a", installed, ready=False, age=1)
    return [(), (pod("a", installed),), (starting,), (unpullable("a", installed),)]


def worlds(installed: str, wanted: str) -> list[tuple[str, World]]:
    found = []
    for live, overdue, record, replicas, those in product(VERSIONS, (False, True), RECORDS, (0, 1, 2), pods(installed)):
        plain = view(installed=installed, **asked(wanted, replicas))
        written = {
            "none": "",
            "this one": failure.of(plain, wanted, installed, "why").written(),
            "one on the way": failure.of(plain, "v1.37.99", installed, "why").written(),
            "another spec": failure.of(
                view(installed=installed, **asked("v1.30.0", 1)), wanted, installed, "why"
            ).written(),
        }[record]
        made = deployment(live, overdue=overdue, record=written, replicas=replicas)
        sets = [replica_set(installed, 1, 2), replica_set(live, 2, 0)]
        seen = view(made, *those, installed=installed, **asked(wanted, replicas))
        found.append((f"{live} {overdue} {record} {replicas} {len(those)}", (seen, sets, live)))
    return found


@pytest.mark.parametrize(("installed", "wanted"), list(product(VERSIONS, VERSIONS)))
def test_what_is_true_in_every_world(installed: str, wanted: str) -> None:
    for name, world in worlds(installed, wanted):
        for said in KUBELETS:
            check(f"{name} {said}", world, said, installed, wanted)
        unasked(name, *world[:2])


def check(where: str, world: World, said: str, installed: str, wanted: str) -> None:
    seen, sets, live = world
    found = upgrade.decided(seen, KUBELETS[said], sets)
    assert (found is None) == (installed == wanted), where
    if found is None:
        return
    begins = found.version != installed and live != found.version
    assert found.version in (installed, wanted, live), where
    assert 0 <= minor(found.version) - minor(installed) <= 1, where
    if begins and minor(found.version) != minor(installed):
        assert said in ("none", "fine"), f"{where}: begun without a look at the kubelets"
    if seen.tcp.deployment.replicas == 0 and begins:
        raise AssertionError(f"{where}: begun asleep")
    assert bool(found.record) == (found.reason == "UpgradeFailed"), where
    if found.kept is not None:
        assert found.record and versions.run_by(seen, found.kept) == found.version, where
    settles(where, seen, found, sets)


def settles(where: str, seen: View, found: Rollout, sets: list[Manifest]) -> None:
    """What was given up is given up in the next pass too, with the same words."""
    if found.record:
        after = deployment(found.version, record=found.record, replicas=seen.tcp.deployment.replicas)
        again = upgrade.decided(View(**{**vars(seen), "seen": seen.seen.with_objects(after)}), None, sets)
        assert again is not None
        assert (again.version, again.message, again.record) == (found.version, found.message, found.record), where


def unasked(where: str, seen: View, sets: list[Manifest]) -> None:
    """What `question` does not ask for does not matter."""
    if upgrade.question(seen) == "":
        answers = [upgrade.decided(seen, each, sets[:count]) for each in (None, KUBELETS["old"]) for count in (0, 2)]
        assert all(each == answers[0] for each in answers), f"{where}: it depends on what was not asked for"


def minor(version: str) -> int:
    return versions.numbers(version)[1]
