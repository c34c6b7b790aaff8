"""DataStorePool: etcd clusters that the provider itself makes and keeps, each offered as a DataStore, and who is put where.

Ours, not upstream's.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from provider.api import kinds
from provider.api.bucket import Bucket
from provider.api.definition import AGE, Column, Definition
from provider.api.meta import Conditions, LabelSelector, Resource
from provider.api.model import Model
from provider.api.rebalancing import MoveStatus, Rebalancing
from provider.api.schema import ATOMIC, DNS_SUBDOMAIN, SET, Int64, Rule, Timestamp, immutable

ETCD_VERSION: Final = "3.6.16"
ETCD_SHAPE = "^v?3[.](0|[1-9][0-9]{0,3})[.](0|[1-9][0-9]{0,3})$"
MINOR = "int(self.split('.')[1])"
PATCH = "int(self.split('.')[2])"

SAFE_ETCD = Rule(
    f"self.matches('{ETCD_SHAPE}') && ({MINOR} > 7 || {MINOR} == 7 && {PATCH} >= 1 || {MINOR} == 6 && {PATCH} >= 14)",
    "must be an etcd version such as 3.6.16, and 3.6.14 or later or 3.7.1 or later:"
    " older ones let one tenant read another's keys",
)


class Storage(Model):
    """The volume of each member; without a StorageClass in the cluster the node's disk is taken, with a warning."""

    size: Annotated[str, Field(pattern="^[1-9][0-9]*(Mi|Gi|Ti|M|G|T)$", max_length=16), immutable("storage.size")] = (
        "8Gi"
    )
    storage_class_name: Annotated[
        Annotated[str, Field(min_length=1, max_length=253), immutable("storage.storageClassName")] | None,
        Field(description="Where absent, the cluster's default StorageClass."),
    ] = None


Bytes = Annotated[str, Field(pattern="^[1-9][0-9]{0,8}(Ki|Mi|Gi|Ti|k|M|G|T)$", max_length=16)]


class Placement(Model):
    """Which of the pool's stores a TenantControlPlane gets, and how many of them a store takes at most.

    Who names a store in `spec.dataStore` gets that one, full or not, and counts there.
    """

    policy: Annotated[
        Literal["Spread", "BinPack"],
        Field(
            description="Spread: the store with the fewest tenants for its weight, where those that write or hold much count as"
            " several. BinPack: the fullest that has room."
        ),
    ] = "Spread"
    max_tenants: Annotated[
        Annotated[int, Field(ge=1, le=100_000)] | None,
        Field(description="Tenants whose state one store may hold; where absent, bytes alone limit it."),
    ] = None
    max_bytes: Annotated[
        Bytes | None,
        Field(
            description="Size that the database of one store may have; where absent, etcd's quota in stores made here."
        ),
    ] = None
    bytes_per_tenant: Annotated[
        Bytes,
        Field(description="What is set aside for each tenant, also before it has written anything."),
    ] = "16Mi"
    max_writes_per_minute: Annotated[
        Annotated[int, Field(ge=1, le=10_000_000)] | None,
        Field(
            description="Writes that the tenants of one store may make together, as measured; where absent, they limit nothing."
        ),
    ] = None
    writes_per_tenant: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000,
            description="Writes a minute that are set aside for each tenant; one that makes ten times as many counts as ten.",
        ),
    ] = 120


class SnapshotVolume(Model):
    """A volume of yours: it stays when the pool goes, which is what snapshots are for."""

    claim_name: Annotated[
        str,
        Field(
            pattern=f"^{DNS_SUBDOMAIN}$",
            max_length=253,
            description="A PersistentVolumeClaim beside the provider. Each store writes to a folder of its own.",
        ),
    ]


class SnapshotBucket(Bucket):
    """A bucket of an S3 API, of AWS or of anybody else."""

    secret_name: Annotated[
        Annotated[str, Field(pattern=f"^{DNS_SUBDOMAIN}$", max_length=253)] | None,
        Field(
            description="A Secret beside the provider with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and ca.crt where the"
            " endpoint's authority is one of your own. Where absent, the pod's node vouches for it, as on AWS."
        ),
    ] = None


class SnapshotPlace(Model):
    """Where snapshots are kept."""

    RULES = (Rule("has(self.volume) != has(self.s3)", "to needs volume or s3, and not both"),)

    volume: SnapshotVolume | None = None
    s3: SnapshotBucket | None = None


