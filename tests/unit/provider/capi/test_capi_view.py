from __future__ import annotations

from typing import Any

import pytest

from provider.capi.observe import owner_name
from provider.capi.view import is_ours
from tests.unit.provider.capi import views


@pytest.mark.parametrize(
    ("said", "endpoint"),
    [
        ("10.0.0.1:6443", ("10.0.0.1", 6443)),
        ("10.0.0.1:40123", ("10.0.0.1", 40123)),
        ("10.0.0.1:65535", ("10.0.0.1", 65535)),
        ("api.tenant.example:443", ("api.tenant.example", 443)),
        ("[fd00::1]:6443", ("fd00::1", 6443)),
        ("", None),
        ("10.0.0.1", None),
        (":6443", None),
        ("api.tenant.example:", None),
        ("10.0.0.1:²", None),
    ],
)
def test_the_endpoint_is_an_address_or_a_name_with_any_port(said: str, endpoint: Any) -> None:
    assert views.view(tcp=views.tenant(endpoint=said)).endpoint == endpoint


@pytest.mark.parametrize(("status", "serves"), [("True", True), ("False", False), ("Unknown", False)])
def test_the_ready_condition_says_whether_the_api_server_answers(status: str, serves: bool) -> None:
    assert views.view(tcp=views.tenant(ready=status, phase="Ready")).serves is serves


@pytest.mark.parametrize(
    ("phase", "serves"),
    [
        ("Ready", True),
        ("Upgrading", True),
        ("Migrating", True),
        ("WriteLimited", True),
        ("CertificateAuthorityRotating", True),
        ("Provisioning", False),
        ("NotReady", False),
        ("Sleeping", False),
        ("Unknown", False),
    ],
)
def test_of_an_operator_without_conditions_the_phase_word_says_it(phase: str, serves: bool) -> None:
    assert views.view(tcp=views.tenant(ready=None, phase=phase)).serves is serves


def test_nothing_serves_and_nothing_is_where_before_there_is_a_tenant() -> None:
    view = views.view()
    assert not view.serves
    assert view.endpoint is None
    assert view.asked == {}


@pytest.mark.parametrize(
    ("paused", "annotations", "why"),
    [
        (False, {}, ""),
        (True, {}, "Cluster spec.paused is set to true"),
        (
            False,
            {"cluster.x-k8s.io/paused": ""},
            "KamajiControlPlane has the cluster.x-k8s.io/paused annotation",
        ),
        (
            True,
            {"cluster.x-k8s.io/paused": "true"},
            "Cluster spec.paused is set to true, KamajiControlPlane has the cluster.x-k8s.io/paused annotation",
        ),
    ],
)
def test_why_it_is_paused_is_said_in_cluster_apis_words(paused: bool, annotations: Any, why: str) -> None:
    kcp = views.raw(metadata={"annotations": annotations})
    assert views.view(kcp, cluster=views.cluster(paused=paused)).paused == why


@pytest.mark.parametrize(
    ("reference", "referred"),
    [
        ({"apiGroup": "controlplane.cluster.x-k8s.io", "kind": "KamajiControlPlane", "name": "kcp"}, True),
        ({"apiGroup": "controlplane.cluster.x-k8s.io", "kind": "KamajiControlPlane", "name": "other"}, False),
        ({"apiGroup": "controlplane.cluster.x-k8s.io", "kind": "KubeadmControlPlane", "name": "kcp"}, False),
        ({"apiGroup": "controlplane.example", "kind": "KamajiControlPlane", "name": "kcp"}, False),
        (None, False),
    ],
)
def test_the_control_plane_of_a_cluster_is_the_one_that_it_names(reference: Any, referred: bool) -> None:
    assert views.view(cluster=views.cluster(controlPlaneRef=reference)).referred is referred


@pytest.mark.parametrize("version", ["v1alpha3", "v1alpha4", "v1beta1", "v1beta2", "v1"])
def test_a_cluster_owns_in_every_version_of_its_api(version: str) -> None:
    cluster = {"apiVersion": f"cluster.x-k8s.io/{version}", "kind": "Cluster", "name": "c", "uid": "1"}
    shim = {"apiVersion": "v1", "kind": "Secret", "name": "c-shim", "uid": "2"}
    assert owner_name(views.raw(metadata={"ownerReferences": [shim, cluster]})) == "c"


@pytest.mark.parametrize(
    "owners",
    [
        [],
        [{"apiVersion": "v1", "kind": "Secret", "name": "c-shim", "uid": "1", "controller": True}],
        [{"apiVersion": "provisioning.example/v1", "kind": "Cluster", "name": "c", "uid": "1"}],
        [{"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Machine", "name": "c", "uid": "1"}],
    ],
)
def test_owners_that_are_no_cluster_of_cluster_api_do_not_count(owners: Any) -> None:
    assert owner_name(views.raw(metadata={"ownerReferences": owners})) is None


LABELS = {"cluster.x-k8s.io/cluster-name": "c", "x.kamaji.clastix.io/part": "tenantcontrolplane"}
OTHER = views.owner(views.raw(), uid="somebody else")


@pytest.mark.parametrize(
    ("metadata", "ours"),
    [
        ({"ownerReferences": [views.owner(views.raw())]}, True),
        ({"ownerReferences": [views.owner(views.raw(), apiVersion="controlplane.cluster.x-k8s.io/v1alpha1")]}, True),
        ({"ownerReferences": [views.owner(views.raw(), controller=False)]}, True),
        ({"labels": LABELS}, True),
        ({"labels": LABELS, "ownerReferences": [OTHER]}, False),
        ({"ownerReferences": [OTHER]}, False),
        ({"labels": {"cluster.x-k8s.io/cluster-name": "c"}}, False),
        ({}, False),
    ],
)
def test_a_tenant_is_ours_by_its_owner_or_having_lost_it_by_our_labels(metadata: Any, ours: bool) -> None:
    tcp = {**views.tenant(), "metadata": {"name": "kcp", "namespace": "ns", "uid": "tcp", **metadata}}
    assert is_ours(views.raw(), tcp) is ours
