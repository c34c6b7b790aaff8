"""All metrics, declared once: what they are called, what they tell, their labels and who sets them.

The instruments (`instruments`, `subjects`), docs/metrics.md, the dashboards and the tests of alerts are made from this table.
Names that upstream Kamaji has are upstream's. Labels are bounded: by the code's own words, or by the tenants and stores that
there are; what a tenant can write is no label.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from provider.api.tenantstatus import VERSION_STATUSES
from provider.telemetry.metric import Metric

TENANT = "provider.hosting.reconcile.measures"
QUEUE = "provider.telemetry.instruments"
UPKEEP = "provider.hosting.reconcile.upkeep"
SAMPLING = "provider.hosting.reconcile.sampling"
CAPI = "provider.capi.measures"

_of_tenant = partial(Metric, kind="gauge", of="tenant", where=TENANT)
_of_store = partial(Metric, kind="gauge", of="store", where=TENANT)
_of_store_kept = partial(Metric, kind="gauge", of="store", where=UPKEEP)
_of_pool = partial(Metric, kind="gauge", of="pool", where=TENANT)
_of_schedule = partial(Metric, kind="gauge", of="schedule", where=TENANT)
_of_control_plane = partial(Metric, kind="gauge", of="controlplane", where=CAPI)
_of_tenant_sampled = partial(Metric, kind="gauge", of="tenant", where=SAMPLING)

RECONCILE_SECONDS = Metric(
    name="kamaji_reconcile_seconds",
    kind="histogram",
    help="Duration of passes, by kind of object and outcome",
    more=("kind", "outcome"),
    values={"outcome": ("done", "again", "failed")},
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
    where=QUEUE,
)
QUEUE_DEPTH = Metric(
    name="kamaji_queue_depth", kind="gauge", help="Objects waiting for a pass, by kind", more=("kind",), where=QUEUE
)
QUEUE_WAIT = Metric(
    name="kamaji_queue_wait_seconds",
    kind="histogram",
    help="How long an object waited for its pass, by kind",
    more=("kind",),
    buckets=(0.01, 0.1, 0.5, 1, 5, 30, 120),
    where=QUEUE,
)
RECONCILE_ERRORS = Metric(
    name="kamaji_reconcile_errors",
    kind="counter",
    help="Passes that failed, by kind of object and by what they failed of (names of the program's own errors)",
    more=("kind", "reason"),
    where=QUEUE,
)
LEADER = Metric(name="kamaji_leader", kind="gauge", help="1 while this replica acts", where="provider.__main__")

TENANT_INFO = _of_tenant(
    name="kamaji_tenant_control_plane_info",
    help="1: the version that serves, the store, and how the API server is reached",
    more=("kubernetes_version", "datastore_driver", "datastore_name", "address", "exposure_strategy"),
    values={"exposure_strategy": ("service", "ingress", "gateway", "unknown")},
)
TENANT_STATUS = _of_tenant(
    name="kamaji_tenant_control_plane_status",
    help="1: the word for its state, and whether condition Ready holds",
    more=("status", "ready"),
    values={"status": VERSION_STATUSES, "ready": ("true", "false")},
)
TENANT_READY = _of_tenant(
    name="kamaji_tenant_ready",
    help="1 while condition Ready holds; 0 also while it sleeps",
)
TENANT_HINDRANCE = _of_tenant(
    name="kamaji_tenant_hindrance",
    help="1: why condition Ready does not hold, by the reasons of docs/runbook.md; none while it holds",
    more=("reason",),
)
TENANT_REPLICAS = _of_tenant(
    name="kamaji_tenant_replicas",
    help="Pods of the control plane",
    more=("what",),
    values={"what": ("wanted", "ready")},
)
PHASES = ("Accepted", "StorageReady", "CertificatesReady", "EndpointReady", "PodsReady", "Joinable", "Ready")
TENANT_BIRTH = _of_tenant(
    name="kamaji_tenant_birth_phase_seconds",
    help="From its creation until the condition first held, to the second; of those born before this process, nothing",
    more=("phase",),
    values={"phase": PHASES},
)
BIRTHS = Metric(
    name="kamaji_birth_seconds",
    kind="histogram",
    help="From a tenant's creation until the condition first held; phase Joinable is the time to joinable",
    more=("phase",),
    values={"phase": PHASES},
    buckets=(2, 4, 6, 8, 10, 15, 20, 30, 60, 120, 300, 900),
    where=TENANT,
)
API_UP = Metric(
    name="kamaji_tenant_api_up",
    kind="gauge",
    help="1 while its API server answers us (the last pass, and the watches that stand since); none while it sleeps",
    of="tenant",
    where="provider.hosting.reconcile.availability",
)
API_SECONDS = Metric(
    name="kamaji_tenant_api_seconds",
    kind="histogram",
    help="How long tenants' API servers took to tell a pass of our objects in them, or not to answer",
    more=("outcome",),
    values={"outcome": ("answered", "unanswered")},
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
    where="provider.hosting.reconcile.availability",
)

STORAGE_BYTES = _of_tenant_sampled(
    name="kamaji_tenant_storage_bytes",
    help="Bytes of a tenant's objects in a store, as sampled last",
    more=("datastore_name",),
)
STORAGE_KEYS = _of_tenant_sampled(
    name="kamaji_tenant_storage_keys",
    help="Keys (with kine: rows) of a tenant in a store",
    more=("datastore_name",),
)
STORAGE_WRITES = _of_tenant_sampled(
    name="kamaji_tenant_storage_writes_per_second",
    help="Writes of a tenant to a store",
    more=("datastore_name",),
)
STORAGE_THROTTLED = _of_tenant(
    name="kamaji_tenant_storage_throttled",
    help="1 while it is held back because its writes had filled its store: closed by the store, or limited by its API server",
    more=("datastore_name", "how"),
    values={"how": ("closed", "limited")},
)
CERTIFICATE_END = Metric(
    name="kamaji_certificate_expiration_timestamp_seconds",
    kind="gauge",
    help="When a certificate of a tenant, or of a DataStore (without a namespace), ends: by what it is, in docs/credentials.md",
    of="credential",
    more=("certificate",),
    where=TENANT,
)
CERTIFICATE_BEGIN = Metric(
    name="kamaji_certificate_start_timestamp_seconds",
    kind="gauge",
    help="Since when a certificate of a tenant is valid: its age is the time since",
    of="credential",
    more=("certificate",),
    where=TENANT,
)

STORE_INFO = _of_store(
    name="kamaji_datastore_info",
    help="1: its driver, and the version that it says of itself",
    more=("driver", "version"),
)
STORE_READY = _of_store(
    name="kamaji_datastore_ready",
    help="1 while the store was found fit when it was tried last",
)
STORE_TENANTS = _of_store(
    name="kamaji_datastore_tenants",
    help="TenantControlPlanes some of whose state lies in the store",
)
STORE_BYTES = _of_store_kept(
    name="kamaji_datastore_bytes",
    help="What an etcd says of itself: size on disk, in_use of it, quota; headroom is quota less in_use",
    more=("what",),
    values={"what": ("size", "in_use", "quota")},
)
STORE_MEMBERS = _of_store_kept(
    name="kamaji_datastore_members",
    help="Members of an etcd, and how many of them answer by themselves",
    more=("what",),
    values={"what": ("all", "healthy")},
)
COMPACTION_LAG = _of_store_kept(
    name="kamaji_datastore_compaction_lag_seconds",
    help="Age of the oldest history that an etcd still keeps",
)
DEFRAGMENTATION_LAG = _of_store_kept(
    name="kamaji_datastore_defragmentation_lag_seconds",
    help="For how long a member has been worth being defragmented, and was not",
)
STORE_UPKEEP = Metric(
    name="kamaji_datastore_upkeep",
    kind="counter",
    help="Compactions, defragmented members and alarms taken off",
    of="store",
    more=("what",),
    values={"what": ("compacted", "defragmented", "disarmed")},
    where=UPKEEP,
)
GRANT_DRIFT = Metric(
    name="kamaji_datastore_grant_drift",
    kind="counter",
    help="Grants of tenants that were found changed, and made right",
    of="store",
    where="provider.hosting.reconcile.storage",
)
LAST_SNAPSHOT = _of_store(
    name="kamaji_datastore_last_snapshot_timestamp_seconds",
    help="When the last snapshot of a pool's store was kept; none while none was",
)
POOL_READY = _of_pool(name="kamaji_datastorepool_ready", help="1 while all its stores are ready")
POOL_WAITING = _of_pool(
    name="kamaji_datastorepool_waiting_tenants",
    help="TenantControlPlanes that have no place in any of its stores yet",
)
POOL_ROOM = _of_pool(
    name="kamaji_datastorepool_stores",
    help="Its stores, and those of them that take another tenant",
    more=("what",),
    values={"what": ("all", "taking")},
)

BACKUP_TAKEN = _of_schedule(
    name="kamaji_backup_last_successful_timestamp_seconds",
    help="The moment that the newest whole backup of a schedule shows; none while there is none",
)
BACKUP_DUE = _of_schedule(
    name="kamaji_backup_due_timestamp_seconds",
    help="When the backup after the newest whole one is due: in the past while it is not there; none while suspended",
)
DRILL_PROVEN = _of_schedule(
    name="kamaji_backup_drill_proven",
    help="1 when the last drill that is over restored the backup whole, 0 when it did not; none while there was none",
)
DRILL_DUE = _of_schedule(
    name="kamaji_backup_drill_due_timestamp_seconds",
    help="When the drill after the last is due: in the past while it is not over; none while the schedule is suspended",
)

CONTROL_PLANE_PHASES = (
    *("TenantControlPlaneCreated", "CertificatesAvailable", "ControlPlaneEndpointPatched"),
    *("InfrastructureClusterPatched", "Available", "Initialized"),
)
CONTROL_PLANE_AVAILABLE = _of_control_plane(
    name="kamaji_control_plane_available",
    help="1 while condition Available holds; 0 also while it sleeps",
)
CONTROL_PLANE_HINDRANCE = _of_control_plane(
    name="kamaji_control_plane_hindrance",
    help="1: why condition Available does not hold, mostly a reason of its TenantControlPlane; none while it holds",
    more=("reason",),
)
CONTROL_PLANE_INFO = _of_control_plane(
    name="kamaji_control_plane_info",
    help="1: the version that Cluster API is told, of several the oldest, and whether it is hosted in this management cluster",
    more=("kubernetes_version", "hosted"),
    values={"hosted": ("here", "elsewhere")},
)
CONTROL_PLANE_PAUSED = _of_control_plane(name="kamaji_control_plane_paused", help="1 while it is paused")
CONTROL_PLANE_BIRTH = _of_control_plane(
    name="kamaji_control_plane_birth_phase_seconds",
    help="From its creation until the condition first held, to the second; of those born before this process, nothing",
    more=("phase",),
    values={"phase": CONTROL_PLANE_PHASES},
)
CONTROL_PLANE_BIRTHS = Metric(
    name="kamaji_control_plane_birth_seconds",
    kind="histogram",
    help="From a KamajiControlPlane's creation until the condition first held; phase Initialized: until core makes workers",
    more=("phase",),
    values={"phase": CONTROL_PLANE_PHASES},
    buckets=BIRTHS.buckets,
    where=CAPI,
)

TABLE: tuple[Metric, ...] = tuple(each for each in list(globals().values()) if isinstance(each, Metric))
"""In the order of this page."""
BY_SERIES: Mapping[str, Metric] = {name: each for each in TABLE for name in each.series}
