"""TenantBackup, TenantBackupSchedule and TenantRestore: one tenant's state, kept apart from its store, and brought back.

Ours, not upstream's. What a backup holds, and how it is kept secret, is decision 0038.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from provider.api import kinds
from provider.api.bucket import Bucket
from provider.api.definition import AGE, Column, Definition
from provider.api.meta import Conditions, Resource
from provider.api.model import Model
from provider.api.schema import DNS_SUBDOMAIN, Int64, Rule, Timestamp

ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=f"^{DNS_SUBDOMAIN}$")]
FILE: Final = "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(/[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)*$"
NAME_LIMIT: Final = 40  # characters of a schedule's name: those of its backups add the minute
Cron = Annotated[str, Field(min_length=9, max_length=128)]
EncryptionSecretName = Annotated[
    ObjectName,
    Field(description="Secret beside this object whose `key` is 32 random bytes. Without it no backup can be read."),
]


class Volume(Model):
    """A PersistentVolumeClaim in the provider's own namespace."""

    claim_name: ObjectName


class BackupBucket(Bucket):
    """A bucket of an S3 API, of AWS or of anybody else."""

    secret_name: Annotated[
        ObjectName,
        Field(
            description="A Secret beside this object with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and ca.crt where the"
            " endpoint's authority is one of your own."
        ),
    ]


class Place(Model):
    """Where backups lie."""

    RULES: ClassVar = (Rule("has(self.volume) != has(self.s3)", "must name a place: volume or s3, and not both"),)

    volume: Volume | None = None
    s3: BackupBucket | None = None

    def __str__(self) -> str:
        if self.s3:
            return f"bucket {self.s3.bucket}"
        return f"volume {self.volume.claim_name}" if self.volume else "no place"


class TenantBackupSpec(Model):
    """Which tenant, to where, sealed with which key."""

    RULES = (Rule("self == oldSelf", "a backup is of one moment and cannot be changed: make a new object instead"),)

    tenant_control_plane_name: ObjectName
    encryption_secret_name: EncryptionSecretName
    destination: Place


class TenantBackupStatus(Model):
    """What was written, and where it is."""

    file: str = ""  # in the volume, or below the prefix of the bucket
    taken: Timestamp | None = None  # the moment that it shows
    revision: Int64 | None = None  # of the store, at that moment
    kubernetes_version: str = ""
    keys: Int64 | None = None
    size: Int64 | None = None  # bytes of keys and values
    file_size: Int64 | None = None  # bytes of the file
    digest: str = ""  # SHA-256 of keys and values
    conditions: Conditions = ()
    observed_generation: Int64 | None = None


class TenantBackup(Resource):
    """A backup of one TenantControlPlane."""

    DEFINITION = Definition(
        kind=kinds.TENANT_BACKUP,
        short_names=("tb",),
        categories=("kamaji",),
        columns=(
            Column("Tenant", "string", ".spec.tenantControlPlaneName"),
            Column("Ready", "string", ".status.conditions[?(@.type=='Ready')].status"),
            Column("Reason", "string", ".status.conditions[?(@.type=='Ready')].reason"),
            Column("Taken", "date", ".status.taken"),
            Column("Size", "integer", ".status.fileSize"),
            AGE,
        ),
    )

    kind: Literal["TenantBackup", ""] = ""
    spec: TenantBackupSpec
    status: TenantBackupStatus = TenantBackupStatus()


class Drill(Model):
    """The newest backup is restored into a tenant of its own, without pods, compared, and deleted again."""

    schedule: Annotated[Cron, Field(description="When, as the schedule of the backups.")]
    data_store: Annotated[
        ObjectName | None, Field(description="In which it is done; where absent, the one that the backup names.")
    ] = None


class LastDrill(Model):
    """What came of the last one."""

    time: Timestamp | None = None  # for which it was due
    file: str = ""
    proven: bool = False  # all keys were there
    taken: Timestamp | None = None  # the moment that the backup shows
    keys: Int64 | None = None
    message: str = ""


