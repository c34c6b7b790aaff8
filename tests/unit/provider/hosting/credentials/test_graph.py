"""The graph of credentials is true: nothing with a credential in it is no node, and what is made anew is as the graph says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from provider.api import kinds
from provider.api.credentials import GRAPH, OF_TENANT, below
from provider.api.credentials.node import Node
from provider.manifest import Manifest
from tests.golden.cases import CASES
from tests.golden.world import NOW
from tests.unit.provider.hosting.credentials.worlds import AT, World, changed, data_of, first, name_of, untrusted

SIGNS = (b"-----BEGIN ", b"certificate-authority-data", b"client-key-data")
every_node = pytest.mark.parametrize("node", GRAPH, ids=lambda each: f"{each.home}: {each.title}")


def holding(written: list[Manifest]) -> Iterator[Manifest]:
    """Secrets, and whatever else has something of a certificate, key or kubeconfig in it."""
    for each in written:
        data = data_of(each)
        if each["kind"] == kinds.SECRET.kind or any(sign in content for content in data.values() for sign in SIGNS):
            yield each


def test_whatever_holds_a_credential_is_a_node() -> None:
    known = {(AT[each.home], name_of(each)) for each in GRAPH if each.home in AT}
    found = {
        (each["metadata"].get("namespace"), each["metadata"]["name"]): each["kind"] for each in holding(first().written)
    }
    assert found.keys() == known
    assert {key for key, kind in found.items() if kind != "Secret"} == {("kube-public", "cluster-info")}


@pytest.mark.parametrize("case", CASES, ids=lambda each: each.folder.name)
def test_so_it_is_for_tenants_of_every_kind(case: object) -> None:
    walked = case.walked()  # type: ignore[attr-defined]
    known = {each.secret(walked.view.name) for each in OF_TENANT} | {"cluster-info"}
    written = [each for said in walked.said.values() for each in said]
    assert {each["metadata"]["name"] for each in holding(written)} <= known


@every_node
def test_a_node_says_which_keys_of_its_secret_hold_what(node: Node) -> None:
    if node.home not in AT:
        return  # a DataStore's fields
    (found,) = [each for each in holding(first().written) if each["metadata"]["name"] == name_of(node)]
    data = data_of(found)
    if node.halves is not None:
        assert [b"CERTIFICATE" in data[node.halves[0]] or b"PUBLIC KEY" in data[node.halves[0]]] == [True]
        assert b"PRIVATE KEY" in data[node.halves[1]]
    pems = {key for key, content in data.items() if b"PRIVATE KEY" in content and content != data.get("ca.key")}
    assert pems <= {(node.halves or ("", ""))[1]}
    assert {key for key, content in data.items() if b"certificate-authority-data" in content} == set(node.files)


@pytest.mark.keeps("better.renewal")
@every_node
def test_what_changes_with_one_that_is_made_anew_is_what_the_graph_says_is_made_from_it(node: Node) -> None:
    if node.home == "store":
        return  # a field: it changes with what it leads to
    after = World(before=first(), lost=node)
    assert changed(first(), after) - {node} == set(below(node))
    assert list(untrusted(after)) == []


def test_in_a_world_in_which_nothing_is_lost_nothing_changes() -> None:
    assert changed(first(), World(before=first())) == set()


def test_what_is_renewed_by_time_is_every_leaf_and_nothing_that_signs() -> None:
    later = changed(first(), World(before=first(), now=NOW + timedelta(days=300)))
    leaves = {each for each in GRAPH if each.sort in ("certificate", "kubeconfig") or each.title.endswith("kubeconfig")}
    assert later == leaves


def test_every_parent_comes_before_what_is_made_from_it() -> None:
    for number, node in enumerate(GRAPH):
        assert set(node.parents) <= set(GRAPH[:number])


def test_what_a_tenant_has_can_be_told_apart() -> None:
    for said in ("component", "status", "rolls", "title"):
        values = [value for each in OF_TENANT if (value := getattr(each, said))]
        assert len(values) == len(set(values)), said
