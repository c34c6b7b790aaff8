"""What one pass over a DataStore or a DataStorePool knows, frozen; and a DataStore as tenants' builders need it.

Written by `observe`, read by `desired`, `status` and `reconcile`. Nothing here reaches a client.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from provider.api import kinds, names, poolnames
from provider.api.datastore import DataStore
from provider.api.datastorepool import DataStorePool
from provider.api.verdict import Invalid
from provider.hosting.storematerial import Material, material
from provider.hosting.view import NATS, Keyspace, Seen, Store
from provider.manifest import Manifest, meta, pem, x509
from provider.manifest.condition import find
from provider.manifest.mint import Mint
from provider.manifest.x509 import Pair
from provider.settings import Settings

CONDITION_READY = "Ready"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a tenant has recorded as its own: a keyspace, and the DataStores in which that may hold keys."""

    keyspace: Keyspace
    stores: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a store says of itself; what a driver has no number for is 0."""

    version: str
    identity: str = ""  # of the cluster of servers itself: two DataStores may lead to one
    revision: int = 0  # goes back only when an older state of it was restored
    size: int = 0  # bytes that it takes on disk
    in_use: int = 0  # bytes of that which hold something
    quota: int = 0  # bytes at which it takes no more


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What came of reaching the store, just now."""

    ready: bool
    reason: str
    message: str
    look: Look | None = None  # what the store said of itself


@dataclass(frozen=True, kw_only=True)
class StoreView:
    """Everything the status of a DataStore is made of."""

    datastore: DataStore
    raw: Manifest
    secrets: Seen = field(default_factory=Seen)  # those it refers to
    users: tuple[str, ...] = ()  # namespace/name of the tenants whose state it holds, sorted
    heaviest: tuple[str, ...] = ()  # those who take up most of it, in words, as sampled
    now: datetime


@dataclass(frozen=True, kw_only=True)
class Member:
    """A member of an etcd, as the cluster and the member itself tell of it."""

    id: int
    name: str  # of its pod, by its peer URL
    started: bool  # it has served once
    learner: bool = False  # it has no vote yet
    answers: bool = False
    leader: bool = False
    version: str = ""  # of the etcd that runs it; empty: it does not answer
    shows: bool = True  # what it shows to clients is of the authority that signs now; looked at while there are two


@dataclass(frozen=True, kw_only=True)
class Guests:
    """TenantControlPlanes of one namespace, by name."""

    namespace: str
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PoolView:
    """Everything the builders and the status of one store of a DataStorePool may know. Folded forward as parts are applied."""

    pool: DataStorePool
    store: str = ""  # which of its stores; empty: the first, which is called like the pool
    raw: Manifest  # for owner references and the status that stands
    seen: Seen  # what carries the store's label, and the DataStore of its name, whoever made that
    guests: tuple[Guests, ...] = ()  # whose control planes have something in the store
    residents: tuple[Guests, ...] = ()  # whose control planes live in it: they show it what its authority has signed
    membership: tuple[Member, ...] | None = None  # None: etcd was not asked, or has not told
    behind: tuple[str, ...] | None = (
        None  # namespace/name of tenants that have yet to follow another authority; None: not asked
    )
    image: str = ""  # of the provider itself; empty: not known
    classes: tuple[Manifest, ...] = ()  # StorageClasses
    nodes: tuple[Manifest, ...] = ()  # read only while a volume on a node's disk has no place yet
    settings: Settings
    now: datetime
    mint: Mint

    @property
    def name(self) -> str:
        """Name of the store and of its DataStore."""
        return self.store or self.pool.name

    @property
    def namespace(self) -> str:
        """Where the members run: the provider's own namespace."""
        return self.settings.namespace

    def secret(self, name: str) -> dict[str, bytes]:
        """Data of one of the pool's Secrets; empty when there is none."""
        return meta.decoded(self.seen.get(kinds.SECRET, name, self.namespace))

    def of_store(self, name: str) -> PoolView:
        """The view of one of the stores: of the objects that were seen, only its own."""
        own = {
            key: each
            for key, each in self.seen.objects.items()
            if name in (meta.labels_of(each).get(names.LABEL_STORE), meta.labels_of(each).get(names.LABEL_SNAPSHOTS))
            or key == (kinds.DATA_STORE.kind, "", name)
        }
        return replace(self, store=name, seen=Seen(own))

    def folded(self, *manifests: Manifest) -> PoolView:
        """The view after these objects were applied."""
        return replace(self, seen=self.seen.with_objects(*manifests))


def member_names(view: PoolView) -> tuple[str, ...]:
    """Pods that are asked for, which are also the members' names in etcd. Who is a member now: `roster`."""
    return tuple(f"{poolnames.etcd(view.name)}-{number}" for number in range(view.pool.spec.members))


def claim_of(tcp: Manifest) -> Claim | None:
    """What a TenantControlPlane has recorded; None before its first claim."""
    setup = ((tcp.get("status") or {}).get("storage") or {}).get("setup") or {}
    if not (setup.get("schema") and setup.get("user")):
        return None
    return Claim(keyspace=Keyspace(schema=setup["schema"], user=setup["user"]), stores=stores_of(tcp))


def stores_of(tcp: Manifest) -> frozenset[str]:
    """Names of the DataStores that may hold keys of a tenant: the recorded one, those of its overrides, also former ones."""
    main = ((tcp.get("status") or {}).get("storage") or {}).get("dataStoreName")
    return overridden(tcp) | ({str(main)} if main else set())


