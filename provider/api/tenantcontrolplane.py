"""TenantControlPlane: one hosted control plane, as upstream Kamaji spells it. Read by hosting, written by users and by capi.

What is not acted on yet is marked `NotYet` and refused by the API server. `TenantControlPlane.network` and `.deployment`
give the defaulted block also where the user left it out.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from provider.api import kinds, version
from provider.api.addons import Addons
from provider.api.definition import AGE, Column, Definition, Scale
from provider.api.deployment import Deployment
from provider.api.exposure import Gateway, Ingress, Service, is_wildcard
from provider.api.kubelet import Kubelet
from provider.api.meta import Resource
from provider.api.model import Model
from provider.api.network import API_SERVER_PORT, CLUSTER_DOMAIN, NetworkProfile
from provider.api.schema import KEYSPACE_NAME, Extra, Rule, immutable, one_of
from provider.api.tenantstatus import TenantStatus

ADMISSION_DEFAULT = [
    "CertificateApproval",
    "CertificateSigning",
    "CertificateSubjectRestriction",
    "DefaultIngressClass",
    "DefaultStorageClass",
    "DefaultTolerationSeconds",
    "LimitRanger",
    "MutatingAdmissionWebhook",
    "NamespaceLifecycle",
    "PersistentVolumeClaimResize",
    "Priority",
    "ResourceQuota",
    "RuntimeClass",
    "ServiceAccount",
    "StorageObjectInUseProtection",
    "TaintNodesByCondition",
    "ValidatingAdmissionWebhook",
]
ADMISSION_OTHER = [
    "AlwaysAdmit",
    "AlwaysDeny",
    "AlwaysPullImages",
    "DenyEscalatingExec",
    "DenyExecOnPrivileged",
    "DenyServiceExternalIPs",
    "EventRateLimit",
    "ExtendedResourceToleration",
    "ImagePolicyWebhook",
    "LimitPodHardAntiAffinityTopology",
    "NamespaceAutoProvision",
    "NamespaceExists",
    "NodeRestriction",
    "OwnerReferencesPermissionEnforcement",
    "PersistentVolumeLabel",
    "PodNodeSelector",
    "PodSecurity",
    "PodSecurityPolicy",
    "PodTolerationRestriction",
    "SecurityContextDeny",
]

IS_BALANCER = "self.controlPlane.service.serviceType == 'LoadBalancer'"
CLASSED = "(has({0}.networkProfile) && has({0}.networkProfile.loadBalancerClass))"
PORT = f"(has(self.networkProfile) ? self.networkProfile.port : {API_SERVER_PORT})"
DOMAIN = f"(has({{0}}.networkProfile) ? {{0}}.networkProfile.clusterDomain : '{CLUSTER_DOMAIN}')"


# Objects of a resource move from one override's store to another's, not into the main one. Events are lost without harm.
FIXED = (
    "(has({0}.dataStoreOverrides)"
    " ? {0}.dataStoreOverrides.filter(each, each.resource != '/events').map(each, each.resource) : [])"
)
COMMON_NAME = 64  # characters: the user is the common name of a certificate (RFC 5280, ub-common-name)
HAS_DATA = "has({0}.status) && has({0}.status.storage) && has({0}.status.storage.setup) && has({0}.status.storage.setup.schema)"


def _stays_set(name: str) -> Rule:
    return Rule(f"!has(oldSelf.{name}) || has(self.{name})", f"{name} cannot be unset once set")


def _recorded(name: str, recorded: str) -> Rule:
    """What is recorded counts, so a name that is written later would have no effect."""
    setup = "oldSelf.status.storage.setup"
    return Rule(
        f"!({HAS_DATA.format('oldSelf')}) || !has({setup}.{recorded}) || !has(self.spec.{name}) || has(oldSelf.spec.{name})"
        f" || self.spec.{name} == {setup}.{recorded}",
        f"the tenant's data lies under the {name} that status.storage.setup tells, and stays there: leave {name} out",
        field=".spec",
    )


class Kubernetes(Model):
    """Version and switches of the tenant's Kubernetes."""

    version: Annotated[str, Field(max_length=64), version.SHAPE, version.HOSTED]
    kubelet: Kubelet
    admission_controllers: Annotated[
        tuple[Annotated[str, one_of(*sorted(ADMISSION_DEFAULT + ADMISSION_OTHER))], ...],
        Field(description="Admission plugins of the API server. NodeRestriction is on whether it is named or not."),
    ] = tuple(ADMISSION_DEFAULT)


class ControlPlane(Model):
    """The pods and how they are reached."""

    RULES = (
        Rule("!(has(self.ingress) && has(self.gateway))", "ingress and gateway exclude each other: keep one of them"),
    )

    service: Service
    deployment: Deployment | None = None
    ingress: Ingress | None = None
    gateway: Gateway | None = None


class DataStoreOverride(Model):
    """Another datastore for one resource."""

    resource: Annotated[
        str,
        Field(description="group/plural of a resource built into Kubernetes, such as /events."),
        Extra(maxLength=253),
        Rule(
            "self.matches('^([a-z0-9]([a-z0-9.-]*[a-z0-9])?)?/[a-z0-9]+$')",
            "must be the group and the plural of a resource, such as /events or apps/deployments",
        ),
    ]
    # A finalizer of this name says that the store holds keys: it has no more room.
    data_store: Annotated[str, Extra(minLength=1, maxLength=63)]


Overrides = Annotated[
    tuple[DataStoreOverride, ...],
    Extra(maxItems=16),
    Field(description="Resources whose objects live in other DataStores, of driver etcd and one CA."),
    Rule(
        "self.all(one, self.exists_one(other, other.resource == one.resource))",
        "names a resource twice: keep one DataStore for each resource",
    ),
]


