"""The status of a TenantControlPlane: upstream's blocks, which scripts and the Cluster API provider read, and our conditions.

Required fields are upstream's. Strings that enumerate are not insisted on when read: another release may have written them.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from provider.api.exposure import SUBDOMAIN
from provider.api.foreign import DeploymentCondition, LoadBalancerStatus, RouteParentStatus
from provider.api.meta import Conditions
from provider.api.model import Model
from provider.api.schema import ATOMIC, MAP_BY_TYPE, Extra, Int64, one_of
from provider.api.statusblocks import Checked, ConfigMapStatus, ObjectStatus, SecretStatus, Stamped
from provider.api.storagestatus import StorageStatus

VERSION_STATUSES = (
    "Unknown",
    "Provisioning",
    "CertificateAuthorityRotating",
    "Upgrading",
    "Migrating",
    "Ready",
    "NotReady",
    "Sleeping",
    "WriteLimited",
)
ACCESS_POINT_TYPE = rf"^Hostname|IPAddress|NamedAddress|{SUBDOMAIN}\/[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+$"


class EtcdCertificates(Model):
    """Upstream's block for an etcd of the tenant's own; nobody fills it."""

    api_server: SecretStatus | None = None
    ca: SecretStatus | None = None


class Certificates(Model):
    """The tenant's certificate authorities and certificates."""

    ca: SecretStatus | None = None
    api_server: SecretStatus | None = None
    api_server_kubelet_client: SecretStatus | None = None
    front_proxy_ca: SecretStatus | None = None
    front_proxy_client: SecretStatus | None = None
    sa: SecretStatus | None = None
    etcd: EtcdCertificates | None = None


class Kubeconfigs(Model):
    """The kubeconfigs; `admin.secretName` is what tools follow."""

    admin: SecretStatus | None = None
    controller_manager: SecretStatus | None = None
    scheduler: SecretStatus | None = None


class KubeadmConfigStatus(Checked):
    """The ConfigMap with kubeadm's configuration."""

    configmap_name: str | None = None


class KubeadmPhases(Model):
    """What kubeadm would have done."""

    bootstrap_token: Checked


class VersionStatus(Model):
    """The installed version, and in which state the control plane is."""

    version: str | None = None
    status: Annotated[str, one_of(*VERSION_STATUSES)] = "Provisioning"


class DeploymentStatus(Stamped):
    """The Deployment's own status, and where it is."""

    name: str
    namespace: str
    selector: str
    replicas: int | None = None
    ready_replicas: int | None = None
    available_replicas: int | None = None
    updated_replicas: int | None = None
    unavailable_replicas: int | None = None
    terminating_replicas: int | None = None
    collision_count: int | None = None
    observed_generation: Int64 | None = None
    conditions: Annotated[tuple[DeploymentCondition, ...], MAP_BY_TYPE] = ()


class ServiceStatus(Model):
    """The Service's own status, and where it is."""

    name: str
    namespace: str
    port: int
    load_balancer: LoadBalancerStatus | None = None
    conditions: Conditions = ()


class IngressStatus(Model):
    """The Ingress's own status, and where it is."""

    name: str
    namespace: str
    load_balancer: LoadBalancerStatus | None = None


class AccessPoint(Model):
    """An address a Gateway gives."""

    type: Annotated[str, Extra(minLength=1, maxLength=253, pattern=ACCESS_POINT_TYPE)]
    value: str
    port: int
    urls: tuple[str, ...] = ()


class RouteReference(Model):
    """The name of a route."""

    name: str = ""


class GatewayStatus(Model):
    """A Gateway route's own status, and what it leads to."""

    parents: Annotated[tuple[RouteParentStatus, ...], Field(max_length=32), Extra(x_kubernetes_list_type="atomic")]
    route_ref: Annotated[RouteReference | None, ATOMIC] = None
    access_points: tuple[AccessPoint, ...] = ()


class KubernetesResources(Model):
    """The objects that carry the control plane."""

    version: VersionStatus | None = None
    deployment: DeploymentStatus | None = None
    service: ServiceStatus | None = None
    ingress: IngressStatus | None = None
    gateway: GatewayStatus | None = None


class AddonStatus(Stamped):
    """Whether an addon is installed."""

    enabled: bool


class AgentStatus(ObjectStatus):
    """The konnectivity agents."""

    mode: str | None = None


class KonnectivityStatus(Model):
    """The tunnel's parts."""

    enabled: bool
    config_map: ConfigMapStatus | None = None
    certificate: SecretStatus | None = None
    kubeconfig: SecretStatus | None = None
    sa: ObjectStatus | None = None
    clusterrolebinding: ObjectStatus | None = None
    agent: AgentStatus | None = None
    service: ServiceStatus | None = None
    gateway: GatewayStatus | None = None


class AddonsStatus(Model):
    """The addons in the tenant's cluster."""

    core_dns: AddonStatus | None = None
    kube_proxy: AddonStatus | None = None
    konnectivity: KonnectivityStatus | None = None


class TenantStatus(Model):
    """What is there. `conditions` are ours; the other blocks are upstream's."""

    conditions: Conditions = ()
    observed_generation: Int64 | None = None
    control_plane_endpoint: str | None = None
    kubernetes_resources: KubernetesResources = KubernetesResources()
    certificates: Certificates = Certificates()
    kubeconfig: Kubeconfigs = Kubeconfigs()
    kubeadmconfig: KubeadmConfigStatus | None = None
    kubeadm_phase: KubeadmPhases | None = None
    storage: StorageStatus = StorageStatus()
    addons: AddonsStatus = AddonsStatus()