def residing(tcp: Manifest, store: str) -> bool:
    """Whether its main store is this one."""
    return bool(((tcp.get("status") or {}).get("storage") or {}).get("dataStoreName") == store)


def reached(tcp: Manifest) -> frozenset[str]:
    """Names of the DataStores that a tenant's pods have to reach: those that hold its keys, and both ends of a move."""
    move = ((tcp.get("status") or {}).get("storage") or {}).get("migration") or {}
    return stores_of(tcp) | {str(move[end]) for end in ("source", "target") if move.get(end)}


def guests(tenants: Iterable[Manifest], store: str) -> tuple[Guests, ...]:
    """Whose pods have to reach a store, in an order that stays."""
    return _grouped(each for each in tenants if store in reached(each))


def residents(tenants: Iterable[Manifest], store: str) -> tuple[Guests, ...]:
    """Whose main store it is, likewise."""
    return _grouped(each for each in tenants if residing(each, store))


def _grouped(tenants: Iterable[Manifest]) -> tuple[Guests, ...]:
    found: dict[str, set[str]] = {}
    for each in tenants:
        found.setdefault(str(each["metadata"]["namespace"]), set()).add(str(each["metadata"]["name"]))
    return tuple(Guests(namespace=where, names=tuple(sorted(found[where]))) for where in sorted(found))


def wanted_stores(tcp: Manifest, default: str) -> frozenset[str]:
    """Names of the DataStores of which a tenant has to know: those that hold its keys, and those it waits for."""
    spec = tcp.get("spec") or {}
    overrides = {each.get("dataStore") or "" for each in spec.get("dataStoreOverrides") or ()}
    recorded = ((tcp.get("status") or {}).get("storage") or {}).get("dataStoreName")
    asked = meta.annotations_of(tcp).get(names.ANNOTATION_MOVE_TO) if recorded else None
    return stores_of(tcp) | overrides | {spec.get("dataStore") or asked or recorded or default}


def overridden(tcp: Manifest) -> frozenset[str]:
    """Names of the DataStores in which overrides may have put keys: what the object's finalizers say (decision 0009)."""
    prefix = names.FINALIZER_OVERRIDE
    held = tcp["metadata"].get("finalizers") or ()
    return frozenset(each.removeprefix(prefix) for each in held if each.startswith(prefix))


def holder(claim: Claim, others: Iterable[Manifest]) -> Manifest | None:
    """The first of these TenantControlPlanes that has recorded the same schema or user in one of the same stores."""
    for each in others:
        theirs = claim_of(each)
        if theirs is None or not theirs.stores & claim.stores:
            continue
        if theirs.keyspace.schema == claim.keyspace.schema or theirs.keyspace.user == claim.keyspace.user:
            return each
    return None


def store_of(datastore: DataStore, raw: Manifest, secrets: Seen) -> Store:
    """The store as tenants' builders need it; ready is its own pass's verdict, and false while a Secret is missing."""
    status = raw.get("status") or {}
    said = find(status.get("conditions"), CONDITION_READY) or {}
    store = Store(
        name=datastore.name,
        driver=datastore.spec.driver,
        endpoints=datastore.spec.endpoints,
        pooled=any(each["kind"] == kinds.DATA_STORE_POOL.kind for each in raw["metadata"].get("ownerReferences") or ()),
        ready=False,
        message=str(said.get("message") or "it was not looked at yet"),
    )
    if datastore.deleting:
        return replace(store, message="it is being deleted")
    try:
        found = material(datastore, secrets)
    except Invalid as invalid:
        return replace(store, message=invalid.message)
    return replace(
        store,
        ready=bool(status.get("ready")),
        lineage="/".join(
            str(status.get(each) or "") for each in ("version", "clusterID", "lastRestored", "lastUnguarded")
        ),
        ca=found.authority.certificate,
        client_ca=_signer(store, found),
        others=_others(found),
        client=found.client if store.kine else None,
        user=found.user,
        password=found.password if store.driver == NATS else "",
    )


def offered(raw: Manifest) -> Manifest:
    """What of a DataStore its tenants' passes go by: `store_of`, and whether it takes them at all."""
    metadata, status = raw["metadata"], raw.get("status") or {}
    said = find(status.get("conditions"), CONDITION_READY) or {}
    kept = ("ready", "version", "clusterID", "lastRestored", "lastUnguarded", "authorities")
    return {
        **{each: status.get(each) for each in kept},
        "spec": raw.get("spec"),
        "condition": [said.get(each) for each in ("status", "reason", "message")],
        "metadata": [metadata.get(each) for each in ("uid", "deletionTimestamp", "annotations")],
    }


def _signer(store: Store, found: Material) -> Pair | None:
    """Who signs tenants' certificates: the authority, also of a database that is shown certificates it has signed.

    A tenant with a certificate of its own holds no key of root's. Where that cannot be, it shows root's, as upstream has it.
    """
    signer = x509.signing(found.authority)
    if not store.kine:
        return signer
    trusted = (signer.certificate, *_others(found))
    ours = found.client is not None and any(x509.verifies(found.client.certificate, each) for each in trusted)
    return signer if ours and x509.is_pair(signer) else None


def _others(found: Material) -> tuple[bytes, ...]:
    """While one authority takes the place of another, a DataStore names both; its key is that of one."""
    signer = x509.signing(found.authority).certificate
    own = pem.blocks(signer)[:1]
    return tuple(each for each in pem.blocks(found.authority.certificate) if each not in own)
