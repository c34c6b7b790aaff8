"""All metrics, declared once: what they are called, what they tell, their labels and who sets them.

The instruments (`instruments`, `subjects`), docs/metrics.md, the dashboards and the tests of alerts are made from this table.
Names that upstream Kamaji has are upstream's. Labels are bounded: by the code's own words, or by the tenants and stores that
there are; what a tenant can write is no label.
"""

from __future__ import annotations

from collections.abc import Mapping

from provider.api.tenantstatus import VERSION_STATUSES
from provider.telemetry.metric import Metric

TENANT = "provider.hosting.reconcile.measures"
QUEUE = "provider.telemetry.instruments"
UPKEEP = "provider.hosting.reconcile.upkeep"

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

TENANT_INFO = Metric(
    name="kamaji_tenant_control_plane_info",
    kind="gauge",
    help="1: the version that serves, the store, and how the API server is reached",
    of="tenant",
    more=("kubernetes_version", "datastore_driver", "datastore_name", "address", "exposure_strategy"),
    values={"exposure_strategy": ("service", "ingress", "gateway", "unknown")},
    where=TENANT,
)
TENANT_STATUS = Metric(
    name="kamaji_tenant_control_plane_status",
    kind="gauge",
    help="1: the word for its state, and whether condition Ready holds",
    of="tenant",
    more=("status", "ready"),
    values={"status": VERSION_STATUSES, "ready": ("true", "false")},
    where=TENANT,
)
TENANT_READY = Metric(
    name="kamaji_tenant_ready",
    kind="gauge",
    help="1 while condition Ready holds; 0 also while it sleeps",
    of="tenant",
    where=TENANT,
)
TENANT_HINDRANCE = Metric(
    name="kamaji_tenant_hindrance",
    kind="gauge",
    help="1: why condition Ready does not hold, by the reasons of docs/runbook.md; none while it holds",
    of="tenant",
    more=("reason",),
    where=TENANT,
)
TENANT_REPLICAS = Metric(
    name="kamaji_tenant_replicas",
    kind="gauge",
    help="Pods of the control plane",
    of="tenant",
    more=("what",),
    values={"what": ("wanted", "ready")},
    where=TENANT,
)
PHASES = ("Accepted", "StorageReady", "CertificatesReady", "EndpointReady", "PodsReady", "Joinable", "Ready")
TENANT_BIRTH = Metric(
    name="kamaji_tenant_birth_phase_seconds",
    kind="gauge",
    help="From its creation until the condition first held, to the second; of those born before this process, nothing",
    of="tenant",
    more=("phase",),
    values={"phase": PHASES},
    where=TENANT,
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

SAMPLING = "provider.hosting.reconcile.sampling"
STORAGE_BYTES = Metric(
    name="kamaji_tenant_storage_bytes",
    kind="gauge",
    help="Bytes of a tenant's objects in a store, as sampled last",
    of="tenant",
    more=("datastore_name",),
    where=SAMPLING,
)
STORAGE_KEYS = Metric(
    name="kamaji_tenant_storage_keys",
    kind="gauge",
    help="Keys (with kine: rows) of a tenant in a store",
    of="tenant",
    more=("datastore_name",),
    where=SAMPLING,
)
STORAGE_WRITES = Metric(
    name="kamaji_tenant_storage_writes_per_second",
    kind="gauge",
    help="Writes of a tenant to a store",
    of="tenant",
    more=("datastore_name",),
    where=SAMPLING,
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

STORE_INFO = Metric(
    name="kamaji_datastore_info",
    kind="gauge",
    help="1: its driver, and the version that it says of itself",
    of="store",
    more=("driver", "version"),
    where=TENANT,
)
STORE_READY = Metric(
    name="kamaji_datastore_ready",
    kind="gauge",
    help="1 while the store was found fit when it was tried last",
    of="store",
    where=TENANT,
)
STORE_TENANTS = Metric(
    name="kamaji_datastore_tenants",
    kind="gauge",
    help="TenantControlPlanes some of whose state lies in the store",
    of="store",
    where=TENANT,
)
STORE_BYTES = Metric(
    name="kamaji_datastore_bytes",
    kind="gauge",
    help="What an etcd says of itself: size on disk, in_use of it, quota; headroom is quota less in_use",
    of="store",
    more=("what",),
    values={"what": ("size", "in_use", "quota")},
    where=UPKEEP,
)
STORE_MEMBERS = Metric(
    name="kamaji_datastore_members",
    kind="gauge",
    help="Members of an etcd, and how many of them answer by themselves",
    of="store",
    more=("what",),
    values={"what": ("all", "healthy")},
    where=UPKEEP,
)
COMPACTION_LAG = Metric(
    name="kamaji_datastore_compaction_lag_seconds",
    kind="gauge",
    help="Age of the oldest history that an etcd still keeps",
    of="store",
    where=UPKEEP,
)
DEFRAGMENTATION_LAG = Metric(
    name="kamaji_datastore_defragmentation_lag_seconds",
    kind="gauge",
    help="For how long a member has been worth being defragmented, and was not",
    of="store",
    where=UPKEEP,
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
LAST_SNAPSHOT = Metric(
    name="kamaji_datastore_last_snapshot_timestamp_seconds",
    kind="gauge",
    help="When the last snapshot of a pool's store was kept; none while none was",
    of="store",
    where=TENANT,
)
POOL_READY = Metric(
    name="kamaji_datastorepool_ready", kind="gauge", help="1 while all its stores are ready", of="pool", where=TENANT
)
POOL_WAITING = Metric(
    name="kamaji_datastorepool_waiting_tenants",
    kind="gauge",
    help="TenantControlPlanes that have no place in any of its stores yet",
    of="pool",
    where=TENANT,
)
POOL_ROOM = Metric(
    name="kamaji_datastorepool_stores",
    kind="gauge",
    help="Its stores, and those of them that take another tenant",
    of="pool",
    more=("what",),
    values={"what": ("all", "taking")},
    where=TENANT,
)

DRILL_PROVEN = Metric(
    name="kamaji_backup_drill_proven",
    kind="gauge",
    help="1 when the last drill that is over restored the backup whole, 0 when it did not; none while there was none",
    of="schedule",
    where=TENANT,
)
DRILL_DUE = Metric(
    name="kamaji_backup_drill_due_timestamp_seconds",
    kind="gauge",
    help="When the drill after the last is due: in the past while it is not over; none while the schedule is suspended",
    of="schedule",
    where=TENANT,
)

TABLE: tuple[Metric, ...] = tuple(each for each in list(globals().values()) if isinstance(each, Metric))
"""In the order of this page."""
BY_SERIES: Mapping[str, Metric] = {name: each for each in TABLE for name in each.series}
