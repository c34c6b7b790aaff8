"""Whether what the user wrote can be hosted at all. Yields nothing: each fault is Invalid, which names field, value, advice.

The CRD's rules refuse most of this at the door; this part holds where they were not in force (objects of upstream's CRD,
older releases) and where they cannot reach (flags, which of our rules a flag would break).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from provider.api import names
from provider.api.addons import HIGHEST_PORT, LOWEST_PORT
from provider.api.network import DNS_INDEX
from provider.api.schema import DNS_SUBDOMAIN
from provider.api.tenantcontrolplane import TenantControlPlane
from provider.api.verdict import Invalid
from provider.hosting import additionalports, quota, upgrade, versions
from provider.hosting.encryption import wish
from provider.hosting.endpoint import is_address
from provider.hosting.rotation import age
from provider.hosting.view import View
from provider.manifest import Manifest, meta

NAME = "spec"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
KEYSPACE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
CERT_NAME = re.compile(rf"([*][.])?{DNS_SUBDOMAIN}")
DOMAIN = re.compile(DNS_SUBDOMAIN)
PROXY_MODES = ("nftables", "iptables")
COMMON_NAME = 64  # characters of a certificate's common name (RFC 5280, ub-common-name)
LEAST = 8  # addresses of a service range without which kube-apiserver does not start
TUNNEL_PORTS = (8133, 8134)  # the proxy server's own, for administration and health
POD_PORTS = (10257, 10259, *TUNNEL_PORTS)  # controller manager, scheduler, proxy server


def build(view: View) -> Iterator[Manifest]:
    """Nothing; raises Invalid at the first fault."""
    _name(view.tcp)
    versions.of(view.tcp.spec.kubernetes.version)
    _networks(view.tcp)
    _domain(view.tcp)
    _certificate_names(view.tcp)
    _tunnel(view.tcp)
    additionalports.check(view.tcp)
    _names_of_others(view.tcp)
    _keyspace(view.tcp)
    _annotations(meta.annotations_of(view.raw))
    quota.of(view.raw)
    wish.of(view)
    age.check(view)
    yield from ()


def report(view: View) -> dict[str, Any]:
    """Nothing: the condition says it."""
    return {}


def _name(tcp: TenantControlPlane) -> None:
    if len(tcp.name) > 63 or not DNS_1035.fullmatch(tcp.name):
        raise Invalid(
            "NameInvalid",
            f"metadata.name {tcp.name!r} becomes the name of a Service: make a new object whose name has at most 63"
            " lower-case letters, digits and dashes and starts with a letter",
        )


def _names_of_others(tcp: TenantControlPlane) -> None:
    """Objects that the pods name. Of a name that cannot be one the API server would say so of a Deployment nobody wrote."""
    deployment = tcp.deployment
    for field, value in (
        ("runtimeClassName", deployment.runtime_class_name),
        ("serviceAccountName", deployment.service_account_name),
    ):
        if value and (len(value) > 253 or not DOMAIN.fullmatch(value)):
            raise Invalid(
                "NameInvalid",
                f"controlPlane.deployment.{field} {value!r} is no name of an object: write the name of one that exists",
            )


def _networks(tcp: TenantControlPlane) -> None:
    services = _parsed("serviceCidrs", tcp.network.service_cidrs)
    pods = _parsed("podCidrs", tcp.network.pod_cidrs)
    if not services:
        raise Invalid("ServiceRangeMissing", "networkProfile.serviceCidrs is empty: write one, such as 10.96.0.0/16")
    for (name, one), (other_name, other) in combinations(
        [("service", s) for s in services] + [("pod", p) for p in pods], 2
    ):
        if one.version == other.version and one.overlaps(other):
            raise Invalid(
                "NetworksOverlap",
                f"networkProfile: {name} range {one} overlaps {other_name} range {other}:"
                " choose ranges that have no address in common",
            )
    _wide_enough(tcp, services)
    for each in tcp.network.dns_service_ips:
        if not is_address(each) or not any(ipaddress.ip_address(each) in one for one in services):
            said = ", ".join(map(str, services))
            raise Invalid(
                "DNSServiceIPInvalid",
                f"networkProfile.dnsServiceIPs: {each!r} is no address in a service range: write one in {said},"
                " or remove it to have the tenth address taken",
            )
    if tcp.network.advertise_address and not is_address(tcp.network.advertise_address):
        raise Invalid(
            "AddressInvalid",
            f"networkProfile.advertiseAddress {tcp.network.advertise_address!r} is no IP address: write one, or remove it",
        )


def _wide_enough(tcp: TenantControlPlane, services: Sequence[Network]) -> None:
    """The first address is the API server's; the tenth is the DNS's, where the user names no other."""
    least = LEAST if tcp.network.dns_service_ips else DNS_INDEX + 1
    for each in services:
        if each.num_addresses < least:
            raise Invalid(
                "ServiceRangeTooSmall",
                f"networkProfile.serviceCidrs: {each} has {each.num_addresses} addresses and needs at least {least}:"
                " write a wider one, such as 10.96.0.0/16",
            )


def _domain(tcp: TenantControlPlane) -> None:
    """It becomes a name in certificates and a word of the Corefile."""
    if not DOMAIN.fullmatch(tcp.network.cluster_domain):
        raise Invalid(
            "ClusterDomainInvalid",
            f"networkProfile.clusterDomain {tcp.network.cluster_domain!r} is no DNS domain and cannot be changed:"
            " make a new object with one such as cluster.local",
        )


def _parsed(field: str, ranges: Sequence[str]) -> list[Network]:
    found = []
    for each in ranges:
        try:
            found.append(ipaddress.ip_network(each, strict=False))
        except ValueError:
            raise Invalid(
                "NetworkMalformed", f"networkProfile.{field}: {each!r} is no CIDR: write one such as 10.96.0.0/16"
            ) from None
    if len(found) > 2 or len({each.version for each in found}) != len(found):
        raise Invalid(
            "NetworkMalformed",
            f"networkProfile.{field}: {', '.join(ranges)} are not one range, or one a family: remove what is too much",
        )
    return found


def _certificate_names(tcp: TenantControlPlane) -> None:
    for each in tcp.network.cert_sans:
        if not is_address(each) and (len(each) > 253 or not CERT_NAME.fullmatch(each)):
            raise Invalid(
                "CertSANInvalid",
                f"networkProfile.certSANs: {each!r} is no IP address, DNS name or wildcard such as *.example.com:"
                " write one, without a port",
            )
    address = tcp.network.address
    if address and not is_address(address) and (len(address) > 253 or not CERT_NAME.fullmatch(address)):
        raise Invalid(
            "AddressInvalid",
            f"networkProfile.address {address!r} is no IP address and no DNS name: write one, without a port",
        )


def _tunnel(tcp: TenantControlPlane) -> None:
    """The proxy server's port is one of the pod's and of the Service's."""
    if tcp.spec.addons.konnectivity is None:
        return
    port, others = tcp.spec.addons.konnectivity.server.port, {each.port for each in tcp.service.additional_ports}
    if not LOWEST_PORT <= port <= HIGHEST_PORT or port in {tcp.network.port, *others, *POD_PORTS}:
        taken = ", ".join(map(str, sorted({tcp.network.port, *others, *POD_PORTS})))
        raise Invalid(
            "KonnectivityPortInvalid",
            f"addons.konnectivity.server.port {port} cannot be had: write one from {LOWEST_PORT} to {HIGHEST_PORT} that"
            f" is not among {taken}, such as 8132",
        )
    if tcp.network.port in TUNNEL_PORTS:
        raise Invalid(
            "KonnectivityPortInvalid",
            f"networkProfile.port {tcp.network.port} is one that the proxy server of addons.konnectivity needs:"
            " write another, or remove addons.konnectivity",
        )


