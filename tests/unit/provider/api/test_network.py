from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.api.network import NetworkProfile
from provider.api.verdict import Invalid


def test_when_nothing_is_said_then_the_ranges_are_upstreams() -> None:
    network = NetworkProfile()
    assert network.service_cidrs == ("10.96.0.0/16",)
    assert network.pod_cidrs == ("10.244.0.0/16",)
    assert network.dns_addresses == ("10.96.0.10",)
    assert (network.port, network.cluster_domain) == (6443, "cluster.local")


def test_when_the_list_is_given_then_it_wins_over_the_single_range() -> None:
    network = NetworkProfile.parse({"podCidr": "10.1.0.0/16", "podCidrs": ["10.2.0.0/16"]})
    assert network.pod_cidrs == ("10.2.0.0/16",)


@pytest.mark.keeps("better.dual-stack")
def test_when_two_families_are_given_then_their_order_stays() -> None:
    network = NetworkProfile.parse({"serviceCidrs": ["fd02::/112", "10.2.0.0/16"]})
    assert network.service_cidrs == ("fd02::/112", "10.2.0.0/16")
    assert network.dns_addresses == ("fd02::a", "10.2.0.10")


def test_when_a_range_is_said_twice_then_it_counts_once() -> None:
    assert NetworkProfile.parse({"podCidrs": ["10.1.0.0/16", "10.1.0.0/16"]}).pod_cidrs == ("10.1.0.0/16",)


def test_when_the_single_range_is_empty_then_there_is_none() -> None:
    assert NetworkProfile.parse({"serviceCidr": ""}).service_cidrs == ()


def test_when_dns_addresses_are_given_then_they_stand() -> None:
    assert NetworkProfile.parse({"dnsServiceIPs": ["10.96.0.53"]}).dns_addresses == ("10.96.0.53",)


def test_when_a_service_range_has_host_bits_then_dns_is_counted_from_its_start() -> None:
    assert NetworkProfile.parse({"serviceCidr": "10.96.7.7/16"}).dns_addresses == ("10.96.0.10",)


@pytest.mark.parametrize("cidr", ["10.96.0.0/29", "10.96.0.0/33", "services"])
def test_when_a_service_range_has_no_tenth_address_then_the_user_is_told(cidr: str) -> None:
    with pytest.raises(Invalid, match="at least 11 addresses") as caught:
        _ = NetworkProfile(service_cidr=cidr).dns_addresses
    assert caught.value.reason == "InvalidNetwork"


@pytest.mark.keeps("better.dns-cleared")
@given(
    st.one_of(
        st.tuples(st.ip_addresses(v=4), st.integers(8, 28)),
        st.tuples(st.ip_addresses(v=6), st.integers(64, 124)),
    )
)
def test_the_dns_address_lies_in_its_range(drawn: tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]) -> None:
    cidr = f"{drawn[0]}/{drawn[1]}"
    (address,) = NetworkProfile(service_cidr_list=(cidr,)).dns_addresses
    network = ipaddress.ip_network(cidr, strict=False)
    assert int(ipaddress.ip_address(address)) - int(network.network_address) == 10
    assert ipaddress.ip_address(address) in network