class TenantBackupScheduleSpec(Model):
    """When a TenantBackup is made, of which tenant, and how many are kept."""

    schedule: Annotated[Cron, Field(description="Five fields as cron's: minute, hour, day, month, weekday; in UTC.")]
    keep: Annotated[
        int, Field(ge=1, le=1000, description="Backups of this schedule; older ones are deleted with their files.")
    ] = 7
    suspend: bool = False
    drill: Drill | None = None
    tenant_control_plane_name: ObjectName
    encryption_secret_name: EncryptionSecretName
    destination: Place


class TenantBackupScheduleStatus(Model):
    """When a backup was made last, and when the next one is."""

    last: Timestamp | None = None
    last_successful: Timestamp | None = None  # the moment that the newest whole backup shows
    next: Timestamp | None = None
    last_drill: LastDrill | None = None
    conditions: Conditions = ()
    observed_generation: Int64 | None = None


class TenantBackupSchedule(Resource):
    """Backups of one TenantControlPlane, again and again."""

    DEFINITION = Definition(
        kind=kinds.TENANT_BACKUP_SCHEDULE,
        short_names=("tbs",),
        categories=("kamaji",),
        columns=(
            Column("Tenant", "string", ".spec.tenantControlPlaneName"),
            Column("Schedule", "string", ".spec.schedule"),
            Column("Ready", "string", ".status.conditions[?(@.type=='Ready')].status"),
            Column("Last", "date", ".status.lastSuccessful"),
            AGE,
        ),
    )
    RULES = (
        Rule(
            f"size(self.metadata.name) <= {NAME_LIMIT}",
            f"metadata.name becomes part of the names of backups: at most {NAME_LIMIT} characters",
        ),
    )

    kind: Literal["TenantBackupSchedule", ""] = ""
    spec: TenantBackupScheduleSpec
    status: TenantBackupScheduleStatus = TenantBackupScheduleStatus()


class Source(Place):
    """A file in a place."""

    file: Annotated[str, Field(min_length=1, max_length=1024, pattern=FILE)]


class TenantRestoreSpec(Model):
    """Which file, and which TenantControlPlane it is to be."""

    RULES = (
        Rule("self == oldSelf", "a restore is done once and cannot be changed: make a new object instead"),
        Rule(
            "!has(self.dataStore) || !has(self.inPlace) || !self.inPlace",
            "dataStore is for a new tenant: with inPlace the tenant stays in the one that it has",
        ),
        Rule(
            "!has(self.drill) || !self.drill || !has(self.inPlace) || !self.inPlace",
            "a drill is done in a tenant of its own, and never inPlace",
        ),
    )

    source: Source
    encryption_secret_name: EncryptionSecretName
    tenant_control_plane_name: ObjectName
    data_store: Annotated[
        ObjectName | None, Field(description="Of a new tenant; where absent, the one that the backup names.")
    ] = None
    in_place: Annotated[
        bool, Field(description="Replace all that the tenant holds by what the backup holds; its pods end meanwhile.")
    ] = False
    drill: Annotated[
        bool,
        Field(description="Only to see whether it can be: the tenant gets no pods, and is deleted with this object."),
    ] = False


class TenantRestoreStatus(Model):
    """What came back."""

    taken: Timestamp | None = None  # the moment to which the tenant went back
    data_store_name: str = ""
    keys: Int64 | None = None
    size: Int64 | None = None
    digest: str = ""
    conditions: Conditions = ()
    observed_generation: Int64 | None = None


class TenantRestore(Resource):
    """One TenantControlPlane out of a backup."""

    DEFINITION = Definition(
        kind=kinds.TENANT_RESTORE,
        short_names=("tr",),
        categories=("kamaji",),
        columns=(
            Column("Tenant", "string", ".spec.tenantControlPlaneName"),
            Column("Ready", "string", ".status.conditions[?(@.type=='Ready')].status"),
            Column("Reason", "string", ".status.conditions[?(@.type=='Ready')].reason"),
            Column("Taken", "date", ".status.taken"),
            AGE,
        ),
    )

    kind: Literal["TenantRestore", ""] = ""
    spec: TenantRestoreSpec
    status: TenantRestoreStatus = TenantRestoreStatus()