def _keyspace(tcp: TenantControlPlane) -> None:
    for field, value in (
        ("dataStoreSchema", tcp.spec.data_store_schema),
        ("dataStoreUsername", tcp.spec.data_store_username),
    ):
        if value is not None and (value == "root" or len(value) > 253 or not KEYSPACE.fullmatch(value)):
            raise Invalid(
                "KeyspaceNameInvalid",
                f"spec.{field} {value!r} cannot name a part of a shared datastore: use letters, digits and . _ -"
                " between them, and not root; or leave it out to get a unique one",
            )
    if len(tcp.spec.data_store_username or "") > COMMON_NAME:
        raise Invalid(
            "KeyspaceNameInvalid",
            f"spec.dataStoreUsername {tcp.spec.data_store_username!r} is the common name of the certificate that logs in"
            f" with it, which has at most {COMMON_NAME} characters: make a new object with a shorter one, or without",
        )


def _annotations(annotations: dict[str, str]) -> None:
    gogc = annotations.get(names.ANNOTATION_GOGC)
    if gogc is not None and gogc != "off" and not re.fullmatch(r"[1-9][0-9]{0,3}", gogc):
        raise Invalid(
            "AnnotationInvalid",
            f"annotation {names.ANNOTATION_GOGC} {gogc!r} is no percentage for Go's collector:"
            " write a number such as 100, or off, or remove it",
        )
    deadline = annotations.get(names.ANNOTATION_UPGRADE_DEADLINE)
    if deadline is not None and not upgrade.DEADLINE.fullmatch(deadline):
        raise Invalid(
            "AnnotationInvalid",
            f"annotation {names.ANNOTATION_UPGRADE_DEADLINE} {deadline!r} is no number of seconds:"
            " write one from 1 to 99999, such as 600, or remove it",
        )
    mode = annotations.get(names.ANNOTATION_KUBE_PROXY_MODE)
    if mode is not None and mode not in PROXY_MODES:
        raise Invalid(
            "AnnotationInvalid",
            f"annotation {names.ANNOTATION_KUBE_PROXY_MODE} {mode!r} is no mode: write one of {', '.join(PROXY_MODES)}",
        )
