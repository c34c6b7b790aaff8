from __future__ import annotations

import pytest

from provider.api.verdict import Invalid
from provider.capi.model import Cluster, KamajiControlPlane, KamajiControlPlaneTemplate


def test_when_a_control_plane_says_only_its_version_then_the_rest_is_upstreams_default() -> None:
    spec = KamajiControlPlane.parse({"spec": {"version": "v1.36.3"}}).spec
    assert spec.replicas == 2
    assert spec.registry == "registry.k8s.io"
    assert spec.network.service_type == "LoadBalancer"
    assert spec.kubelet.cgroupfs == "systemd"
    assert spec.kubelet.preferred_address_types == ("InternalIP", "ExternalIP", "Hostname")
    assert spec.admission_controllers == ()
    assert spec.addons.core_dns is None
    assert spec.control_plane_endpoint is None
    assert spec.deployment.strategy is None


def test_a_control_plane_has_no_nodes_unless_its_status_says_otherwise() -> None:
    assert KamajiControlPlane.parse({"spec": {"version": "v1.36.3"}}).status.external_managed_control_plane


def test_a_control_plane_without_a_version_cannot_be_read() -> None:
    with pytest.raises(Invalid, match=r"spec\.version"):
        KamajiControlPlane.parse({"spec": {}})


def test_an_endpoint_that_is_none_yet_can_be_read_as_upstreams_v1alpha1_wrote_it() -> None:
    found = KamajiControlPlane.parse({"spec": {"version": "v1.36.3", "controlPlaneEndpoint": {"host": "", "port": 0}}})
    assert found.spec.control_plane_endpoint is not None
    assert not found.spec.control_plane_endpoint.host


def test_a_template_needs_no_version() -> None:
    template = KamajiControlPlaneTemplate.parse({"spec": {"template": {"spec": {"dataStoreName": "shared"}}}})
    assert template.spec.template.spec.data_store_name == "shared"
    assert template.spec.template.metadata.labels == {}


def test_of_a_cluster_only_what_the_contract_names_is_read() -> None:
    cluster = Cluster.parse(
        {
            "metadata": {"name": "demo", "annotations": {"cluster.x-k8s.io/paused": ""}},
            "spec": {
                "paused": True,
                "clusterNetwork": {
                    "apiServerPort": 7443,
                    "serviceDomain": "demo.example",
                    "services": {"cidrBlocks": ["fd02::/112", "10.2.0.0/16"]},
                    "pods": {"cidrBlocks": ["10.1.0.0/16"]},
                },
                "infrastructureRef": {
                    "apiGroup": "infrastructure.cluster.x-k8s.io",
                    "kind": "LabCluster",
                    "name": "demo",
                },
                "topology": {"classRef": {"name": "lab"}, "version": "v1.36.3"},
                "fieldOfTomorrow": 1,
            },
            "status": {"initialization": {"infrastructureProvisioned": True}},
        }
    )
    assert cluster.spec.paused
    assert cluster.spec.cluster_network.api_server_port == 7443
    assert cluster.spec.cluster_network.services.cidr_blocks == ("fd02::/112", "10.2.0.0/16")
    assert cluster.spec.infrastructure_ref is not None
    assert cluster.spec.infrastructure_ref.kind == "LabCluster"
    assert cluster.spec.topology is not None
    assert cluster.status.initialization.infrastructure_provisioned
    assert not cluster.status.initialization.control_plane_initialized


def test_a_cluster_as_v1beta1_is_read_like_one_of_today() -> None:
    reference = {"kind": "LabCluster", "name": "demo", "namespace": "team"}
    older = Cluster.parse(
        {
            "metadata": {"name": "demo"},
            "spec": {"infrastructureRef": {**reference, "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1"}},
            "status": {"infrastructureReady": True, "controlPlaneReady": False},
        }
    )
    assert older.spec.infrastructure_ref is not None
    assert older.spec.infrastructure_ref.api_group == "infrastructure.cluster.x-k8s.io"
    assert older.status.initialization.infrastructure_provisioned


@pytest.mark.parametrize(
    ("endpoint", "valid"),
    [
        ({}, False),
        ({"host": "10.0.0.1", "port": 0}, False),
        ({"host": "", "port": 6443}, False),
        ({"host": "a", "port": 1}, True),
    ],
)
def test_an_endpoint_counts_when_host_and_port_are_there(endpoint: dict[str, object], valid: bool) -> None:
    assert Cluster.parse({"spec": {"controlPlaneEndpoint": endpoint}}).spec.control_plane_endpoint.valid is valid


def test_a_cluster_that_says_nothing_is_read_all_the_same() -> None:
    cluster = Cluster.parse({"metadata": {"name": "demo"}})
    assert not cluster.spec.paused
    assert cluster.spec.infrastructure_ref is None
