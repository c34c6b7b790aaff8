"""How a KamajiControlPlane shapes the hosted control plane: the fields that the kind and its template share.

`capi.desired` maps them to the TenantControlPlane; what that refuses as not acted on is refused here too, under its name here.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from provider.api import additions
from provider.api.addons import ImageOverride, Konnectivity
from provider.api.deployment import ProbeSet
from provider.api.exposure import HOSTNAME, HOSTNAME_LIMIT, AdditionalPort, ServiceType
from provider.api.foreign import (
    Affinity,
    DeploymentStrategy,
    ResourceRequirements,
    Toleration,
    TopologySpreadConstraint,
)
from provider.api.kubelet import Kubelet
from provider.api.meta import AdditionalMetadata
from provider.api.model import Model
from provider.api.network import IP_OR_EMPTY, CertSANs, DNSServiceIPs, SourceRanges
from provider.api.schema import DNS_SUBDOMAIN, KEYSPACE_NAME, Extra, Port, Rule, immutable
from provider.api.tenantcontrolplane import COMMON_NAME, Overrides

DNS_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
OBJECT_NAME = Extra(minLength=1, maxLength=253, pattern=f"^{DNS_SUBDOMAIN}$")
NAMESPACE_OR_EMPTY = Extra(maxLength=63, pattern=f"^({DNS_LABEL})?$")  # upstream takes an empty one for none
IS_BALANCER = "self.serviceType == 'LoadBalancer'"


class CoreDNS(ImageOverride):
    """CoreDNS, and the addresses it answers at."""

    dns_service_ips: DNSServiceIPs = ()


class Addons(Model):
    """Each addon is installed and kept while its block is present, and removed with it."""

    core_dns: Annotated[CoreDNS | None, Field(description="CoreDNS; presence installs it.")] = None
    kube_proxy: Annotated[ImageOverride | None, Field(description="kube-proxy; presence installs it.")] = None
    konnectivity: Annotated[
        Konnectivity | None,
        Field(description="Tunnel from the API server to the nodes, for networks in which it cannot reach them."),
    ] = None


class Component(Model):
    """One of the control plane's programs."""

    extra_args: tuple[str, ...] = ()
    extra_volume_mounts: additions.Mounts = ()
    resources: ResourceRequirements | None = None
    container_image_name: Annotated[str, Field(min_length=1)] | None = None
    probes: ProbeSet | None = None


class Kine(Model):
    """The translator between Kubernetes and datastores other than etcd."""

    extra_args: tuple[str, ...] = ()
    resources: ResourceRequirements | None = None


class LoadBalancer(Model):
    """Settings of a Service of type LoadBalancer."""

    RULES = (
        Rule(
            "has(self.loadBalancerClass) == has(oldSelf.loadBalancerClass)",
            "loadBalancerClass cannot be added or removed: make a new object instead",
        ),
    )

    load_balancer_source_ranges: SourceRanges = ()
    load_balancer_class: Annotated[str, Field(min_length=1), immutable("loadBalancerClass")] | None = None


class Ingress(Model):
    """An Ingress that passes TLS through to the API server."""

    hostname: Annotated[
        str,
        Field(
            min_length=1,
            max_length=HOSTNAME_LIMIT,
            description="DNS name, with a port after a colon where it is not 443, on which ingress controllers listen.",
        ),
        HOSTNAME,
    ]
    class_name: str | None = None
    extra_labels: dict[str, str] = Field(default_factory=dict)
    extra_annotations: dict[str, str] = Field(default_factory=dict)


class Gateway(Model):
    """A Gateway whose route leads to the API server."""

    name: str
    namespace: str
    hostname: Annotated[
        str,
        Field(
            max_length=HOSTNAME_LIMIT,
            description="DNS name; a port after a colon is the listener's, for which there is the field port, too.",
        ),
        HOSTNAME,
    ]
    section_name: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    port: Port | None = None
    extra_labels: dict[str, str] = Field(default_factory=dict)
    extra_annotations: dict[str, str] = Field(default_factory=dict)


