"""Where a tenant's state lives, what it takes up there, and what is being done with it: `status.storage`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from provider.api.model import Model
from provider.api.schema import Int64, Timestamp, one_of
from provider.api.statusblocks import Checked, SecretStatus

ENCRYPTION_PHASES = ("Preparing", "Writing", "Rewriting", "Encrypted")
MIGRATION_PHASES = ("Copying", "StandingBy", "Frozen", "Switching", "Moved", "Returning", "Failed")


class StorageConfig(Model):
    """The Secret with the datastore's connection."""

    secret_name: str | None = None
    checksum: str | None = None


class StorageSetup(Checked):
    """The tenant's own part of the datastore: `schema` is its keyspace id, written before first use and never changed."""

    schema_: Annotated[str | None, Field(alias="schema")] = None
    user: str | None = None


class StorageUsage(Model):
    """What the tenant takes up in its store, sampled. Told anew when it moved by a tenth and more, or past a limit.

    Ours. `bytes` are those of the objects that stand, of keys and values, history left out; with kine `keys` are its
    rows, old revisions among them.
    """

    bytes: Int64 = 0
    keys: Int64 = 0
    writes_per_minute: Annotated[
        int, Field(description="Of the last sample; a control plane that idles writes some.")
    ] = 0


class ThrottledStatus(Model):
    """There while the tenant is held back because its writes had filled the store. Ours."""

    data_store: str
    since: Timestamp
    until: Annotated[Timestamp, Field(description="When it is let go, if the store has room then.")]
    closed_until: Annotated[
        Timestamp | None,
        Field(description="Until then the store refuses all its writes; afterwards what is made and changed."),
    ] = None
    reason: str


class MigrationStatus(Model):
    """A move between DataStores: recorded step by step, so that it is gone on with by whoever comes next."""

    phase: Annotated[str, one_of(*MIGRATION_PHASES)]
    source: str
    target: str
    resources: Annotated[
        tuple[str, ...] | None, Field(description="Overrides that move; absent: all that is in spec.dataStore.")
    ] = None
    began: Timestamp
    since: Timestamp
    standby_revision: Annotated[
        Int64 | None, Field(description="Of the target, from which on pods that stand by have seen it.")
    ] = None
    reason: str | None = None
    message: str | None = None


class EncryptionStatus(SecretStatus):
    """How far stored objects are encrypted. Ours. Counts are of the last look; `left` were written by another than `writer`."""

    phase: Annotated[str, one_of(*ENCRYPTION_PHASES)]
    step: Annotated[Int64 | None, Field(description="A Secret of an earlier one is not taken for the key.")] = None
    resources: tuple[str, ...] = ()
    writer: str = ""
    objects: int | None = None
    left: int | None = None
    proven: Annotated[bool | None, Field(description="Whether it was read off the store.")] = None


class OverrideStatus(Model):
    """Where the objects of a resource live that is in no spec.dataStore: recorded, for the spec may ask for another store."""

    resource: str
    data_store_name: str


class StorageStatus(Model):
    """Where the tenant's state lives."""

    driver: str | None = None
    data_store_name: str | None = None
    config: StorageConfig | None = None
    setup: StorageSetup | None = None
    certificate: SecretStatus | None = None
    usage: StorageUsage | None = None
    throttled: ThrottledStatus | None = None
    overrides: tuple[OverrideStatus, ...] | None = None
    migration: MigrationStatus | None = None
    encryption: EncryptionStatus | None = None
