"""Where a tenant's API server is reached: by clients, and by its own nodes. Shared by the builders that need to know.

The rules are upstream's: `networkProfile.address`, else what the Service got; kubeconfigs and cluster-info name the host of an
Ingress or a Gateway where there is one. A load balancer with a host name counts too, and so does each of several addresses.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from provider.api import kinds
from provider.api.verdict import Invalid, NotReady
from provider.hosting.view import View


@dataclass(frozen=True)
class Endpoint:
    """A host (IP address or DNS name) and a port."""

    host: str
    port: int

    @property
    def authority(self) -> str:
        """host:port, with brackets around an IPv6 address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """As `server` of a kubeconfig."""
        return f"https://{self.authority}"

    @property
    def is_address(self) -> bool:
        """Whether the host is an IP address."""
        return is_address(self.host)


def assigned(view: View) -> Endpoint:
    """What clients dial; `status.controlPlaneEndpoint`. NotReady says what is missing, and what to set."""
    return Endpoint(view.tcp.network.address or _from_service(view), view.tcp.network.port)


def internal(view: View) -> Endpoint:
    """What admin.conf, cluster-info and kubeadm-config name.

    The host name of an Ingress or a Gateway, else `advertiseAddress`, else the assigned endpoint. A wildcard cannot be dialled,
    so it only goes into the certificate.
    """
    if published := view.tcp.published:
        return Endpoint(*published)
    return direct(view)


def direct(view: View) -> Endpoint:
    """Without a route in between: `advertiseAddress` where set, else the assigned endpoint."""
    if advertise := view.tcp.network.advertise_address:
        return Endpoint(advertise, view.tcp.network.port)
    return assigned(view)


def known(view: View) -> frozenset[str]:
    """Every host under which clients may dial: what kubeconfigs name, names of routes, all that a load balancer gave."""
    plane = view.tcp.spec.control_plane
    routes = (each.host for each in (plane.ingress, plane.gateway) if each is not None)
    hosts = {assigned(view).host, direct(view).host, internal(view).host, *routes, *_balancer(view)}
    return frozenset(hosts - {""})


def advertised(view: View) -> str:
    """The IP address the API server advertises inside the tenant; empty where only a host name is known.

    Then it advertises its pod's address, which is right where nodes reach pods (cloud networks that give such names).
    Invalid when its family is not that of the first service range: kube-apiserver would refuse to start.
    """
    endpoint = direct(view)
    if not endpoint.is_address:
        return ""
    if not _fits(view, endpoint.host):
        raise Invalid(
            "AddressFamilyMismatch",
            f"the API server's address {endpoint.host} and the first service range"
            f" {view.tcp.network.service_cidrs[0]} are of different IP"
            " families: put the range of the address's family first in networkProfile.serviceCidrs,"
            " or set networkProfile.advertiseAddress to an address of the other family",
        )
    return endpoint.host


def is_address(text: str) -> bool:
    """Whether a text is an IP address. One with a zone (fe80::1%eth0) means something on one host only, and is none."""
    try:
        return not getattr(ipaddress.ip_address(text), "scope_id", None)
    except ValueError:
        return False


def _from_service(view: View) -> str:
    match view.tcp.service.service_type:
        case "NodePort":
            raise NotReady(
                "AddressUnknown",
                "networkProfile.address is not set, and a node port has no address of its own: set it to an address"
                " under which every client reaches the management cluster's nodes",
            )
        case "LoadBalancer":
            return _balanced(view, _balancer(view))
        case _:
            return _of_cluster(view)


def _of_cluster(view: View) -> str:
    """The cluster IP of the first service range's family, where the Service has one of each; else the one there is."""
    service = view.seen.get(kinds.SERVICE, view.name, view.namespace) or {}
    spec = service.get("spec") or {}
    given = [each for each in (spec.get("clusterIPs") or [spec.get("clusterIP")]) if each and each != "None"]
    if not given:
        raise NotReady("AddressUnknown", f"waiting for a cluster IP of Service {view.namespace}/{view.name}")
    return str(next((each for each in given if _fits(view, each)), given[0]))


def _balancer(view: View) -> list[str]:
    """Addresses, then host names that the Service's load balancer gave; none for a Service of another type."""
    if view.tcp.service.service_type != "LoadBalancer":
        return []
    service = view.seen.get(kinds.SERVICE, view.name, view.namespace) or {}
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return [each[key] for key in ("ip", "hostname") for each in ingress if each.get(key)]


def _balanced(view: View, given: Sequence[str]) -> str:
    """The one clients are told: an address of the first service range's family, else any, else a host name.

    One that was told before stays while the balancer has it, so that another order rolls nothing.
    """
    if not given:
        raise NotReady(
            "LoadBalancerPending",
            f"Service {view.namespace}/{view.name} waits for a load balancer to give it an address: see its events;"
            " where the cluster has no load balancer, use another serviceType",
        )
    told = str(view.status.get("controlPlaneEndpoint") or "").rpartition(":")[0].strip("[]")
    addresses = [each for each in given if is_address(each)]
    fitting = [each for each in addresses if _fits(view, each)]
    return told if told in given else (fitting or addresses or given)[0]


def _fits(view: View, address: str) -> bool:
    """Whether an address is of the first service range's family; any is while there is no range that can be read."""
    ranges = view.tcp.network.service_cidrs
    return not ranges or _family(ranges[0]) in (None, _family(address))


def _family(text: str) -> int | None:
    """4 or 6, of an address or a range; None when it is neither."""
    try:
        return ipaddress.ip_network(text, strict=False).version
    except ValueError:
        return None
