"""network.ingress and network.gateway of a KamajiControlPlane: what the hosting room is asked, and what the Cluster is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from provider.api import kinds
from provider.capi.desired import tenantcontrolplane
from provider.capi.model import Cluster, KamajiControlPlane
from provider.capi.view import Place, View
from provider.manifest import Manifest, meta

HOST = "demo.example.com"
EDGE = {"name": "edge", "namespace": "gateways", "hostname": HOST}


def view(network: dict[str, Any] | None = None, tcp: Manifest | None = None) -> View:
    raw = meta.new(kinds.KAMAJI_CONTROL_PLANE, "demo", "ns", spec={"version": "v1.36.3", "network": network or {}})
    raw["metadata"]["uid"] = "uid"
    return View(
        kcp=KamajiControlPlane.parse(raw),
        raw=raw,
        cluster=Cluster.parse({"metadata": {"name": "demo"}}),
        place=Place(namespace="ns", name="demo"),
        tcp=tcp,
        now=datetime(2026, 11, 24, tzinfo=UTC),
    )


def asked(network: dict[str, Any]) -> dict[str, Any]:
    spec = tenantcontrolplane.build(view(network))["spec"]
    assert isinstance(spec, dict)
    return spec


def hosted(plane: dict[str, Any], endpoint: str | None = "10.0.0.1:6443") -> Manifest:
    """The TenantControlPlane as the hosting room last said it."""
    spec = {
        "kubernetes": {"version": "v1.36.3", "kubelet": {}},
        "controlPlane": {"service": {"serviceType": "ClusterIP"}, **plane},
        "networkProfile": {"port": 6443},
    }
    status = {"controlPlaneEndpoint": endpoint} if endpoint else {}
    return meta.new(kinds.TENANT_CONTROL_PLANE, "demo", "ns", spec=spec, status=status)


@pytest.mark.fields(
    "KamajiControlPlane",
    *(f"spec.network.ingress.{each}" for each in ("hostname", "className", "extraLabels", "extraAnnotations")),
)
def test_an_ingress_is_asked_for_with_the_port_that_ingress_controllers_have() -> None:
    ingress = {"hostname": HOST, "className": "nginx", "extraLabels": {"a": "b"}, "extraAnnotations": {"c": "d"}}
    spec = asked({"ingress": ingress, "certSANs": ["other.example.com"]})
    assert spec["controlPlane"]["ingress"] == {
        "hostname": f"{HOST}:443",
        "ingressClassName": "nginx",
        "additionalMetadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
    }
    assert spec["networkProfile"]["certSANs"] == ["other.example.com", HOST]
    assert "gateway" not in spec["controlPlane"]


def test_a_port_that_the_user_names_stays() -> None:
    assert asked({"ingress": {"hostname": f"{HOST}:8443"}})["controlPlane"]["ingress"] == {"hostname": f"{HOST}:8443"}


@pytest.mark.fields(
    "KamajiControlPlane",
    *(f"spec.network.gateway.{each}" for each in (*EDGE, "sectionName", "port", "extraLabels", "extraAnnotations")),
)
def test_a_gateway_is_asked_for_as_upstream_does() -> None:
    more = {"sectionName": "kube-apiserver", "port": 6443, "extraLabels": {"a": "b"}, "extraAnnotations": {"c": "d"}}
    spec = asked({"gateway": {**EDGE, **more}})
    assert spec["controlPlane"]["gateway"] == {
        "hostname": HOST,
        "parentRefs": [{"name": "edge", "namespace": "gateways", "sectionName": "kube-apiserver", "port": 6443}],
        "additionalMetadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
    }
    assert spec["networkProfile"]["certSANs"] == [HOST]


@pytest.mark.parametrize(
    ("gateway", "port"),
    [
        (EDGE, None),
        ({**EDGE, "hostname": f"{HOST}:443"}, 443),
        ({**EDGE, "hostname": f"{HOST}:443", "port": 8443}, 8443),
    ],
)
def test_a_port_after_a_gateways_host_name_is_its_listeners(gateway: dict[str, Any], port: int | None) -> None:
    said = asked({"gateway": gateway})["controlPlane"]["gateway"]
    assert said["hostname"] == HOST
    assert said["parentRefs"][0].get("port") == port


def test_a_name_that_the_user_has_in_the_certificate_already_is_not_said_twice() -> None:
    assert asked({"gateway": EDGE, "certSANs": [HOST]})["networkProfile"]["certSANs"] == [HOST]


def test_without_routes_nothing_of_them_is_asked() -> None:
    spec = asked({})
    assert {"ingress", "gateway"}.isdisjoint(spec["controlPlane"])
    assert "certSANs" not in spec["networkProfile"]


@pytest.mark.parametrize(
    ("plane", "endpoint"),
    [
        ({}, ("10.0.0.1", 6443)),
        ({"ingress": {"hostname": f"{HOST}:443"}}, (HOST, 443)),
        ({"gateway": {"hostname": HOST, "parentRefs": [{"name": "edge"}]}}, (HOST, 6443)),
        ({"gateway": {"hostname": HOST, "parentRefs": [{"name": "edge", "port": 443}]}}, (HOST, 443)),
        ({"gateway": {"hostname": "*.example.com", "parentRefs": [{"name": "edge"}]}}, ("10.0.0.1", 6443)),
    ],
)
def test_the_cluster_is_told_what_kubeconfigs_name(plane: dict[str, Any], endpoint: tuple[str, int]) -> None:
    assert view(tcp=hosted(plane)).endpoint == endpoint


def test_before_the_tenant_has_an_address_nothing_is_told() -> None:
    assert view(tcp=hosted({"ingress": {"hostname": HOST}}, endpoint=None)).endpoint is None
    assert view().endpoint is None
