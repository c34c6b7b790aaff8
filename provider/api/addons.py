"""What we put into a tenant's cluster: CoreDNS, kube-proxy, konnectivity. Presence switches one on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from provider.api.foreign import ContainerSecurityContext, ResourceRequirements, Toleration
from provider.api.model import Model
from provider.api.schema import Extra, Rule

PROXY_SERVER_IMAGE = "registry.k8s.io/kas-network-proxy/proxy-server"
PROXY_AGENT_IMAGE = "registry.k8s.io/kas-network-proxy/proxy-agent"
# The proxy server refuses to listen for agents on any other.
LOWEST_PORT, HIGHEST_PORT = 1024, 49151


class ImageOverride(Model):
    """Another registry path or tag than the one that belongs to the tenant's Kubernetes version."""

    image_repository: str | None = None
    image_tag: str | None = None


class KonnectivityServer(Model):
    """The proxy server beside the API server."""

    port: Annotated[
        int,
        Extra(minimum=LOWEST_PORT, maximum=HIGHEST_PORT),
        Field(description="Port at which agents reach the proxy server, on the address of the API server."),
    ]
    image: str = PROXY_SERVER_IMAGE
    version: str | None = None
    extra_args: tuple[str, ...] = ()
    resources: ResourceRequirements | None = None
    security_context: ContainerSecurityContext | None = None


class KonnectivityAgent(Model):
    """The proxy agents on the tenant's nodes."""

    RULES = (
        Rule(
            "!(self.mode == 'DaemonSet' && has(self.replicas) && self.replicas != 0)"
            " && !(self.mode == 'Deployment' && has(self.replicas) && self.replicas == 0)",
            "replicas must be 0 or absent with mode DaemonSet, and not 0 with mode Deployment",
        ),
    )

    image: str = PROXY_AGENT_IMAGE
    version: str | None = None
    mode: Literal["DaemonSet", "Deployment"] = "DaemonSet"
    replicas: int | None = None
    host_network: bool = False
    tolerations: tuple[Toleration, ...] = ({"key": "CriticalAddonsOnly", "operator": "Exists"},)
    extra_args: tuple[str, ...] = ()


class Konnectivity(Model):
    """A tunnel from the API server to the tenant's nodes."""

    server: KonnectivityServer = KonnectivityServer(port=8132)
    agent: KonnectivityAgent = KonnectivityAgent()


class Addons(Model):
    """Each addon is installed and kept while its block is present, and removed with it."""

    core_dns: Annotated[ImageOverride | None, Field(description="CoreDNS; presence installs it.")] = None
    kube_proxy: Annotated[ImageOverride | None, Field(description="kube-proxy; presence installs it.")] = None
    konnectivity: Annotated[
        Konnectivity | None,
        Field(description="Tunnel from the API server to the nodes, for networks in which it cannot reach them."),
    ] = None
