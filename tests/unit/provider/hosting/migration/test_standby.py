"""Pods that stand by: what they are made of, what the others keep, and when they are let in."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest

from provider.api import kinds, names
from provider.hosting.migration import Phase, standby
from provider.hosting.view import Move, Store, View
from provider.manifest import Manifest, meta, x509
from tests.golden.world import NOW, CountedMint, Walked, store, tenant, view, walk

GATES = [{"conditionType": names.GATE_AT_HOME}]


@lru_cache(maxsize=1)
def other() -> Store:
    ca = x509.authority("other-ca", CountedMint(90_000), NOW)
    return replace(store(), name="other", endpoints=("other:2379",), ca=ca.certificate, client_ca=ca)


def at(step: Phase | None, revision: int = 9000) -> dict[str, Any]:
    """What of a view says that the tenant is at a step from one store to the other; None: long after."""
    there = step in (None, Phase.SWITCHING, Phase.MOVED)
    move = Move(phase=step, source="default", target="other", began="x", since=NOW, standby=revision) if step else None
    home, away = (other(), store()) if there else (store(), other())
    return {"move": move, "store": home, "other": away}


def pod(name: str, spec: Manifest, *, ready: bool = True, opened: bool = False) -> Manifest:
    """Its containers are ready; whether it is, is a matter of its gate."""
    gated = bool(spec.get("readinessGates"))
    said = {"ContainersReady": ready, "Ready": ready and (opened or not gated)} | (
        {names.GATE_AT_HOME: True} if opened else {}
    )
    containers = [{"name": each["name"], "ready": ready} for each in spec["containers"]]
    found = meta.new(kinds.POD, name, "tenants", labels={names.LABEL_NAME: "demo"}, spec=spec)
    found["status"] = {
        "podIP": "10.0.0.1",
        "containerStatuses": containers,
        "conditions": [{"type": each, "status": str(value)} for each, value in said.items()],
    }
    return found


def looked_at(seen: View, *pods: Manifest, **given: Any) -> View:
    """The view of a later pass: what was applied stands, and these pods are there."""
    return replace(seen.folded(*pods), **given)


def template(walked: Walked) -> Manifest:
    return dict(walked.one(kinds.DEPLOYMENT, "demo")["spec"]["template"])


def told(deployment: Manifest, **counts: int) -> Manifest:
    """With the status that its controller writes."""
    return {
        **deployment,
        "status": {"observedGeneration": 1, **counts},
        "metadata": {**deployment["metadata"], "generation": 1},
    }


@pytest.fixture
def served() -> Walked:
    """A tenant that is served by one pod."""
    born = walk(view(tenant()))
    raw = told(born.one(kinds.DEPLOYMENT, "demo"), updatedReplicas=1, readyReplicas=1)
    return walk(looked_at(born.view, pod("demo-1", born.pod), raw))


def test_while_keys_are_copied_nothing_of_the_pods_changes_but_what_others_will_need_is_made(served: Walked) -> None:
    copying = walk(looked_at(served.view, **at(Phase.COPYING)))
    assert template(copying) == template(served)
    found = standby.material(copying.view)
    assert found is not None
    assert found[0] == other().ca
    assert other().client_ca is not None
    assert x509.verifies(found[1].certificate, other().client_ca.certificate)
    before, after = (each.view.secret("demo-datastore-certificate") for each in (served, copying))
    assert standby.without(after) == before
    assert standby.material(served.view) is None


def test_pods_that_stand_by_use_the_other_store_wait_at_a_gate_and_take_nobodys_place(served: Walked) -> None:
    copying = walk(looked_at(served.view, **at(Phase.COPYING)))
    standing = walk(looked_at(copying.view, **at(Phase.STANDING_BY)))
    assert "--etcd-servers=https://other:2379" in standing.args("kube-apiserver")
    assert standing.pod["readinessGates"] == GATES
    assert standing.one(kinds.DEPLOYMENT, "demo")["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    (client,) = [
        each["secret"]
        for each in standing.pod["volumes"][0]["projected"]["sources"]
        if each["secret"]["name"] == "demo-datastore-certificate"
    ]
    assert {each["key"]: each["path"].removeprefix("etcd/") for each in client["items"]} == standby.FILES


def test_from_standing_by_to_serving_pods_stay_as_they_are_and_then_only_the_gate_and_the_names_of_files_go(
    served: Walked,
) -> None:
    last = walk(looked_at(served.view, **at(Phase.COPYING)))
    made = []
    for step in (Phase.STANDING_BY, Phase.FROZEN, Phase.SWITCHING):
        last = walk(looked_at(last.view, **at(step)))
        made.append(template(last))
    assert made[0] == made[1] == made[2]
    moved = walk(looked_at(last.view, pod("demo-2", last.pod), **at(Phase.MOVED)))
    plain = template(moved)
    assert plain["metadata"] == made[0]["metadata"], "the same certificate, by the same checksum"
    assert "readinessGates" not in plain["spec"]
    assert moved.args("kube-apiserver") == last.args("kube-apiserver")
    assert standby.material(moved.view) is not None, "a pod has it mounted"
    rolled = walk(looked_at(moved.view, pod("demo-2", moved.pod), **at(None)))
    over = walk(looked_at(rolled.view, **at(None)))
    assert standby.material(over.view) is None
    assert template(over) == plain


def test_whom_clients_have_overtaken_is_made_anew_and_not_let_in(served: Walked) -> None:
    copying = walk(looked_at(served.view, **at(Phase.COPYING)))
    frozen = walk(looked_at(copying.view, **at(Phase.FROZEN)))
    switching = walk(looked_at(frozen.view, pod("demo-2", frozen.pod), **at(Phase.SWITCHING, revision=0)))
    assert "readinessGates" not in switching.pod
    assert standby.open_to(switching.view) == []


def test_who_stands_by_serves_nobody_until_his_store_is_the_home(served: Walked) -> None:
    copying = walk(looked_at(served.view, **at(Phase.COPYING)))
    standing = walk(looked_at(copying.view, **at(Phase.STANDING_BY)))
    there = pod("demo-2", standing.pod)
    for step in (Phase.STANDING_BY, Phase.FROZEN, Phase.RETURNING, Phase.FAILED):
        seen = looked_at(standing.view, there, **at(step))
        assert standby.open_to(seen) == []
        assert [each.name for each in seen.serving] == ["demo-1"]
    for later in (Phase.SWITCHING, Phase.MOVED, None):
        assert standby.open_to(looked_at(standing.view, there, **at(later))) == [there]
    opened = looked_at(standing.view, pod("demo-2", standing.pod, opened=True), **at(Phase.SWITCHING))
    assert standby.open_to(opened) == []
    assert [each.name for each in opened.serving] == ["demo-1", "demo-2"]


@pytest.mark.parametrize(
    ("counts", "ready", "expected"),
    [
        ({"updatedReplicas": 1}, True, True),
        ({"updatedReplicas": 1}, False, False),
        ({"updatedReplicas": 0}, True, False),
        ({"updatedReplicas": 1, "observedGeneration": 0}, True, False),
    ],
)
def test_all_stand_by_when_as_many_as_there_shall_be_have_their_containers_ready(
    served: Walked, counts: dict[str, int], ready: bool, expected: bool
) -> None:
    copying = walk(looked_at(served.view, **at(Phase.COPYING)))
    assert not standby.up(copying.view)
    standing = walk(looked_at(copying.view, **at(Phase.STANDING_BY)))
    deployment = told(standing.one(kinds.DEPLOYMENT, "demo"), **counts)
    assert standby.up(looked_at(standing.view, deployment, pod("demo-2", standing.pod, ready=ready))) is expected


@pytest.mark.parametrize(
    ("strategy", "replicas", "expected"),
    [
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}, 3, True),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": "0%"}}, 3, True),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}, 3, False),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%", "maxUnavailable": "10%"}}, 3, False),
        ({"type": "Recreate"}, 1, False),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}, 0, False),
    ],
)
def test_pods_stand_by_where_all_of_them_may_come_before_any_other_goes(
    served: Walked, strategy: dict[str, Any], replicas: int, expected: bool
) -> None:
    deployment = served.one(kinds.DEPLOYMENT, "demo")
    spec = {**deployment["spec"], "strategy": strategy, "replicas": replicas}
    assert standby.possible(looked_at(served.view, {**deployment, "spec": spec})) is expected


def test_nothing_is_sent_to_who_is_not_ready_while_pods_stand_by_also_when_a_sleeping_tenant_wakes() -> None:
    waking = view(tenant(), **at(Phase.STANDING_BY))
    assert "publishNotReadyAddresses" not in walk(waking).one(kinds.SERVICE, "demo")["spec"]
    assert walk(view(tenant())).one(kinds.SERVICE, "demo")["spec"]["publishNotReadyAddresses"] is True
