"""What one pass over a KamajiControlPlane knows, frozen: written by `observe`, read by `desired`, `infra` and `status`."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from provider.api import names
from provider.api.credentials import tenants
from provider.api.tenantcontrolplane import TenantControlPlane
from provider.capi.model import Cluster, KamajiControlPlane
from provider.manifest import Manifest, meta
from provider.manifest.condition import find

SERVES = ("Ready", "Upgrading", "Migrating", "WriteLimited", "CertificateAuthorityRotating")
"""Phase words of a TenantControlPlane whose API server answers (upstream's)."""

PART = "tenantcontrolplane"
"""Part label of the TenantControlPlanes that we make."""


Endpoint = tuple[str, int]
"""Host (DNS name or IP address, IPv6 without brackets) and port."""


@dataclass(frozen=True, kw_only=True)
class Purpose:
    """A pair of the Cluster that others know by name, `<cluster>-<name>`, and where the hosted control plane keeps it."""

    name: str
    block: tuple[str, ...]  # of the TenantControlPlane's status; its `secretName`
    certificate: str
    key: str = ""  # empty: it has no business outside the store
    bundle: str = ""  # where all that are trusted stand while another takes the place of the one that signs
    place: Callable[[str], str] | None = (
        None  # where the hosting room looks for one that was brought, by the tenant's name
    )


CA = Purpose(
    name="ca",
    block=tenants.CA.status,
    certificate="ca.crt",
    key="ca.key",
    bundle="ca-bundle.crt",
    place=tenants.CA.secret,
)
PURPOSES = (
    CA,
    Purpose(
        name="proxy",
        block=tenants.FRONT_PROXY_CA.status,
        certificate="front-proxy-ca.crt",
        key="front-proxy-ca.key",
        bundle="front-proxy-ca-bundle.crt",
        place=tenants.FRONT_PROXY_CA.secret,
    ),
    Purpose(  # its "certificate" is a public key
        name="sa", block=tenants.ACCOUNT.status, certificate="sa.pub", key="sa.key", place=tenants.ACCOUNT.secret
    ),
    # As of an external etcd: whom to trust. The key signs for every tenant of the store.
    Purpose(name="etcd", block=tenants.STORE_CLIENT.status, certificate="ca.crt"),
)
"""The certificates of the contract; names are kubeadm's."""


@dataclass(frozen=True, kw_only=True)
class Infrastructure:
    """What was seen of the Cluster's infrastructure object, when its kind is in the table."""

    object: Manifest | None = None
    endpoint: Endpoint | None = None  # the one it says, host and port both
    unreadable: str = ""  # why it could not be read, in the API server's words


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a TenantControlPlane is: beside its KamajiControlPlane and called like it, or in another management cluster."""

    namespace: str
    name: str
    access: str = ""  # the Secret by which the other cluster is reached, as namespace/name; empty: this cluster

    @property
    def elsewhere(self) -> bool:
        """Whether it is in another management cluster."""
        return bool(self.access)

    def __str__(self) -> str:
        where = f" in the cluster of Secret {self.access}" if self.access else ""
        return f"TenantControlPlane {self.namespace}/{self.name}{where}"


@dataclass(frozen=True, kw_only=True)
class View:
    """Everything a builder or the status may know."""

    kcp: KamajiControlPlane
    raw: Manifest
    cluster: Cluster
    place: Place
    tcp: Manifest | None = None  # the hosted control plane, as the hosting room last said it; never somebody else's
    taken: str = ""  # whose the TenantControlPlane of our name is, when it is not ours
    admin: Mapping[str, bytes] = field(default_factory=dict)  # data of the TCP's admin kubeconfig Secret
    authorities: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)  # data of the TCP's, by purpose
    secrets: Mapping[str, Manifest] = field(default_factory=dict)  # the Cluster's own Secrets that exist, by name
    infrastructure: Infrastructure = Infrastructure()
    now: datetime

    @property
    def name(self) -> str:
        """Name of the KamajiControlPlane."""
        return self.kcp.name

    @property
    def namespace(self) -> str:
        """Namespace of everything in this management cluster."""
        return self.kcp.namespace

    @property
    def cluster_name(self) -> str:
        """Name of the Cluster: Secrets are called after it, never after the KamajiControlPlane."""
        return self.cluster.metadata.name

    @property
    def status(self) -> Mapping[str, Any]:
        """The status as it stands."""
        return self.raw.get("status") or {}

    @property
    def hosted(self) -> Mapping[str, Any]:
        """Status of the TenantControlPlane; empty before there is one."""
        return (self.tcp or {}).get("status") or {}

    @property
    def deployment(self) -> Mapping[str, Any]:
        """The TenantControlPlane's word about its Deployment."""
        return (self.hosted.get("kubernetesResources") or {}).get("deployment") or {}

    @property
    def installed(self) -> Mapping[str, Any]:
        """Installed version and phase word."""
        return (self.hosted.get("kubernetesResources") or {}).get("version") or {}

    @property
    def authority(self) -> Mapping[str, bytes]:
        """Data of the tenant's CA Secret."""
        return self.authorities.get(CA.name) or {}

    @property
    def asked(self) -> Mapping[str, Any]:
        """Spec of the TenantControlPlane as it stands; empty before there is one."""
        return (self.tcp or {}).get("spec") or {}

    @property
    def endpoint(self) -> Endpoint | None:
        """Host and port of the hosted control plane: of its route, as kubeconfigs name it, else of its Service."""
        host, _, port = str(self.hosted.get("controlPlaneEndpoint") or "").rpartition(":")
        if self.tcp is None or not host or not port.isdecimal():
            return None
        plane = self.asked.get("controlPlane") or {}
        routed = "ingress" in plane or "gateway" in plane
        published = TenantControlPlane.parse(self.tcp).published if routed else None
        return published or (host.strip("[]"), int(port))

    @property
    def told(self) -> Endpoint | None:
        """The endpoint that our own spec has: from here core takes the Cluster's."""
        said = self.kcp.spec.control_plane_endpoint
        return (said.host, said.port) if said and said.host and said.port else None

    @property
    def agreed(self) -> Endpoint | None:
        """The Cluster's endpoint: the first valid source won, and core never changes it again."""
        said = self.cluster.spec.control_plane_endpoint
        return (said.host, said.port) if said.valid else None

    @property
    def referred(self) -> bool:
        """Whether this is the control plane that the Cluster names; an owner reference alone can be anybody's word."""
        named = self.cluster.spec.control_plane_ref
        ours = (names.CONTROL_PLANE_GROUP, "KamajiControlPlane", self.name)
        return named is not None and (named.api_group, named.kind, named.name) == ours

    @property
    def serves(self) -> bool:
        """Whether the API server answers: by the Ready condition, or by the phase word of an operator without conditions."""
        if ready := find(self.hosted.get("conditions"), "Ready"):
            return bool(ready["status"] == "True")
        return self.installed.get("status") in SERVES

    @property
    def paused(self) -> str:
        """Why nothing is done, in the contract's words; empty when something is."""
        reasons = ["Cluster spec.paused is set to true"] if self.cluster.spec.paused else []
        if names.ANNOTATION_CAPI_PAUSED in meta.annotations_of(self.raw):
            reasons.append(f"KamajiControlPlane has the {names.ANNOTATION_CAPI_PAUSED} annotation")
        return ", ".join(reasons)

    @property
    def initialized(self) -> bool:
        """Sticky: once true it stays true (contract v1beta2, initialization)."""
        return bool((self.status.get("initialization") or {}).get("controlPlaneInitialized"))

    def seeing(self, infrastructure: Infrastructure) -> View:
        """The view with its infrastructure object."""
        return replace(self, infrastructure=infrastructure)

    def asking(self, tcp: Manifest) -> View:
        """The view after the TenantControlPlane was applied."""
        return replace(self, tcp=tcp)

    def holding(self, *secrets: Manifest) -> View:
        """The view after these Secrets of the Cluster were applied."""
        named = {each["metadata"]["name"]: each for each in secrets}
        return replace(self, secrets={**self.secrets, **named})

    def telling(self, raw: Manifest) -> View:
        """The view after our own spec was written."""
        return replace(self, raw=raw, kcp=KamajiControlPlane.parse(raw))


def controller(manifest: Manifest) -> Mapping[str, Any] | None:
    """The owner reference of the object's controller; None when it has none."""
    owners = manifest["metadata"].get("ownerReferences") or ()
    return next((each for each in owners if each.get("controller")), None)


def is_ours(raw: Manifest, tcp: Manifest) -> bool:
    """Whether the KamajiControlPlane `raw` made this TenantControlPlane.

    It is by its owner. One that lost its owner references (Cluster API's tools strip them, and expect them back) is known by
    the labels that only we put there. In another management cluster there are no owners: a label has the owner's UID, or, of
    one that upstream's provider made, its name.
    """
    labels, uid = meta.labels_of(tcp), raw["metadata"]["uid"]
    if said := labels.get(names.LABEL_CONTROL_PLANE_UID):
        return said == str(uid)
    if tcp["metadata"]["name"] == names.upstream_hosted_elsewhere(uid):
        return True
    if found := controller(tcp):
        return bool(found["uid"] == uid)
    if any(each["uid"] == uid for each in tcp["metadata"].get("ownerReferences") or ()):
        return True
    return labels.get(names.LABEL_PART) == PART and names.LABEL_CLUSTER_NAME in labels


def has_arrived(view: View) -> bool:
    """Whether a control plane that was moved here is known by what only its Cluster has: the key of its authority.

    The one that hosts it stays where it is when the KamajiControlPlane moves to another management cluster, with another UID.
    """
    if not view.place.elsewhere or not (key := view.authority.get("ca.key")):
        return False
    brought = meta.decoded(view.secrets.get(ca_secret(view.cluster_name)))
    return hmac.compare_digest(brought.get("tls.key", b""), key)


def kubeconfig_secret(cluster: str) -> str:
    """Secret that core and the bootstrap provider read; key `value`."""
    return f"{cluster}-kubeconfig"


def pair_secret(cluster: str, purpose: Purpose) -> str:
    """Secret with a pair of the Cluster; keys tls.crt and tls.key."""
    return f"{cluster}-{purpose.name}"


def ca_secret(cluster: str) -> str:
    """The one with the cluster CA."""
    return pair_secret(cluster, CA)


def shared(view: View) -> bool:
    """Whether the hosting room's own CA Secret is the Cluster's as well."""
    return not view.place.elsewhere and names.ca_secret(view.name) == ca_secret(view.cluster_name)
