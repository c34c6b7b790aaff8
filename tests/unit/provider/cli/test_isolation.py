"""Which promises of isolation are said to hold, by a tenant's objects and conditions."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from provider.api import names
from provider.cli import isolation
from provider.manifest import Manifest

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GOLDEN = Path(__file__).parents[3] / "golden"
LABELS = {names.LABEL_NAME: "demo"}


def tenant(*conditions: dict[str, Any], **annotations: str) -> Manifest:
    return {
        "metadata": {"namespace": "team", "name": "demo", "annotations": annotations},
        "spec": {},
        "status": {"conditions": list(conditions), "storage": {"dataStoreName": "one"}},
    }


def made(case: str, part: str) -> Manifest:
    """What the provider makes of a golden case."""
    found: Manifest = yaml.safe_load((GOLDEN / case / "expected" / f"{part}.yaml").read_text())
    return found


def policy(*rules: dict[str, Any], name: str = "other", **selector: Any) -> Manifest:
    return {
        "metadata": {"name": name},
        "spec": {"podSelector": selector, "policyTypes": ["Ingress"], "ingress": list(rules)},
    }


@pytest.mark.parametrize(("status", "verdict"), [("True", "ok"), ("False", "bad"), ("Unknown", "unsure")])
def test_what_the_store_refuses_is_as_the_provider_tried_it(status: str, verdict: str) -> None:
    said = {
        "type": "StorageIsolated",
        "status": status,
        "message": "tried",
        "lastTransitionTime": "2026-03-01T11:00:00Z",
    }
    assert isolation.refused(tenant(said), NOW) == (verdict, "tried, since 60m ago")


def test_what_was_never_tried_is_not_said_to_hold() -> None:
    assert isolation.refused(tenant(), NOW)[0] == "unsure"


def test_a_tenant_that_shares_its_store_is_told_with_whom_and_whether_it_can_fill_it() -> None:
    store = {"metadata": {"name": "one"}, "status": {"usedBy": ["team/demo", "team/a", "team/b"]}}
    alone = {"metadata": {"name": "one"}, "status": {"usedBy": ["team/demo"]}}
    assert isolation.shared(tenant(), alone) == ("ok", "nobody: it is alone in DataStore one")
    verdict, words = isolation.shared(tenant(), store)
    assert (verdict, "2 others in DataStore one, which it can fill" in words) == ("unsure", True)
    limited = tenant(**{names.ANNOTATION_STORAGE_HARD_LIMIT: "200Mi"})
    assert isolation.shared(limited, store) == ("ok", "2 others in DataStore one; it may only delete above 200Mi")
    assert isolation.shared(tenant(**{names.ANNOTATION_STORAGE_HARD_LIMIT: "lots"}), store)[0] == "unsure"
    assert isolation.shared(tenant(), None)[0] == "unsure"


@pytest.mark.parametrize(("case", "port"), [("minimal", "6443"), ("konnectivity", "6443, 8132"), ("rich", "7443")])
def test_pods_as_the_provider_makes_them_are_reached_at_their_own_ports_only(case: str, port: str) -> None:
    template = made(case, "deployment")["spec"]["template"]
    verdict, words = isolation.reached(template["metadata"]["labels"], [made(case, "network-policy")])
    assert (verdict, words.startswith(f"everybody at {port},")) == ("ok", True), words


def test_pods_that_no_policy_selects_are_reached_by_everybody() -> None:
    assert isolation.reached(LABELS, [])[0] == "bad"
    of_others = policy({"ports": [{"port": 6443}]}, matchLabels={"app": "web"})
    egress = {**policy(), "spec": {"podSelector": {}, "policyTypes": ["Egress"]}}
    assert isolation.reached(LABELS, [of_others, egress])[0] == "bad"


@pytest.mark.parametrize(
    ("rule", "verdict", "words"),
    [
        ({}, "bad", "every port to all"),
        ({"ports": [{"port": 10257}]}, "bad", "10257 (controller manager) to all"),
        ({"ports": [{"port": 10000, "endPort": 11000}]}, "bad", "10257"),
        ({"ports": [{"protocol": "TCP"}]}, "bad", "every port to all"),
        ({"from": [{"podSelector": {}}]}, "unsure", "to the peers that it names"),
        ({"from": [{"podSelector": {}}], "ports": [{"port": 8133}]}, "unsure", "8133"),
    ],
)
def test_another_policy_that_opens_what_is_closed_is_found(rule: dict[str, Any], verdict: str, words: str) -> None:
    ours = policy({"ports": [{"port": 6443}]}, name="demo", matchLabels=LABELS)
    found = isolation.reached(LABELS, [ours, policy(rule)])
    assert (found[0], words in found[1], "NetworkPolicy other" in found[1]) == (verdict, True, True), found


@pytest.mark.parametrize(
    ("operator", "values", "selected"),
    [("In", ["demo"], True), ("NotIn", ["demo"], False), ("Exists", [], True), ("DoesNotExist", [], False)],
)
def test_a_policy_selects_by_expressions_as_kubernetes_does(operator: str, values: list[str], selected: bool) -> None:
    expression = {"key": names.LABEL_NAME, "operator": operator, "values": values}
    found = isolation.reached(LABELS, [policy({"ports": [{"port": 6443}]}, matchExpressions=[expression])])
    assert (found[0] == "ok") is selected


def test_a_store_of_a_pool_that_names_no_peers_lets_everybody_in() -> None:
    peer = {"podSelector": {"matchLabels": {"a": "b"}}}
    assert isolation.guarded("one-etcd", policy({"from": [peer]}))[0] == "ok"
    for rule in ({}, {"from": []}, {"from": [peer, {}]}):
        assert isolation.guarded("one-etcd", policy(rule))[0] == "bad"
    assert isolation.guarded("one-etcd", None)[0] == "bad"


@pytest.mark.parametrize("case", ["minimal", "konnectivity", "postgresql", "encrypted"])
def test_pods_as_the_provider_makes_them_keep_every_promise(case: str) -> None:
    template = made(case, "deployment")["spec"]["template"]
    answers = [judge(template) for judge in (isolation.confined, isolation.apart, isolation.tokens)]
    assert [verdict for verdict, _ in answers] == ["ok"] * 3, answers


SAFE = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ({"privileged": True}, "is privileged"),
        ({"runAsNonRoot": None}, "may run as root"),
        ({"runAsUser": 0}, "may run as root"),
        ({"allowPrivilegeEscalation": True}, "may gain privileges"),
        ({"capabilities": {"drop": ["KILL"]}}, "keeps capabilities"),
        ({"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE", "SYS_ADMIN"]}}, "adds SYS_ADMIN"),
        ({"seccompProfile": {"type": "Unconfined"}}, "has no seccomp profile"),
    ],
)
def test_a_container_that_may_more_is_named_with_what_it_may(context: dict[str, Any], words: str) -> None:
    template = {"spec": {"containers": [{"name": "mine", "securityContext": SAFE | context}]}}
    verdict, said = isolation.confined(template)
    assert (verdict, f"mine {words}" in said) == ("bad", True), said
    assert isolation.confined({"spec": {"containers": [{"name": "mine", "securityContext": SAFE}]}})[0] == "ok"


def test_what_pods_see_of_their_node_is_named() -> None:
    spec = {
        "hostPID": True,
        "volumes": [{"name": "etc", "hostPath": {"path": "/etc"}}],
        "containers": [{"name": "mine", "ports": [{"containerPort": 1, "hostPort": 80}]}],
    }
    assert isolation.apart({"spec": spec}) == (
        "bad",
        "hostPID, the path /etc, the port 80: see spec.controlPlane.deployment",
    )


def test_a_token_of_the_management_cluster_is_found_also_in_a_volume() -> None:
    volume = {"name": "sneaky", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
    assert "ServiceAccount default" in isolation.tokens({"spec": {"containers": []}})[1]
    found = isolation.tokens({"spec": {"automountServiceAccountToken": False, "volumes": [volume]}})
    assert found == ("bad", "in volume sneaky")
