"""What one pass over a TenantControlPlane knows, frozen: written by `observe`, folded forward by `reconcile`, read by builders.

Builders get everything from here and cannot reach a client. What a part applied is in `seen` for the parts after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from provider.api import kinds, names
from provider.api.autoscaler import TenantAutoscaler
from provider.api.kinds import Kind
from provider.api.tenantcontrolplane import TenantControlPlane
from provider.api.verdict import NotReady, Verdict
from provider.manifest import Manifest, meta, podstatus
from provider.manifest.mint import Mint
from provider.manifest.x509 import Pair
from provider.settings import Settings

Key = tuple[str, str, str]
"""(kind, namespace or "", name) of an object."""


@dataclass(frozen=True)
class Seen:
    """Objects of one API server as they are now, by kind and name."""

    objects: Mapping[Key, Manifest] = field(default_factory=dict)
    at: Mapping[Kind, str] = field(
        default_factory=dict
    )  # of which resource version each kind was seen, where it matters

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest | None:
        """The object, or None when it does not exist."""
        return self.objects.get((kind.kind, namespace or "", name))

    def with_objects(self, *manifests: Manifest) -> Seen:
        """The same with these objects as they are now."""
        return replace(self, objects={**self.objects, **{key_of(each): each for each in manifests}})


ETCD, MYSQL, POSTGRESQL, NATS = "etcd", "MySQL", "PostgreSQL", "NATS"
"""The drivers, as a DataStore spells them."""


@dataclass(frozen=True, kw_only=True)
class Store:
    """A DataStore as the tenant's builders need it; secrets already read. `ready` is the DataStore's own verdict."""

    name: str
    driver: str
    endpoints: tuple[str, ...]  # host:port
    ready: bool
    message: str = ""  # why it is not ready
    pooled: bool = False  # a DataStorePool made it, and rotates its authority itself
    lineage: str = (
        ""  # another one after an upgrade or a restore: what was granted and proven before is worth nothing then
    )
    ca: bytes = b""  # PEM of the CA that signed the store's server certificates; empty: it is reached without TLS
    client_ca: Pair | None = (
        None  # signs tenants' client certificates; None: tenants show the one of the DataStore, if any
    )
    others: tuple[bytes, ...] = ()  # authorities that the DataStore names beside the one that signs
    client: Pair | None = field(default=None, repr=False)  # the one of the DataStore
    user: str = ""  # its root, where one logs in by password
    password: str = field(default="", repr=False)  # root's, of a store whose tenant has no user of its own (NATS)

    @property
    def kine(self) -> bool:
        """Whether API servers reach it through kine; else it is etcd."""
        return self.driver != ETCD


@dataclass(frozen=True, kw_only=True)
class Override:
    """A resource that lives in another store."""

    resource: str  # group/plural, as in /events
    data_store: str
    store: Store | None  # None: it does not exist


@dataclass(frozen=True, kw_only=True)
class Keyspace:
    """Where a tenant's state lives in its store. Recorded in status before first use, never computed again (B2, K#1235)."""

    schema: str  # etcd: id of the range [/schema/, /schema0) and name of the role; else name of a database or bucket
    user: str


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """On the way between versions: which the pods run after this pass. Decided before the walk by `hosting.upgrade`."""

    version: str  # with its leading v
    reason: str  # why not all of them run what the spec asks for: a condition's reason and message
    message: str
    kept: Manifest | None = (
        None  # the pod's spec that served before, to be run again as it was; None: as the spec says now
    )
    record: str = ""  # what the Deployment is to remember of an upgrade that failed
    again: float | None = None  # seconds after which to decide again, when no event will tell


@dataclass(frozen=True, kw_only=True)
class Move:
    """A tenant on its way from one store to another, as it is recorded; `hosting.migration` says what the phases are."""

    phase: str
    source: str  # names of DataStores
    target: str
    began: str  # when, RFC 3339; together with the tenant's UID it names the copy
    since: datetime  # of the phase
    resources: tuple[str, ...] = ()  # overrides that move; empty: all that is in the main store
    standby: int = 0  # revision of the target that its pods, which stand by, have seen first; 0: none stand by
    reason: str = ""  # why it was given up: a condition's reason and message
    message: str = ""


@dataclass(frozen=True)
class ServerPod:
    """A pod with a kube-apiserver of the tenant, reachable at `address` on the tenant's port."""

    name: str
    address: str


@dataclass(frozen=True, kw_only=True)
class Follower:
    """Something inside the tenant that holds what a former key signed until it has another."""

    name: str
    born: datetime
    key: str = ""  # fingerprint of the one that signed what it was last seen to get; empty: that was not seen


