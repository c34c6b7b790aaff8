"""Who may reach a control plane's pods: everybody at the ports that serve, nobody at the others."""

from __future__ import annotations

from typing import Any

import pytest

from provider.hosting.desired import networkpolicy
from tests.golden.world import tenant, view

API_SERVER = ("TCP", 6443)
BOTH_WAYS = {"service": {"serviceType": "ClusterIP"}}


def ports(**spec: Any) -> list[tuple[str, Any]]:
    (policy,) = networkpolicy.build(view(tenant(**spec)))
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    assert policy["spec"]["podSelector"] == {"matchLabels": {"kamaji.clastix.io/name": "demo"}}
    (rule,) = policy["spec"]["ingress"]
    assert "from" not in rule, "nodes and users of a tenant are anywhere"
    return [(each["protocol"], each["port"]) for each in rule["ports"]]


@pytest.mark.keeps("better.closed-pods")
def test_what_serves_no_tenant_is_closed() -> None:
    assert ports() == [API_SERVER]
    assert networkpolicy.report(view(tenant())) == {}


@pytest.mark.keeps("better.closed-pods")
def test_the_tunnel_and_what_the_user_opened_stay_open() -> None:
    service = {"additionalPorts": [{"name": "dns", "port": 53, "targetPort": "dns", "protocol": "UDP"}]}
    sidecar = {"name": "log", "image": "i", "ports": [{"containerPort": 9090}, {"containerPort": 6443}]}
    deployment = {"additionalContainers": [sidecar]}
    found = ports(
        controlPlane={"service": {**BOTH_WAYS["service"], **service}, "deployment": deployment},
        addons={"konnectivity": {"server": {"port": 8132}}},
    )
    assert found == [API_SERVER, ("TCP", 8132), ("UDP", "dns"), ("TCP", 9090)]


@pytest.mark.parametrize("said", ["x", 7, [3], [{"name": "n"}], [{"containerPort": "nine"}], [{"containerPort": []}]])
def test_what_is_no_list_of_ports_opens_nothing(said: Any) -> None:
    container = {"name": "log", "image": "i", "ports": said}
    assert ports(controlPlane={"deployment": {"additionalContainers": [container]}}) == [API_SERVER]
