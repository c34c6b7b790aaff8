from __future__ import annotations

from typing import Any

import pytest

from provider.api.deployment import ProbeSpec
from provider.api.tenantcontrolplane import TenantControlPlane
from provider.api.verdict import Invalid

LEAST: dict[str, Any] = {
    "apiVersion": "kamaji.clastix.io/v1alpha1",
    "kind": "TenantControlPlane",
    "metadata": {"name": "solo", "namespace": "tenants", "uid": "u-1", "generation": 3, "resourceVersion": "7"},
    "spec": {
        "kubernetes": {"version": "v1.36.3", "kubelet": {}},
        "controlPlane": {"service": {"serviceType": "ClusterIP"}},
    },
}


def with_spec(**fields: Any) -> TenantControlPlane:
    return TenantControlPlane.parse(LEAST | {"spec": LEAST["spec"] | fields})


def test_when_blocks_are_left_out_then_builders_still_find_their_defaults() -> None:
    tenant = TenantControlPlane.parse(LEAST)
    assert tenant.spec.network_profile is None
    assert tenant.network.port == 6443
    assert tenant.spec.control_plane.deployment is None
    assert tenant.deployment.replicas == 2
    assert tenant.deployment.registry_settings.registry == "registry.k8s.io"
    assert tenant.deployment.strategy["rollingUpdate"] == {"maxSurge": "100%", "maxUnavailable": 0}
    assert tenant.deployment.extra_args.api_server == ()
    assert tenant.spec.kubernetes.kubelet.preferred_address_types == ("InternalIP", "ExternalIP", "Hostname")
    assert "NodeRestriction" not in tenant.spec.kubernetes.admission_controllers
    assert len(tenant.spec.kubernetes.admission_controllers) == 17


def test_when_a_status_was_never_written_then_its_blocks_read_as_empty() -> None:
    status = TenantControlPlane.parse(LEAST).status
    assert status.conditions == ()
    assert status.kubernetes_resources.deployment is None
    assert status.storage.setup is None


def test_the_recorded_keyspace_is_read_from_the_status() -> None:
    setup = TenantControlPlane.parse(
        LEAST | {"status": {"storage": {"setup": {"schema": "a", "user": "b"}}}}
    ).status.storage.setup
    assert setup is not None
    assert (setup.schema_, setup.user) == ("a", "b")


def test_metadata_is_at_hand() -> None:
    tenant = TenantControlPlane.parse(LEAST)
    assert (tenant.name, tenant.namespace, tenant.uid, tenant.metadata.generation) == ("solo", "tenants", "u-1", 3)
    assert not tenant.deleting
    gone = LEAST["metadata"] | {"deletionTimestamp": "2026-11-24T00:00:00Z"}
    assert TenantControlPlane.parse(LEAST | {"metadata": gone}).deleting


def test_an_addon_is_on_by_being_there() -> None:
    addons = with_spec(addons={"coreDNS": {}}).spec.addons
    assert addons.core_dns is not None
    assert addons.kube_proxy is None


def test_probes_are_read_for_all_and_for_each() -> None:
    probes = {"startup": {"periodSeconds": 2}, "apiServer": {"startup": {"failureThreshold": 9}}}
    tenant = with_spec(controlPlane={"service": {"serviceType": "NodePort"}, "deployment": {"probes": probes}})
    assert tenant.deployment.probes.startup == ProbeSpec(period_seconds=2)
    assert tenant.deployment.probes.api_server is not None
    assert tenant.deployment.probes.api_server.startup == ProbeSpec(failure_threshold=9)


def test_an_object_of_another_kind_is_not_taken_for_a_tenant() -> None:
    with pytest.raises(Invalid, match="kind"):
        TenantControlPlane.parse(LEAST | {"kind": "DataStore"})
