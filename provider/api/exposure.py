"""How a tenant's API server is reached: Service, Ingress, Gateway. Shared by TenantControlPlane and KamajiControlPlane."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Final, Literal

from pydantic import Field

from provider.api.meta import AdditionalMetadata
from provider.api.model import Model
from provider.api.schema import DNS_SUBDOMAIN, NumberOrName, Port, Rule

ServiceType = Literal["ClusterIP", "NodePort", "LoadBalancer"]
SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
GATEWAY_API: Final = "gateway.networking.k8s.io"
GATEWAY: Final = "Gateway"

HOSTNAME_LIMIT: Final = 259  # a DNS name, a colon, a port
HOSTNAME = Rule(
    rf"self.matches(r'^([*][.])?{DNS_SUBDOMAIN}(:[0-9]{{1,5}})?$') && !isIP(self.split(':')[0])"
    " && (!self.contains(':') || (int(self.split(':')[1]) > 0 && int(self.split(':')[1]) < 65536))",
    "must be a DNS name such as demo.example.com, with a port after a colon where clients dial another than the API server's",
)
NO_ADDRESS = Rule("!isIP(self)", "must be a DNS name: routes tell tenants apart by the name that clients ask for")


def _missing(block: str) -> Rule:
    advice = f"{block}.hostname is missing: write the DNS name under which clients reach the API server"
    return Rule("has(self.hostname)", advice)


class AdditionalPort(Model):
    """A port the Service has beside the API server's; its node port, where there is one, is the cluster's choice."""

    name: str
    port: Port
    target_port: NumberOrName
    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"
    app_protocol: str | None = None


class Service(Model):
    """The Service in front of the tenant's API servers."""

    service_type: ServiceType
    additional_metadata: AdditionalMetadata = AdditionalMetadata()
    additional_ports: tuple[AdditionalPort, ...] = ()
    allocate_load_balancer_node_ports: bool | None = None


class Ingress(Model):
    """An Ingress that passes TLS through to the API server."""

    RULES = (_missing("ingress"),)

    additional_metadata: AdditionalMetadata = AdditionalMetadata()
    ingress_class_name: str | None = None
    hostname: Annotated[str, Field(max_length=HOSTNAME_LIMIT), HOSTNAME] | None = None

    @property
    def host(self) -> str:
        """The name without its port; empty when there is none that a route could have."""
        return host_and_port(self.hostname or "")[0]

    @property
    def port(self) -> int | None:
        """The port clients dial; None: the API server's own."""
        return host_and_port(self.hostname or "")[1]


class ParentReference(Model):
    """The Gateway a route hangs on (gateway.networking.k8s.io ParentReference)."""

    group: Annotated[str, Field(max_length=253, pattern=f"^$|^{SUBDOMAIN}$")] = GATEWAY_API
    kind: Annotated[str, Field(min_length=1, max_length=63, pattern="^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$")] = GATEWAY
    name: Annotated[str, Field(min_length=1, max_length=253)]
    namespace: Annotated[str, Field(min_length=1, max_length=63, pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")] | None = (
        None
    )
    section_name: Annotated[str, Field(min_length=1, max_length=253, pattern=f"^{SUBDOMAIN}$")] | None = None
    port: Port | None = None

    @property
    def is_gateway(self) -> bool:
        """Whether it names a Gateway, and not some other parent that a controller knows."""
        return (self.group, self.kind) == (GATEWAY_API, GATEWAY)


class Gateway(Model):
    """Routes of a Gateway that lead to the API server."""

    RULES = (_missing("gateway"),)

    additional_metadata: AdditionalMetadata = AdditionalMetadata()
    parent_refs: tuple[ParentReference, ...] = ()
    hostname: (
        Annotated[str, Field(min_length=1, max_length=253, pattern=rf"^(\*\.)?{SUBDOMAIN}$"), NO_ADDRESS] | None
    ) = None

    @property
    def host(self) -> str:
        """The name; empty when there is none that a route could have."""
        return host_and_port(self.hostname or "")[0]

    @property
    def port(self) -> int | None:
        """The listener's port, when every parent names one and the same; None: the API server's own."""
        ports = {each.port for each in self.parent_refs}
        return ports.pop() if len(ports) == 1 else None


def host_and_port(hostname: str) -> tuple[str, int | None]:
    """Both halves of `host[:port]`. An empty host when it is no DNS name, wildcards included, that a route could have."""
    found = re.fullmatch(rf"(?P<host>([*][.])?{DNS_SUBDOMAIN})(:(?P<port>[0-9]{{1,5}}))?", hostname)
    if found is None or _is_address(found["host"]):
        return "", None
    port = int(found["port"]) if found["port"] else None
    return (found["host"], port) if port is None or 0 < port < 65536 else ("", None)


def is_wildcard(host: str) -> bool:
    """Whether the name stands for many: nobody can dial it."""
    return host.startswith("*.")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