class Snapshots(Model):
    """Snapshots of each store that the pool makes, by the clock. Each is restored into an etcd of its own before it is kept."""

    schedule: Annotated[
        str,
        Field(
            pattern=r"^(@(hourly|daily|midnight|weekly|monthly|yearly|annually)|\S+( +\S+){4})$",
            max_length=100,
            description="When, in UTC, as a CronJob takes it: minute, hour, day, month, day of the week; or @daily.",
        ),
    ] = "@daily"
    retention: Annotated[
        int, Field(ge=1, le=1000, description="How many are kept of each store; older ones are deleted.")
    ] = 7
    to: SnapshotPlace


class DataStorePoolSpec(Model):
    """The etcd clusters to make, and the tenants to place in them. Their version may change; their shape is for life."""

    RULES = (
        Rule(
            "!has(self.maxStores) || self.maxStores >= (has(self.minStores) ? self.minStores : 1)",
            "maxStores must not be below minStores (1 where absent)",
        ),
        Rule(
            "has(self.storage) == has(oldSelf.storage) && (!has(self.storage)"
            " || has(self.storage.storageClassName) == has(oldSelf.storage.storageClassName))",
            "storage cannot be changed once set: make a new DataStorePool instead",
        ),
    )

    driver: Annotated[Literal["etcd"], immutable("driver")] = "etcd"
    members: Annotated[
        Literal[1, 3, 5],
        Rule("self >= oldSelf", "members can grow and not shrink: make a new DataStorePool with fewer"),
    ] = 1
    version: Annotated[str, Field(max_length=16), SAFE_ETCD] = ETCD_VERSION
    storage: Storage = Storage()
    min_stores: Annotated[
        int, Field(ge=0, le=99, description="etcd clusters to make at once. They are made and never taken away.")
    ] = 1
    max_stores: Annotated[
        Annotated[int, Field(ge=0, le=99)] | None,
        Field(description="Up to how many are made as the pool fills; where absent, minStores."),
    ] = None
    headroom_percent: Annotated[
        int,
        Field(ge=0, le=90, description="A further store is made when less than this share of the pool is free."),
    ] = 20
    store_selector: Annotated[
        LabelSelector | None,
        ATOMIC,
        Field(description="DataStores of others, by their labels, in which tenants are placed as well."),
    ] = None
    tenant_selector: Annotated[
        LabelSelector | None,
        ATOMIC,
        Field(
            description="TenantControlPlanes without a dataStore that this pool places, by their labels. Where absent, the"
            " pool that has the name of the default DataStore places those that no other pool selects."
        ),
    ] = None
    placement: Placement = Placement()
    rebalancing: Rebalancing = Rebalancing()
    snapshots: Snapshots | None = None


class LastSnapshot(Model):
    """The newest snapshot that is kept. It was restored, and held what the store held."""

    name: str
    time: Timestamp
    bytes: Int64 = 0
    keys: Int64 = 0
    revision: Int64 = 0  # of the store, at the least


class StoreLoad(Model):
    """A store of the pool and what is in it."""

    name: str
    made: bool = False  # by this pool; else it was brought and selected
    ready: bool = False
    tenants: Int64 = 0
    max_tenants: Int64 | None = None
    used_bytes: Int64 = 0  # of its database, in steps of 16Mi, so that it does not move all the time
    max_bytes: Int64 | None = None
    writes_per_minute: Int64 = 0  # of all tenants in it together, as sampled
    max_writes_per_minute: Int64 | None = None
    takes: bool = False  # whether another tenant can be placed in it
    message: str = ""  # why not
    last_snapshot: LastSnapshot | None = None


class DataStorePoolStatus(Model):
    """The stores, what is in them, and whether all that were made answer."""

    data_store_names: Annotated[tuple[str, ...], SET] = ()
    stores: tuple[StoreLoad, ...] = ()
    tenants: Int64 = 0
    waiting: Int64 = 0  # TenantControlPlanes for which there is no room yet
    moves: Annotated[tuple[MoveStatus, ...], Field(description="Of more than fifty, the first.")] = ()
    moves_left: Int64 = 0  # that are under way or to be made, also beyond those that are told
    ready: bool = False
    conditions: Conditions = ()
    observed_generation: Int64 | None = None


class DataStorePool(Resource):
    """etcd made and kept by the provider."""

    DEFINITION = Definition(
        kind=kinds.DATA_STORE_POOL,
        short_names=("dsp",),
        categories=("kamaji",),
        columns=(
            Column("Driver", "string", ".spec.driver"),
            Column("Members", "integer", ".spec.members"),
            Column("Version", "string", ".spec.version"),
            Column("Tenants", "integer", ".status.tenants"),
            Column("Ready", "boolean", ".status.ready"),
            AGE,
        ),
    )

    kind: Literal["DataStorePool", ""] = ""
    spec: DataStorePoolSpec = DataStorePoolSpec()
    status: DataStorePoolStatus = DataStorePoolStatus()