@dataclass(frozen=True, kw_only=True)
class Followers:
    """Whom a rotation waits for: nodes, whose kubelets have certificates, and Secrets with tokens that never expire."""

    nodes: tuple[Follower, ...] = ()
    tokens: tuple[Follower, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What is known of how a tenant's objects are stored, where some are to be encrypted."""

    foreign: bool = False  # some are encrypted, and nothing is held that could read them
    document: str = ""  # checksum of the configuration that the rest is about
    done: bool = False  # everything was written by whom that says
    proven: bool = False  # and that was read off the store
    total: int = 0  # objects, of those that were counted
    left: int = 0  # that were written by another
    trouble: str = ""  # why it does not go on


@dataclass(frozen=True, kw_only=True)
class Tunnel:
    """What came of a question that had to take the tunnel to the tenant's nodes, in a condition's words."""

    works: bool
    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class View:
    """Everything a builder may know."""

    tcp: TenantControlPlane
    raw: Manifest  # the same as the API server said it, for owner references and the status that stands
    seen: Seen  # this tenant's objects in the management cluster
    store: Store | None  # where its state lives, or shall; None: none named, or it does not exist
    awaits_place: str = ""  # what is said of a tenant that a DataStorePool has yet to put in one of its stores
    keyspace: Keyspace | None  # None until recorded
    tenant: Seen | None  # objects inside the tenant cluster; None until its API server answers
    settings: Settings
    now: datetime
    mint: Mint
    gateways: Seen | None = None  # Gateways that took a route of ours; None: this cluster serves no TLSRoute
    overrides: tuple[Override, ...] = ()  # resources that live in other stores, in the order written
    kept: bool = False  # the pods are upstream's and nothing that matters differs: what would roll them stays as it is
    stopped: tuple[str, ...] = ()  # the pods stay as they are; in what they would differ, of a rollout too many
    rollout: Rollout | None = None  # None: they run what the spec asks for, or nothing ever ran
    tunnel: Tunnel | None = None  # None: nobody asked, or there is none
    refused: tuple[str, ...] = ()  # what its own credentials were tried at in its store, in vain; empty: nobody asked
    resigned: bool = False  # the store takes what its authority signs now, where it names others beside that
    followers: Followers | None = None  # None: no rotation waits for any, or the tenant could not be asked
    stored: Stored | None = None  # None: nobody asked how objects are stored
    move: Move | None = None  # between stores, or the trace of one
    other: Store | None = (
        None  # the other store of the move, or the one that the spec asks for; None: it does not exist
    )
    autoscaler: TenantAutoscaler | None = None  # within which bounds the pods ask for what they need
    resizable: bool = False  # whether pods that run can be given more or less
    held_up: Verdict | None = None  # why a move that the spec asks for does not begin

    @property
    def version(self) -> str:
        """The version that the pods shall run, with its leading v."""
        return self.rollout.version if self.rollout else f"v{self.tcp.spec.kubernetes.version.removeprefix('v')}"

    @property
    def restoring(self) -> bool:
        """Whether its keys are being written by a TenantRestore: it has no pods, and may not write."""
        return names.ANNOTATION_RESTORING in meta.annotations_of(self.raw)

    @property
    def deployment(self) -> Manifest | None:
        """The Deployment as it is."""
        return self.seen.get(kinds.DEPLOYMENT, self.name, self.namespace)

    @property
    def pods(self) -> list[Manifest]:
        """The control plane's pods, by name, also those that are ending."""
        found = [each for each in self.seen.objects.values() if each["kind"] == kinds.POD.kind]
        return sorted(found, key=lambda each: str(each["metadata"]["name"]))

    @property
    def serving(self) -> list[ServerPod]:
        """Those whose kube-apiserver is ready, as the kubelet has said. The Service may not route to them yet."""
        return [pod for pod, state in self._servers() if state.get("ready")]

    @property
    def starting(self) -> list[ServerPod]:
        """Those whose kube-apiserver runs and is not known to be ready."""
        return [
            pod for pod, state in self._servers() if "running" in (state.get("state") or {}) and not state.get("ready")
        ]

    def _servers(self) -> list[tuple[ServerPod, Manifest]]:
        return [
            (ServerPod(name=each["metadata"]["name"], address=each["status"]["podIP"]), container)
            for each in self.pods
            if (each.get("status") or {}).get("podIP") and not each["metadata"].get("deletionTimestamp")
            if not podstatus.is_shut(each, names.GATE_AT_HOME)
            for container in each["status"].get("containerStatuses") or ()
            if container["name"] == "kube-apiserver"
        ]

    password: str = field(
        default="", repr=False
    )  # the user's in the store, which the store knows before a Secret has it

    @property
    def name(self) -> str:
        """Name of the TenantControlPlane; child objects are called after it."""
        return self.tcp.metadata.name

    @property
    def namespace(self) -> str:
        """Namespace of the TenantControlPlane and of all its objects."""
        return self.tcp.metadata.namespace or ""

    @property
    def status(self) -> Mapping[str, Any]:
        """The status as it stands in the API server; empty before the first pass."""
        return self.raw.get("status") or {}

    def secret(self, name: str) -> dict[str, bytes]:
        """Data of one of the tenant's Secrets; empty when there is none."""
        return meta.decoded(self.seen.get(kinds.SECRET, name, self.namespace))

    def pair(self, secret: str, certificate: str, key: str) -> Pair:
        """Certificate and key out of a Secret. NotReady when it lacks one."""
        data = self.secret(secret)
        if certificate not in data or key not in data:
            raise NotReady("SecretMissing", f"waiting for {certificate} and {key} in Secret {self.namespace}/{secret}")
        return Pair(certificate=data[certificate], key=data[key])

    def folded(self, *manifests: Manifest) -> View:
        """The view after these management-cluster objects were applied."""
        return replace(self, seen=self.seen.with_objects(*manifests))

    def claimed(self, keyspace: Keyspace, raw: Manifest) -> View:
        """The view after its keyspace was recorded; `raw` is the object as the API server now has it."""
        return replace(self, keyspace=keyspace, raw=raw)

    def tunnelled(self, tunnel: Tunnel | None) -> View:
        """The view after the tunnel was tried."""
        return replace(self, tunnel=tunnel)

    def proven(self, refused: tuple[str, ...]) -> View:
        """The view after the store was asked whether it keeps the tenant apart, and does."""
        return replace(self, refused=refused)

    def inside(self, objects: Seen) -> View:
        """The view with these objects seen inside the tenant cluster."""
        return replace(self, tenant=objects)


def key_of(manifest: Manifest) -> Key:
    """Where a manifest stands in `Seen`."""
    metadata = manifest["metadata"]
    return (manifest["kind"], metadata.get("namespace") or "", metadata["name"])
