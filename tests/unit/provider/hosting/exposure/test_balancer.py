"""Addresses of a load balancer, late, changing or several, reach status, certificate, kubeconfigs and cluster-info."""

from __future__ import annotations

import pytest

from provider.api import kinds, names
from tests.golden import world
from tests.unit.provider.hosting.exposure.worlds import (
    BALANCED,
    balanced,
    certificate_hosts,
    cluster_info,
    condition,
    first,
    next_pass,
    reported,
    servers,
)

ONE, TWO, SIX = {"ip": "192.0.2.1"}, {"ip": "192.0.2.2"}, {"ip": "2001:db8::1"}
NAMED = {"hostname": "lb.example.com"}


def test_while_it_gives_none_the_condition_says_so_and_no_certificate_is_made() -> None:
    walked = first(world.tenant(**BALANCED), balanced())
    assert condition(walked, "EndpointReady")["reason"] == "LoadBalancerPending"
    assert "see its events" in condition(walked, "EndpointReady")["message"]
    assert "certificates" not in walked.said


def test_one_that_comes_late_reaches_all() -> None:
    raw = world.tenant(**BALANCED)
    walked = next_pass(first(raw, balanced()), raw, balanced(ONE))
    assert reported(walked)["controlPlaneEndpoint"] == "192.0.2.1:6443"
    assert reported(walked)["kubernetesResources"]["service"]["loadBalancer"] == {"ingress": [ONE]}
    assert "192.0.2.1" in certificate_hosts(walked)
    assert servers(walked)["admin.conf"] == "https://192.0.2.1:6443"
    assert "server: https://192.0.2.1:6443" in cluster_info(walked)
    assert "--advertise-address=192.0.2.1" in walked.args("kube-apiserver")


def test_another_one_takes_its_place_everywhere() -> None:
    raw = world.tenant(**BALANCED)
    walked = next_pass(first(raw, balanced(ONE)), raw, balanced(TWO))
    assert reported(walked)["controlPlaneEndpoint"] == "192.0.2.2:6443"
    assert "192.0.2.2" in certificate_hosts(walked)
    assert "192.0.2.1" not in certificate_hosts(walked)
    assert servers(walked)["admin.conf"] == servers(walked)["super-admin.conf"] == "https://192.0.2.2:6443"
    assert "server: https://192.0.2.2:6443" in cluster_info(walked)


def test_of_several_all_are_in_the_certificate_and_one_is_told() -> None:
    walked = first(world.tenant(**BALANCED), balanced(ONE, TWO, NAMED))
    assert {"192.0.2.1", "192.0.2.2", "lb.example.com"} <= certificate_hosts(walked)
    assert reported(walked)["controlPlaneEndpoint"] == "192.0.2.1:6443"
    assert reported(walked)["kubernetesResources"]["service"]["loadBalancer"]["ingress"] == [ONE, TWO, NAMED]


def test_another_order_or_one_more_changes_nobodys_kubeconfig() -> None:
    raw = world.tenant(**BALANCED)
    before = first(raw, balanced(ONE))
    walked = next_pass(before, raw, balanced(TWO, ONE))
    assert reported(walked)["controlPlaneEndpoint"] == "192.0.2.1:6443"
    assert servers(walked) == servers(before)
    assert "192.0.2.2" in certificate_hosts(walked)


def test_when_the_one_that_was_told_is_gone_another_is() -> None:
    raw = world.tenant(**BALANCED)
    walked = next_pass(first(raw, balanced(ONE, TWO)), raw, balanced(TWO))
    assert reported(walked)["controlPlaneEndpoint"] == "192.0.2.2:6443"


def test_when_all_are_gone_what_stands_is_kept() -> None:
    raw = world.tenant(**BALANCED)
    before = first(raw, balanced(ONE))
    walked = next_pass(before, raw, balanced())
    assert reported(walked)["controlPlaneEndpoint"] == "192.0.2.1:6443"
    assert servers(walked) == servers(before)
    assert condition(walked, "EndpointReady")["reason"] == "LoadBalancerPending"
    assert reported(walked)["kubernetesResources"]["service"]["loadBalancer"] == {"ingress": []}


@pytest.mark.parametrize("order", [(SIX, ONE), (ONE, SIX)])
def test_of_two_families_the_one_of_the_first_service_range_is_told(order: tuple[dict[str, str], ...]) -> None:
    four_first = {"serviceCidrs": ["10.96.0.0/16", "fd02::/112"], "podCidrs": ["10.244.0.0/16", "fd01::/48"]}
    walked = first(world.tenant(**BALANCED, networkProfile=four_first), balanced(*order))
    assert reported(walked)["controlPlaneEndpoint"] == "192.0.2.1:6443"
    six_first = {key: list(reversed(value)) for key, value in four_first.items()}
    walked = first(world.tenant(**BALANCED, networkProfile=six_first), balanced(*order))
    assert reported(walked)["controlPlaneEndpoint"] == "[2001:db8::1]:6443"
    assert {"192.0.2.1", "2001:db8::1"} <= certificate_hosts(walked)


