"""Whom a moved route, Gateway or CRD concerns."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api import kinds, names
from provider.hosting.gatewaywatch import FOLLOWED, Routed, serves
from provider.manifest import Manifest, meta


def spec(*parents: dict[str, Any]) -> dict[str, Any]:
    return {"controlPlane": {"gateway": {"hostname": "demo.example.com", "parentRefs": list(parents)}}}


def routed() -> Routed:
    found = Routed()
    found.tenant_moved(("ns", "far"), spec({"name": "edge", "namespace": "gateways"}), gone=False)
    found.tenant_moved(("ns", "near"), spec({"name": "edge"}, {"name": "second"}), gone=False)
    found.tenant_moved(("ns", "none"), {"controlPlane": {}}, gone=False)
    return found


def gateway(name: str, namespace: str) -> Manifest:
    return meta.new(kinds.GATEWAY, name, namespace)


def test_a_gateway_concerns_the_tenants_that_name_it() -> None:
    assert routed().concerned(kinds.GATEWAY, gateway("edge", "gateways")) == [("ns", "far")]
    assert routed().concerned(kinds.GATEWAY, gateway("edge", "ns")) == [("ns", "near")]
    assert routed().concerned(kinds.GATEWAY, gateway("third", "ns")) == []


def test_a_route_concerns_its_tenant_whether_or_not_that_asks_for_it_still() -> None:
    ours = meta.new(kinds.TLS_ROUTE, "none", "ns", labels={names.LABEL_NAME: "none"})
    assert routed().concerned(kinds.TLS_ROUTE, ours) == [("ns", "none")]
    assert routed().concerned(kinds.TLS_ROUTE, meta.new(kinds.TLS_ROUTE, "theirs", "ns")) == []


def test_a_kind_that_comes_or_goes_concerns_all_that_ask_for_routes() -> None:
    assert routed().concerned(kinds.TLS_ROUTE, None) == [("ns", "far"), ("ns", "near")]


def test_who_asks_no_more_or_is_gone_is_not_concerned() -> None:
    found = routed()
    found.tenant_moved(("ns", "far"), {"controlPlane": {}}, gone=False)
    found.tenant_moved(("ns", "near"), spec({"name": "edge"}), gone=True)
    assert found.concerned(kinds.GATEWAY, None) == []


def crd(served: bool = True, established: str = "True", version: str = "v1") -> Manifest:
    return {
        "metadata": {"name": "tlsroutes.gateway.networking.k8s.io"},
        "spec": {"versions": [{"name": "v1alpha3", "served": True}, {"name": version, "served": served}]},
        "status": {"conditions": [{"type": "Established", "status": established}]},
    }


@pytest.mark.parametrize(
    ("manifest", "there"),
    [
        (crd(), True),
        (crd(served=False), False),
        (crd(established="False"), False),
        (crd(version="v2"), False),
        ({**crd(), "status": None}, False),
        ({**crd(), "metadata": {"deletionTimestamp": "2026-11-24T12:00:00Z"}}, False),
    ],
)
def test_a_kind_is_there_once_its_version_is_served(manifest: Manifest, there: bool) -> None:
    assert serves(manifest, kinds.TLS_ROUTE) is there


def test_the_crds_are_known_by_their_names() -> None:
    assert set(FOLLOWED) == {"tlsroutes.gateway.networking.k8s.io", "gateways.gateway.networking.k8s.io"}