class Network(Model):
    """How the control plane is reached. Ranges, port and domain come from the Cluster's clusterNetwork."""

    RULES = (
        Rule(
            "!has(self.loadBalancerConfig) || !has(self.loadBalancerConfig.loadBalancerSourceRanges)"
            f" || size(self.loadBalancerConfig.loadBalancerSourceRanges) == 0 || {IS_BALANCER}",
            "loadBalancerConfig.loadBalancerSourceRanges needs serviceType LoadBalancer",
        ),
        Rule(
            f"!has(self.loadBalancerConfig) || !has(self.loadBalancerConfig.loadBalancerClass) || {IS_BALANCER}",
            "loadBalancerConfig.loadBalancerClass needs serviceType LoadBalancer",
        ),
        Rule("!(has(self.ingress) && has(self.gateway))", "ingress and gateway exclude each other: keep one of them"),
    )

    service_type: ServiceType = "LoadBalancer"
    service_address: Annotated[
        str | None, Field(description="Address clients use; where absent, the Service's own is taken.")
    ] = None
    advertise_address: Annotated[str, Field(max_length=64), IP_OR_EMPTY] | None = None
    service_labels: dict[str, str] = Field(default_factory=dict)
    service_annotations: dict[str, str] = Field(default_factory=dict)
    additional_service_ports: tuple[AdditionalPort, ...] = ()
    load_balancer_config: LoadBalancer | None = None
    cert_sans: CertSANs = ()
    dns_service_ips: DNSServiceIPs = ()
    ingress: Ingress | None = None
    gateway: Gateway | None = None


class ExternalClusterReference(Model):
    """Another management cluster that hosts the pods. Needs the feature gate ExternalClusterReference."""

    kubeconfig_secret_name: Annotated[
        str, OBJECT_NAME, Field(description="Secret with a kubeconfig of the other management cluster.")
    ]
    kubeconfig_secret_key: Annotated[str, Extra(minLength=1, maxLength=253, pattern="^[-._a-zA-Z0-9]+$")]
    kubeconfig_secret_namespace: Annotated[
        str | None,
        NAMESPACE_OR_EMPTY,
        Field(
            description="Namespace of the Secret; where absent, this object's. Another needs the feature gate"
            " ExternalClusterReferenceCrossNamespace."
        ),
    ] = None
    deployment_namespace: Annotated[
        str,
        Extra(minLength=1, maxLength=63, pattern=f"^{DNS_LABEL}$"),
        Field(
            description="Namespace of the other management cluster in which the control plane runs; it has to exist."
        ),
    ]


class Pods(Model):
    """The pods of the control plane."""

    node_selector: dict[str, str] = Field(default_factory=dict)
    runtime_class_name: str | None = None
    service_account_name: str | None = None
    strategy: DeploymentStrategy | None = None
    affinity: Affinity | None = None
    tolerations: tuple[Toleration, ...] = ()
    topology_spread_constraints: tuple[TopologySpreadConstraint, ...] = ()
    additional_metadata: AdditionalMetadata = AdditionalMetadata()
    pod_additional_metadata: AdditionalMetadata = AdditionalMetadata()
    extra_init_containers: additions.Containers = ()
    extra_containers: additions.Containers = ()
    extra_volumes: additions.Volumes = ()
    probes: ProbeSet | None = None
    external_cluster_reference: ExternalClusterReference | None = None


class HostedControlPlane(Model):
    """The hosted control plane, as a Cluster API user shapes it."""

    registry: str = "registry.k8s.io"
    data_store_name: Annotated[
        str | None, Field(description="Name of the DataStore; where absent, the provider's default one.")
    ] = None
    data_store_schema: Annotated[str, Field(max_length=253), KEYSPACE_NAME, immutable("dataStoreSchema")] | None = None
    data_store_username: (
        Annotated[str, Extra(maxLength=COMMON_NAME), KEYSPACE_NAME, immutable("dataStoreUsername")] | None
    ) = None
    data_store_overrides: Overrides = ()
    admission_controllers: tuple[str, ...] = ()
    addons: Addons = Addons()
    api_server: Component = Component()
    controller_manager: Component = Component()
    scheduler: Component = Component()
    kine: Kine = Kine()
    kubelet: Kubelet = Kubelet(cgroupfs="systemd")
    network: Network = Network()
    deployment: Pods = Pods()