def test_one_of_the_wrong_family_is_not_told_so_that_the_right_one_is_when_it_comes() -> None:
    raw = world.tenant(**BALANCED)
    before = first(raw, balanced(SIX))
    assert condition(before, "EndpointReady")["reason"] == "AddressFamilyMismatch"
    assert "controlPlaneEndpoint" not in reported(before)
    walked = next_pass(before, raw, balanced(SIX, ONE))
    assert reported(walked)["controlPlaneEndpoint"] == "192.0.2.1:6443"


def test_one_that_was_told_stays_whatever_comes_beside_it() -> None:
    raw = world.tenant(**BALANCED, networkProfile={"advertiseAddress": "10.0.0.1"})
    before = first(raw, balanced(SIX))
    assert reported(before)["controlPlaneEndpoint"] == "[2001:db8::1]:6443"
    assert reported(next_pass(before, raw, balanced(ONE, SIX)))["controlPlaneEndpoint"] == "[2001:db8::1]:6443"
    named = first(world.tenant(**BALANCED), balanced(NAMED))
    walked = next_pass(named, world.tenant(**BALANCED), balanced(ONE, NAMED))
    assert reported(walked)["controlPlaneEndpoint"] == "lb.example.com:6443"


def test_a_balancer_with_a_host_name_alone_works() -> None:
    walked = first(world.tenant(**BALANCED), balanced(NAMED))
    assert reported(walked)["controlPlaneEndpoint"] == "lb.example.com:6443"
    assert "lb.example.com" in certificate_hosts(walked)
    assert servers(walked)["admin.conf"] == "https://lb.example.com:6443"
    assert "server: https://lb.example.com:6443" in cluster_info(walked)
    assert not [each for each in walked.args("kube-apiserver") if each.startswith("--advertise-address")]
    assert reported(walked)["conditions"][0]["status"] == "True"


def test_an_address_that_the_user_names_is_told_and_the_balancers_are_in_the_certificate_too() -> None:
    walked = first(world.tenant(**BALANCED, networkProfile={"address": "api.example.com"}), balanced(ONE))
    assert reported(walked)["controlPlaneEndpoint"] == "api.example.com:6443"
    assert {"192.0.2.1", "api.example.com"} <= certificate_hosts(walked)


def test_a_service_that_was_a_balancer_once_speaks_no_more_of_it() -> None:
    raw = world.tenant(**BALANCED)
    before = first(raw, balanced(ONE))
    walked = next_pass(before, world.tenant(), balanced())
    assert reported(walked)["controlPlaneEndpoint"] == "10.96.7.7:6443"
    assert "192.0.2.1" not in certificate_hosts(walked)


def test_the_balancer_is_asked_as_the_spec_says() -> None:
    plane = {"service": {"serviceType": "LoadBalancer", "allocateLoadBalancerNodePorts": False}}
    profile = {"loadBalancerClass": "example.com/lb", "loadBalancerSourceRanges": ["10.0.0.0/8"]}
    walked = first(world.tenant(controlPlane=plane, networkProfile=profile), balanced(ONE))
    spec = walked.one(kinds.SERVICE, "demo")["spec"]
    assert spec["loadBalancerClass"] == "example.com/lb"
    assert spec["loadBalancerSourceRanges"] == ["10.0.0.0/8"]
    assert spec["allocateLoadBalancerNodePorts"] is False


@pytest.mark.parametrize(
    ("kind", "profile", "external"),
    [
        ("ClusterIP", {"address": "192.0.2.9", "allowAddressAsExternalIP": True}, ["192.0.2.9"]),
        ("NodePort", {"address": "192.0.2.9", "allowAddressAsExternalIP": True}, ["192.0.2.9"]),
        ("ClusterIP", {"address": "192.0.2.9"}, None),
        ("ClusterIP", {"address": "192.0.2.9", "allowAddressAsExternalIP": False}, None),
        ("ClusterIP", {"allowAddressAsExternalIP": True}, None),
        ("ClusterIP", {"address": "api.example.com", "allowAddressAsExternalIP": True}, None),
        ("LoadBalancer", {"address": "192.0.2.9", "allowAddressAsExternalIP": True}, None),
    ],
)
def test_an_address_becomes_an_external_ip_only_where_that_is_allowed(
    kind: str, profile: dict[str, object], external: list[str] | None
) -> None:
    walked = first(world.tenant(controlPlane={"service": {"serviceType": kind}}, networkProfile=profile), balanced(ONE))
    assert walked.one(kinds.SERVICE, "demo")["spec"].get("externalIPs") == external


def test_a_certificate_that_says_all_is_kept() -> None:
    raw = world.tenant(**BALANCED)
    before = first(raw, balanced(ONE, TWO))
    walked = next_pass(before, raw, balanced(TWO, ONE))
    secret = names.api_server_secret("demo")
    assert walked.view.secret(secret) == before.view.secret(secret)