class WritePermissions(Model):
    """What may not be written in the tenant's cluster for the time being. Nodes and control plane go on."""

    block_creation: Annotated[bool | None, Field(description="Nobody makes an object.")] = None
    block_update: Annotated[bool | None, Field(description="Nobody changes an object.")] = None
    block_deletion: Annotated[bool | None, Field(description="Nobody deletes an object or evicts a pod.")] = None

    @property
    def limited(self) -> bool:
        """Whether anything is blocked."""
        return bool(self.block_creation or self.block_update or self.block_deletion)


class TenantSpec(Model):
    """What a hosted control plane shall be."""

    RULES = (
        *(_stays_set(name) for name in ("dataStore", "dataStoreSchema", "dataStoreUsername")),
        Rule(
            "!has(self.networkProfile) || !has(self.networkProfile.loadBalancerSourceRanges)"
            f" || size(self.networkProfile.loadBalancerSourceRanges) == 0 || {IS_BALANCER}",
            "networkProfile.loadBalancerSourceRanges needs controlPlane.service.serviceType LoadBalancer",
        ),
        Rule(
            f"!{CLASSED.format('self')} || {IS_BALANCER}",
            "networkProfile.loadBalancerClass needs controlPlane.service.serviceType LoadBalancer",
        ),
        Rule(
            f"!has(self.controlPlane.service.allocateLoadBalancerNodePorts) || {IS_BALANCER}",
            "controlPlane.service.allocateLoadBalancerNodePorts needs serviceType LoadBalancer",
        ),
        Rule(
            f"!({IS_BALANCER} && {IS_BALANCER.replace('self', 'oldSelf')})"
            f" || {CLASSED.format('self')} == {CLASSED.format('oldSelf')}",
            "networkProfile.loadBalancerClass cannot be added or removed while the Service is a LoadBalancer",
        ),
        Rule(
            f"{DOMAIN.format('self')} == {DOMAIN.format('oldSelf')}",
            "networkProfile.clusterDomain cannot be changed: make a new TenantControlPlane instead",
        ),
        Rule(
            f"!has(self.addons) || !has(self.addons.konnectivity) || self.addons.konnectivity.server.port != {PORT}",
            "addons.konnectivity.server.port must differ from networkProfile.port: one Service has both",
        ),
    )

    kubernetes: Kubernetes
    control_plane: ControlPlane
    network_profile: NetworkProfile | None = None
    addons: Addons = Addons()
    data_store: Annotated[
        str | None,
        Field(
            description="Name of the DataStore; where absent, the default one. Another etcd's later moves the tenant there."
        ),
    ] = None
    data_store_schema: Annotated[str, Field(max_length=253), KEYSPACE_NAME, immutable("dataStoreSchema")] | None = None
    data_store_username: (
        Annotated[str, Extra(maxLength=COMMON_NAME), KEYSPACE_NAME, immutable("dataStoreUsername")] | None
    ) = None
    data_store_overrides: Overrides = ()
    write_permissions: WritePermissions = WritePermissions()


class TenantControlPlane(Resource):
    """A hosted Kubernetes control plane."""

    DEFINITION = Definition(
        kind=kinds.TENANT_CONTROL_PLANE,
        short_names=("tcp",),
        categories=("kamaji",),
        columns=(
            Column("Version", "string", ".spec.kubernetes.version"),
            Column("Installed Version", "string", ".status.kubernetesResources.version.version"),
            Column("Status", "string", ".status.kubernetesResources.version.status"),
            Column("Control-Plane endpoint", "string", ".status.controlPlaneEndpoint"),
            Column("Kubeconfig", "string", ".status.kubeconfig.admin.secretName"),
            Column("Datastore", "string", ".status.storage.dataStoreName"),
            AGE,
        ),
        scale=Scale(
            spec=".spec.controlPlane.deployment.replicas",
            status=".status.kubernetesResources.deployment.replicas",
            selector=".status.kubernetesResources.deployment.selector",
        ),
    )
    RULES = (
        Rule(
            "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 63",
            "metadata.name becomes the name of a Service: at most 63 lower-case letters, digits and dashes,"
            " starting with a letter",
        ),
        version.STEP,
        Rule(
            f"!({HAS_DATA.format('oldSelf')}) || {FIXED.format('self.spec')} == {FIXED.format('oldSelf.spec')}",
            "dataStoreOverrides of a tenant that has data can come and go for /events only: other objects would stay behind in"
            " their DataStore. Put the overrides back as they were; their dataStore may change",
            field=".spec",
        ),
        *(_recorded(*each) for each in (("dataStoreSchema", "schema"), ("dataStoreUsername", "user"))),
    )

    kind: Literal["TenantControlPlane", ""] = ""
    spec: TenantSpec
    status: TenantStatus = TenantStatus()

    @property
    def network(self) -> NetworkProfile:
        """spec.networkProfile, defaulted where absent."""
        return self.spec.network_profile or NetworkProfile()

    @property
    def deployment(self) -> Deployment:
        """spec.controlPlane.deployment, defaulted where absent."""
        return self.spec.control_plane.deployment or Deployment()

    @property
    def service(self) -> Service:
        """spec.controlPlane.service."""
        return self.spec.control_plane.service

    @property
    def published(self) -> tuple[str, int] | None:
        """Host name and port by which an Ingress or a Gateway leads to the API server. None without one that can be dialled."""
        for each in (self.spec.control_plane.ingress, self.spec.control_plane.gateway):
            if each is not None and each.host and not is_wildcard(each.host):
                return each.host, each.port or self.network.port
        return None
