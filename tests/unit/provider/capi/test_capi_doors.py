from __future__ import annotations

from provider.capi import handlers
from tests.unit.provider.capi import views

NAMED = {"kind": "KamajiControlPlane", "name": "kcp"}


def test_when_a_cluster_names_another_control_plane_both_are_looked_at() -> None:
    named: handlers.ControlPlanes = {}
    assert handlers.renamed(named, ("ns", "c"), NAMED) == {("ns", "kcp")}
    assert handlers.renamed(named, ("ns", "c"), {**NAMED, "name": "next"}) == {("ns", "kcp"), ("ns", "next")}
    assert handlers.renamed(named, ("ns", "c"), {"kind": "KubeadmControlPlane", "name": "x"}) == {("ns", "next")}
    assert handlers.renamed(named, ("ns", "c"), None) == set()


def test_when_a_cluster_is_gone_its_control_plane_is_looked_at_once_more() -> None:
    named: handlers.ControlPlanes = {("ns", "c"): "kcp"}
    assert handlers.renamed(named, ("ns", "c"), None) == {("ns", "kcp")}
    assert named == {}


def test_a_tenant_wakes_its_owner_and_having_lost_it_the_one_of_its_name() -> None:
    tcp = views.tenant()
    tcp["metadata"]["name"] = "elsewhere"
    assert handlers.of_tenant(tcp, gone=False) == {("ns", "kcp")}
    tcp["metadata"] = {"name": "kcp", "namespace": "ns", "labels": {"cluster.x-k8s.io/cluster-name": "c"}}
    assert handlers.of_tenant(tcp, gone=False) == {("ns", "kcp")}


def test_a_tenant_without_a_cluster_wakes_nobody_until_its_name_is_free() -> None:
    tcp = {"metadata": {"name": "alone", "namespace": "ns"}}
    assert handlers.of_tenant(tcp, gone=False) == set()
    assert handlers.of_tenant(tcp, gone=True) == {("ns", "alone")}


def test_a_secret_that_lost_its_owner_wakes_the_control_plane_of_its_cluster() -> None:
    owned, orphan = views.complete()["c-ca"], views.secret("c-ca")
    orphan["metadata"]["labels"] = {"cluster.x-k8s.io/cluster-name": "c"}
    assert handlers.of_secret(owned, {}) == {("ns", "kcp")}
    assert handlers.of_secret(orphan, {("ns", "c"): "kcp", ("other", "c"): "x"}) == {("ns", "kcp")}
    assert handlers.of_secret(orphan, {}) == set()
