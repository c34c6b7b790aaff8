"""What cannot be hosted is refused with a reason, the field, the value and what to do; what can be hosted passes."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api import names
from provider.api.verdict import Invalid
from provider.hosting.desired import accepted
from provider.manifest import Manifest
from tests.golden.world import tenant, view


def refused(raw: Manifest) -> Invalid:
    with pytest.raises(Invalid) as caught:
        list(accepted.build(view(raw)))
    return caught.value


def network(**fields: Any) -> Manifest:
    return tenant(networkProfile=fields)


def version(text: str) -> Manifest:
    return tenant(kubernetes={"version": text})


def annotated(name: str, value: str) -> Manifest:
    return tenant(annotations={name: value})


def ports(*said: dict[str, Any]) -> Manifest:
    whole = [
        {"name": f"extra-{number}", "port": 9000 + number, "targetPort": 9000} | each
        for number, each in enumerate(said)
    ]
    return tenant(controlPlane={"service": {"serviceType": "ClusterIP", "additionalPorts": whole}})


def pods(**fields: Any) -> Manifest:
    return tenant(controlPlane={"deployment": fields})


FAULTS: list[tuple[Manifest, str, str]] = [
    (tenant(metadata={"name": "1st"}), "NameInvalid", "metadata.name '1st' becomes the name of a Service"),
    (tenant(metadata={"name": "a.b"}), "NameInvalid", "metadata.name 'a.b'"),
    (tenant(metadata={"name": "a" * 64}), "NameInvalid", "at most 63"),
    (ports({"name": "Web"}), "AdditionalPortInvalid", "additionalPorts: name 'Web' is none: write at most 63"),
    (ports({"targetPort": 0}), "AdditionalPortInvalid", "targetPort 0 of extra-0 is none: write 1 to 65535"),
    (ports({"targetPort": "443"}), "AdditionalPortInvalid", "targetPort '443' of extra-0"),
    (ports({"targetPort": "a--b"}), "AdditionalPortInvalid", "targetPort 'a--b' of extra-0"),
    (ports({"appProtocol": "a b"}), "AdditionalPortInvalid", "appProtocol 'a b' of extra-0 is none: write one such as"),
    (
        ports({"name": "kube-apiserver"}),
        "AdditionalPortTaken",
        "name 'kube-apiserver' or port 9000/TCP stands for another",
    ),
    (ports({"port": 6443}), "AdditionalPortTaken", "port 6443/TCP stands for another port of the Service already"),
    (ports({}, {"port": 9000}), "AdditionalPortTaken", "name 'extra-1' or port 9000/TCP"),
    (ports({}, {"name": "extra-0"}), "AdditionalPortTaken", "name 'extra-0' or port 9001/TCP"),
    (pods(runtimeClassName="g visor"), "NameInvalid", "deployment.runtimeClassName 'g visor' is no name of an object"),
    (pods(serviceAccountName="a_b"), "NameInvalid", "deployment.serviceAccountName 'a_b' is no name of an object"),
    (version("v1.36"), "VersionMalformed", "spec.kubernetes.version 'v1.36' is no version: write one from v1.33"),
    (version("v1.32.9"), "VersionTooOld", "'v1.32.9' is older than the oldest that is supported: write one from v1.33"),
    (version("v1.99.0"), "VersionTooNew", "'v1.99.0' is newer than the newest"),
    (network(serviceCidr=""), "ServiceRangeMissing", "networkProfile.serviceCidrs is empty: write one, such as"),
    (network(serviceCidrs=["10.96.0.0/33"]), "NetworkMalformed", "networkProfile.serviceCidrs: '10.96.0.0/33'"),
    (network(podCidrs=["pods"]), "NetworkMalformed", "networkProfile.podCidrs: 'pods' is no CIDR: write one such as"),
    (
        network(podCidrs=["10.1.0.0/16", "10.2.0.0/16"]),
        "NetworkMalformed",
        "networkProfile.podCidrs: 10.1.0.0/16, 10.2.0.0/16 are not one range, or one a family",
    ),
    (
        network(podCidrs=["10.96.128.0/24"]),
        "NetworksOverlap",
        "service range 10.96.0.0/16 overlaps pod range 10.96.128.0/24: choose ranges",
    ),
    (
        network(serviceCidrs=["10.96.0.0/29"]),
        "ServiceRangeTooSmall",
        "networkProfile.serviceCidrs: 10.96.0.0/29 has 8 addresses and needs at least 11: write a wider one",
    ),
    (network(serviceCidrs=["10.96.0.1/32"]), "ServiceRangeTooSmall", "10.96.0.1/32 has 1 addresses"),
    (
        network(serviceCidrs=["10.96.0.0/30"], dnsServiceIPs=["10.96.0.2"]),
        "ServiceRangeTooSmall",
        "has 4 addresses and needs at least 8",
    ),
    (
        network(dnsServiceIPs=["10.97.0.10"]),
        "DNSServiceIPInvalid",
        "networkProfile.dnsServiceIPs: '10.97.0.10' is no address in a service range: write one in 10.96.0.0/16",
    ),
    (network(dnsServiceIPs=["dns"]), "DNSServiceIPInvalid", "'dns' is no address"),
    (
        network(advertiseAddress="api.example.com"),
        "AddressInvalid",
        "networkProfile.advertiseAddress 'api.example.com' is no IP address: write one, or remove it",
    ),
    (network(clusterDomain="a.b {\n}"), "ClusterDomainInvalid", "networkProfile.clusterDomain 'a.b {\\n}' is no DNS"),
    (network(clusterDomain="clüster.local"), "ClusterDomainInvalid", "such as cluster.local"),
    (
        network(certSANs=["api.example.com:6443"]),
        "CertSANInvalid",
        "networkProfile.certSANs: 'api.example.com:6443' is no IP address, DNS name or wildcard",
    ),
    (network(certSANs=["a*.example.com"]), "CertSANInvalid", "'a*.example.com'"),
    (network(certSANs=["fe80::1%eth0"]), "CertSANInvalid", "'fe80::1%eth0'"),
    (network(address="api.example.com:6443"), "AddressInvalid", "networkProfile.address 'api.example.com:6443'"),
    (network(address="fe80::1%eth0"), "AddressInvalid", "networkProfile.address 'fe80::1%eth0' is no IP address"),
    (tenant(dataStoreSchema="a/b"), "KeyspaceNameInvalid", "spec.dataStoreSchema 'a/b' cannot name a part"),
    (tenant(dataStoreSchema="root"), "KeyspaceNameInvalid", "and not root; or leave it out"),
    (tenant(dataStoreUsername="root"), "KeyspaceNameInvalid", "spec.dataStoreUsername 'root'"),
    (tenant(dataStoreSchema="-a"), "KeyspaceNameInvalid", "spec.dataStoreSchema '-a'"),
    (tenant(dataStoreSchema=""), "KeyspaceNameInvalid", "spec.dataStoreSchema ''"),
    (tenant(dataStoreUsername="u" * 65), "KeyspaceNameInvalid", "which has at most 64 characters"),
    (annotated(names.ANNOTATION_GOGC, "lean"), "AnnotationInvalid", "write a number such as 100, or off, or remove it"),
    (annotated(names.ANNOTATION_GOGC, "0"), "AnnotationInvalid", f"{names.ANNOTATION_GOGC} '0'"),
    (
        annotated(names.ANNOTATION_KUBE_PROXY_MODE, "ipvs"),
        "AnnotationInvalid",
        "'ipvs' is no mode: write one of nftables, iptables",
    ),
]


@pytest.mark.parametrize(("raw", "reason", "words"), FAULTS, ids=[f"{reason}: {words}" for _, reason, words in FAULTS])
def test_a_fault_is_named_with_its_value_and_what_to_do(raw: Manifest, reason: str, words: str) -> None:
    found = refused(raw)
    assert found.reason == reason
    assert words in found.message


@pytest.mark.parametrize(
    "raw",
    [
        tenant(),
        version("1.34.0"),
        version("v1.37.0-rc.1+vendor"),
        network(serviceCidrs=["10.96.0.0/16", "fd00::/112"], podCidrs=["fd01::/64", "10.244.0.0/16"]),
        network(serviceCidrs=["10.96.0.0/28"]),
        network(serviceCidrs=["10.96.0.0/29"], dnsServiceIPs=["10.96.0.2"]),
        network(podCidr=""),
        network(certSANs=["a.example", "*.example.com", "192.0.2.1", "2001:db8::1"]),
        network(address="api.example.com"),
        network(advertiseAddress="2001:db8::1"),
        network(clusterDomain="tenant-1.internal"),
        tenant(dataStoreSchema="team_a.db-1", dataStoreUsername="u" * 64),
        annotated(names.ANNOTATION_GOGC, "off"),
        annotated(names.ANNOTATION_KUBE_PROXY_MODE, "iptables"),
        tenant(metadata={"name": "a" * 63}),
        ports({"protocol": "UDP", "port": 6443, "targetPort": "dns-udp"}, {"appProtocol": "example.com/h2c"}),
        pods(runtimeClassName="gvisor", serviceAccountName="tenants.pods"),
    ],
)
def test_what_can_be_hosted_passes_and_says_nothing(raw: Manifest) -> None:
    assert list(accepted.build(view(raw))) == []
    assert accepted.report(view(raw)) == {}
