"""Where a tenant's API server is reached: the user's address, else the Service's, and what is said while there is none."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api import kinds
from provider.api.verdict import Invalid, NotReady
from provider.hosting import endpoint
from provider.hosting.desired import address
from provider.hosting.endpoint import Endpoint
from provider.hosting.view import View
from provider.manifest import Manifest, meta
from tests.golden.world import tenant, view


def service(*, cluster_ip: str | None = None, ingress: list[dict[str, str]] | None = None) -> Manifest:
    spec = {"clusterIP": cluster_ip} if cluster_ip is not None else {}
    return meta.new(kinds.SERVICE, "demo", "tenants", spec=spec, status={"loadBalancer": {"ingress": ingress}})


def seen(kind: str, *objects: Manifest, said: str = "", **network: Any) -> View:
    raw = tenant(controlPlane={"service": {"serviceType": kind}}, networkProfile=network)
    raw["status"] = {"controlPlaneEndpoint": said}
    return view(raw, *objects)


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort", "LoadBalancer"])
def test_the_users_address_wins_over_any_service(kind: str) -> None:
    found = seen(kind, service(cluster_ip="10.96.0.5"), address="api.example.com", port=443)
    assert endpoint.assigned(found) == Endpoint("api.example.com", 443)
    assert endpoint.assigned(found).url == "https://api.example.com:443"


def test_a_service_of_the_cluster_has_its_cluster_ip() -> None:
    assert endpoint.assigned(seen("ClusterIP", service(cluster_ip="10.96.0.5"))).authority == "10.96.0.5:6443"


@pytest.mark.parametrize(
    ("ranges", "wanted"),
    [
        (["10.96.0.0/16", "fd00::/112"], "10.201.0.5"),
        (["fd00::/112", "10.96.0.0/16"], "fd00:201::5"),
        (["fd00::/112"], "fd00:201::5"),
    ],
)
def test_of_two_cluster_ips_the_one_of_the_first_service_ranges_family_is_told(ranges: list[str], wanted: str) -> None:
    both = service(cluster_ip="10.201.0.5")
    both["spec"]["clusterIPs"] = ["10.201.0.5", "fd00:201::5"]
    found = seen("ClusterIP", both, serviceCidrs=ranges)
    assert endpoint.assigned(found).host == endpoint.advertised(found) == wanted


def test_an_ipv6_address_stands_in_brackets() -> None:
    found = endpoint.assigned(seen("ClusterIP", service(cluster_ip="fd00::5")))
    assert (found.authority, found.url) == ("[fd00::5]:6443", "https://[fd00::5]:6443")


@pytest.mark.keeps("better.moving-addresses")
@pytest.mark.parametrize(
    ("ingress", "host"),
    [
        ([{"ip": "192.0.2.1"}, {"ip": "192.0.2.2"}], "192.0.2.1"),
        ([{"hostname": "lb.example.com"}], "lb.example.com"),
        ([{"hostname": "lb.example.com"}, {"ip": "192.0.2.1"}], "192.0.2.1"),
        ([{"ip": "", "hostname": "lb.example.com"}], "lb.example.com"),
    ],
)
def test_a_load_balancer_has_an_address_or_a_name(ingress: list[dict[str, str]], host: str) -> None:
    assert endpoint.assigned(seen("LoadBalancer", service(ingress=ingress))).host == host


@pytest.mark.parametrize("said", ["192.0.2.2:6443", "[2001:db8::2]:6443"])
def test_the_balancers_address_that_was_used_before_stays_while_it_has_it(said: str) -> None:
    ingress = [{"ip": each} for each in ("192.0.2.1", "192.0.2.2", "2001:db8::2")]
    found = endpoint.assigned(seen("LoadBalancer", service(ingress=ingress), said=said))
    assert found.authority == said
    gone = endpoint.assigned(seen("LoadBalancer", service(ingress=ingress), said="192.0.2.9:6443"))
    assert gone.host == "192.0.2.1"


@pytest.mark.keeps("better.phases")
@pytest.mark.parametrize(
    ("found", "reason", "words"),
    [
        (seen("ClusterIP"), "AddressUnknown", "waiting for a cluster IP of Service tenants/demo"),
        (seen("ClusterIP", service(cluster_ip="None")), "AddressUnknown", "waiting for a cluster IP"),
        (seen("NodePort", service(cluster_ip="10.96.0.5")), "AddressUnknown", "networkProfile.address is not set"),
        (seen("LoadBalancer"), "LoadBalancerPending", "waits for a load balancer to give it an address"),
        (seen("LoadBalancer", service(ingress=[])), "LoadBalancerPending", "use another serviceType"),
        (seen("LoadBalancer", service(ingress=None)), "LoadBalancerPending", "see its events"),
    ],
)
def test_while_there_is_no_address_it_is_said_what_to_do(found: View, reason: str, words: str) -> None:
    with pytest.raises(NotReady) as caught:
        list(address.build(found))
    assert caught.value.reason == reason
    assert words in caught.value.message
    assert address.report(found) == {}, "what was said before stays"


def test_nodes_use_the_advertised_address_and_clients_their_own() -> None:
    found = seen("NodePort", address="nodes.example.com", advertiseAddress="192.0.2.10", port=31443)
    assert endpoint.assigned(found).authority == "nodes.example.com:31443"
    assert endpoint.internal(found).authority == "192.0.2.10:31443"
    assert endpoint.advertised(found) == "192.0.2.10"
    assert address.report(found) == {"controlPlaneEndpoint": "nodes.example.com:31443"}


def test_where_only_a_name_is_known_nothing_is_advertised() -> None:
    assert endpoint.advertised(seen("NodePort", address="nodes.example.com")) == ""


def test_an_address_of_another_family_than_the_first_service_range_is_refused() -> None:
    found = seen("NodePort", address="2001:db8::1", serviceCidrs=["10.96.0.0/16", "fd00::/112"])
    with pytest.raises(Invalid) as caught:
        list(address.build(found))
    assert caught.value.reason == "AddressFamilyMismatch"
    assert "2001:db8::1" in caught.value.message
    assert "10.96.0.0/16" in caught.value.message
    swapped = seen("NodePort", address="2001:db8::1", serviceCidrs=["fd00::/112", "10.96.0.0/16"])
    assert endpoint.advertised(swapped) == "2001:db8::1"


@pytest.mark.parametrize(
    ("text", "answer"),
    [("192.0.2.1", True), ("::1", True), ("fe80::1%eth0", False), ("a.example", False), ("1.2.3", False), ("", False)],
)
def test_an_address_is_told_from_a_name(text: str, answer: bool) -> None:
    assert endpoint.is_address(text) is answer
    assert Endpoint(text, 1).is_address is answer
