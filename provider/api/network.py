"""The address plan of a tenant: endpoint, certificate names, service and pod ranges, DNS. Shared words of both rooms.

`Network` is the deprecated single range and the list of ranges made one, in the order written.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Final

from pydantic import Field

from provider.api.model import Model
from provider.api.schema import DNS_SUBDOMAIN, Extra, Port, Rule, immutable
from provider.api.verdict import Invalid

API_SERVER_PORT: Final = 6443
CLUSTER_DOMAIN: Final = "cluster.local"
DNS_INDEX: Final = 10  # kubeadm's GetDNSIP: the tenth address of a service range is its DNS service

SINGLE_CIDR = Rule("self == '' || isCIDR(self)", "must be a CIDR such as 10.96.0.0/16, or empty")
EACH_CIDR = Rule("self.all(range, isCIDR(range))", "every entry must be a CIDR such as 10.96.0.0/16")
TWO_FAMILIES = Rule(
    "size(self) < 2 || !self.all(range, isCIDR(range)) || cidr(self[0]).ip().family() != cidr(self[1]).ip().family()",
    "two ranges must be of different IP families (dual stack): remove one of them",
)
IP_OR_EMPTY = Rule("self == '' || isIP(self)", "must be an IP address, or empty")
CERT_SAN = Rule(
    f"isIP(self) || self.matches(r'^([*][.])?{DNS_SUBDOMAIN}$')",
    "must be an IP address, a DNS name or a wildcard such as *.example.com, without a port",
)

Cidr = Annotated[str, Field(max_length=64)]
CertSANs = Annotated[
    tuple[Annotated[str, Field(max_length=253), CERT_SAN], ...],
    Field(max_length=256, description="More names and addresses for the API server's certificate."),
]
DNSServiceIPs = Annotated[
    tuple[Annotated[str, Field(max_length=64), Rule("isIP(self)", "must be an IP address")], ...], Field(max_length=8)
]
SourceRanges = Annotated[tuple[Cidr, ...], Field(max_length=16), EACH_CIDR]

# Ranges that count: the list where it is given, else the deprecated single one. Two CIDRs overlap when one holds the
# address of the other.
PODS = "(has(self.podCidrs) ? self.podCidrs : has(self.podCidr) ? [self.podCidr] : [])"
SERVICES = "(has(self.serviceCidrs) ? self.serviceCidrs : has(self.serviceCidr) ? [self.serviceCidr] : [])"
SAID_PODS = "(has(self.podCidrs) ? self.podCidrs.join(', ') : self.podCidr)"
SAID_SERVICES = "(has(self.serviceCidrs) ? self.serviceCidrs.join(', ') : self.serviceCidr)"
NO_OVERLAP = Rule(
    f"{PODS}.all(p, {SERVICES}.all(s, !isCIDR(p) || !isCIDR(s)"
    " || !(cidr(p).containsIP(cidr(s).ip()) || cidr(s).containsIP(cidr(p).ip()))))",
    "pod and service ranges overlap: choose ranges that have no address in common",
    shown=f"'pod range ' + {SAID_PODS} + ' overlaps service range ' + {SAID_SERVICES}"
    " + ': choose ranges that have no address in common'",
)
DNS_IN_SERVICES = Rule(
    f"!has(self.dnsServiceIPs) || self.dnsServiceIPs.all(d, !isIP(d)"
    f" || {SERVICES}.exists(s, isCIDR(s) && cidr(s).containsIP(ip(d))))",
    "every entry of dnsServiceIPs must lie in a service range",
    shown=f"'dnsServiceIPs must lie in a service range: ' + {SAID_SERVICES}",
    field=".dnsServiceIPs",
)


WIDE_ENOUGH = Rule(
    f"{SERVICES}.all(s, !isCIDR(s) || cidr(s).prefixLength() <= (cidr(s).ip().family() == 4 ? 28 : 124)"
    " + (has(self.dnsServiceIPs) && size(self.dnsServiceIPs) > 0 ? 1 : 0))",
    "a service range needs sixteen addresses, for the tenth is the cluster DNS's (eight with dnsServiceIPs): write a wider one",
    shown=f"'a service range is too small: ' + {SAID_SERVICES} + ': write a wider one, such as 10.96.0.0/16'",
)
NAME_OR_ADDRESS = Rule(
    f"self == '' || isIP(self) || self.matches('^{DNS_SUBDOMAIN}$')",
    "must be an IP address or a DNS name, without a port",
)
DOMAIN = Rule(f"self.matches('^{DNS_SUBDOMAIN}$')", "must be a DNS domain such as cluster.local")


class NetworkProfile(Model):
    """Where the API server is reached and which ranges the tenant's cluster uses."""

    RULES = (NO_OVERLAP, DNS_IN_SERVICES, WIDE_ENOUGH)

    address: Annotated[
        Annotated[str, Extra(maxLength=253), NAME_OR_ADDRESS] | None,
        Field(description="Address clients use; where absent, the Service's own is taken."),
    ] = None
    advertise_address: Annotated[
        Annotated[str, Field(max_length=64), IP_OR_EMPTY] | None,
        Field(description="Address the API server advertises, where it differs from the one clients use."),
    ] = None
    allow_address_as_external_ip: Annotated[
        bool | None,
        Field(
            alias="allowAddressAsExternalIP",
            description="Whether an IP `address` is among the externalIPs of a Service that is no LoadBalancer.",
        ),
    ] = None
    port: Annotated[
        Port, Field(description="Port of the API server, its Service and, with NodePort, its node port.")
    ] = API_SERVER_PORT
    cert_sans: CertSANs = ()
    cluster_domain: Annotated[str, Field(pattern=r".*\..*", max_length=253), DOMAIN] = CLUSTER_DOMAIN
    service_cidr: Annotated[
        Annotated[Cidr, SINGLE_CIDR], Field(description="Deprecated: serviceCidrs, which wins over it.")
    ] = "10.96.0.0/16"
    service_cidr_list: Annotated[
        tuple[Cidr, ...], Field(alias="serviceCidrs", min_length=1, max_length=2), EACH_CIDR, TWO_FAMILIES
    ] = ()
    pod_cidr: Annotated[
        Annotated[Cidr, SINGLE_CIDR], Field(description="Deprecated: podCidrs, which wins over it.")
    ] = "10.244.0.0/16"
    pod_cidr_list: Annotated[
        tuple[Cidr, ...], Field(alias="podCidrs", min_length=1, max_length=2), EACH_CIDR, TWO_FAMILIES
    ] = ()
    dns_service_ips: Annotated[
        DNSServiceIPs, Field(description="Addresses of the cluster DNS; where absent, the tenth of each service range.")
    ] = ()
    load_balancer_class: Annotated[str, Field(min_length=1), immutable("loadBalancerClass")] | None = None
    load_balancer_source_ranges: SourceRanges = ()

    @property
    def service_cidrs(self) -> tuple[str, ...]:
        """Service ranges in the order written, without repetitions; the list wins over the single one."""
        return _ranges(self.service_cidr_list, self.service_cidr)

    @property
    def pod_cidrs(self) -> tuple[str, ...]:
        """Pod ranges in the order written, without repetitions; the list wins over the single one."""
        return _ranges(self.pod_cidr_list, self.pod_cidr)

    @property
    def dns_addresses(self) -> tuple[str, ...]:
        """Addresses of the cluster DNS, one a service range unless said otherwise. Raises Invalid on a range that is none."""
        return self.dns_service_ips or tuple(_nth(cidr, DNS_INDEX) for cidr in self.service_cidrs)


def _ranges(several: tuple[str, ...], single: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(cidr for cidr in several or (single,) if cidr))


def _nth(cidr: str, index: int) -> str:
    try:
        return str(ipaddress.ip_network(cidr, strict=False)[index])
    except (ValueError, IndexError):
        raise Invalid(
            "InvalidNetwork", f"service range {cidr!r} is no CIDR with at least {index + 1} addresses: widen it"
        ) from None
