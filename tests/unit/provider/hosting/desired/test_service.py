"""The Service in front of the API servers: what is asked for by each type, and what the status tells of the balancer."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api import kinds, names
from provider.hosting.desired import service
from provider.manifest import Manifest, meta
from tests.golden.world import tenant, view

BALANCER_FIELDS = {"allocateLoadBalancerNodePorts", "loadBalancerClass", "loadBalancerSourceRanges"}


def made(kind: str = "ClusterIP", network: dict[str, Any] | None = None, **fields: Any) -> Manifest:
    raw = tenant(controlPlane={"service": {"serviceType": kind, **fields}}, networkProfile=network or {})
    (found,) = service.build(view(raw))
    return found


def spec(kind: str = "ClusterIP", network: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return dict(made(kind, network, **fields)["spec"])


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort", "LoadBalancer"])
def test_it_leads_to_the_tenants_pods_on_the_api_servers_port(kind: str) -> None:
    found = spec(kind, {"port": 7443})
    assert (found["type"], found["selector"]) == (kind, {names.LABEL_NAME: "demo"})
    assert {key: found["ports"][0][key] for key in ("port", "targetPort")} == {"port": 7443, "targetPort": 7443}


def test_a_node_port_is_the_port_of_the_api_server() -> None:
    """Certificates, kubeconfigs and cluster-info name one port; so it is the same inside and outside."""
    assert spec("NodePort", {"port": 31443})["ports"][0]["nodePort"] == 31443
    for kind in ("ClusterIP", "LoadBalancer"):
        assert "nodePort" not in spec(kind, {"port": 31443})["ports"][0]


def test_a_balancers_fields_are_said_of_balancers_only() -> None:
    network = {"loadBalancerClass": "c", "loadBalancerSourceRanges": ["192.0.2.0/24"]}
    found = spec("LoadBalancer", network)
    assert (found["loadBalancerClass"], found["loadBalancerSourceRanges"]) == ("c", ["192.0.2.0/24"])
    for kind in ("ClusterIP", "NodePort"):
        assert not BALANCER_FIELDS & set(spec(kind, network))


@pytest.mark.parametrize(("written", "said"), [(None, True), (True, True), (False, False)])
def test_a_balancer_takes_node_ports_unless_the_user_says_no(written: bool | None, said: bool) -> None:
    fields = {} if written is None else {"allocateLoadBalancerNodePorts": written}
    assert spec("LoadBalancer", **fields)["allocateLoadBalancerNodePorts"] is said


@pytest.mark.parametrize(
    ("kind", "network", "addresses"),
    [
        ("ClusterIP", {"address": "192.0.2.1", "allowAddressAsExternalIP": True}, ["192.0.2.1"]),
        ("NodePort", {"address": "192.0.2.1", "allowAddressAsExternalIP": True}, ["192.0.2.1"]),
        ("LoadBalancer", {"address": "192.0.2.1", "allowAddressAsExternalIP": True}, None),
        ("ClusterIP", {"address": "192.0.2.1"}, None),
        ("ClusterIP", {"address": "a.example.com", "allowAddressAsExternalIP": True}, None),
        ("ClusterIP", {"allowAddressAsExternalIP": True}, None),
    ],
)
def test_the_address_is_an_external_ip_where_it_is_one_and_allowed(
    kind: str, network: dict[str, Any], addresses: list[str] | None
) -> None:
    assert spec(kind, network).get("externalIPs") == addresses


def test_a_tenant_of_two_families_wants_both_and_takes_one() -> None:
    network = {"serviceCidrs": ["10.96.0.0/16", "fd00::/112"]}
    assert spec(network=network)["ipFamilyPolicy"] == "PreferDualStack"
    assert "ipFamilyPolicy" not in spec()


def test_ports_of_the_users_come_after_ours() -> None:
    extra = [
        {"name": "m", "port": 1, "targetPort": "metrics"},
        {"name": "n", "port": 2, "targetPort": 3, "protocol": "UDP"},
    ]
    ports = spec("NodePort", additionalPorts=[{**extra[0], "appProtocol": "http"}, extra[1]])["ports"]
    assert [each["name"] for each in ports] == ["kube-apiserver", "m", "n"]
    assert ports[1] == {"name": "m", "port": 1, "protocol": "TCP", "targetPort": "metrics", "appProtocol": "http"}
    assert ports[2] == {"name": "n", "port": 2, "protocol": "UDP", "targetPort": 3}


def test_labels_of_ours_win_and_annotations_are_the_users() -> None:
    labels = {"team": "blue", names.LABEL_NAME: "other"}
    found = made(additionalMetadata={"labels": labels, "annotations": {"a": "1"}})["metadata"]
    assert found["labels"] == {"team": "blue", **names.tenant_labels("demo", "service")}
    assert found["annotations"] == {"a": "1"}
    assert "annotations" not in made()["metadata"]


def live(ingress: list[dict[str, Any]] | None) -> Manifest:
    return meta.new(kinds.SERVICE, "demo", "tenants", status={"loadBalancer": {"ingress": ingress}})


def reported(*seen: Manifest, before: dict[str, Any] | None = None) -> dict[str, Any]:
    raw = tenant()
    raw["status"] = {"kubernetesResources": {"service": before}} if before else {}
    return service.report(view(raw, *seen))


def test_the_status_tells_the_balancers_addresses_without_their_ports() -> None:
    found = reported(live([{"ip": "192.0.2.1", "ports": [{"port": 6443}]}, {"hostname": "lb.example.com"}]))
    assert found["kubernetesResources"]["service"] == {
        "name": "demo",
        "namespace": "tenants",
        "port": 6443,
        "loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "lb.example.com"}]},
    }


def test_a_balancer_that_is_gone_leaves_no_address_in_the_status() -> None:
    assert "loadBalancer" not in reported(live(None))["kubernetesResources"]["service"]
    before = reported(live([{"ip": "192.0.2.1"}]))["kubernetesResources"]["service"]
    found = reported(live(None), before=before)["kubernetesResources"]["service"]
    assert found["loadBalancer"] == {"ingress": []}
    assert reported() == {}
