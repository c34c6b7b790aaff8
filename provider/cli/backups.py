"""`kamaji backup`, `backups` and `restore`: TenantBackups and TenantRestores, written for people and followed. Pure.

Where a backup goes, and by which key it is sealed, is taken over from the tenant's schedule or its last backup, so that it has
to be said once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from provider.api import kinds
from provider.cli.following import Progress
from provider.cli.trouble import ASKED_AND_NO, Trouble
from provider.hosting import quota
from provider.manifest import Manifest, meta
from provider.manifest.condition import find, holds
from provider.overview.rows import Column, Row, age

COLUMNS = (
    Column("NAMESPACE", "namespace"),
    Column("NAME", "name"),
    Column("TENANT", "tenant"),
    Column("STATE", "state"),
    Column("TAKEN", "taken"),
    Column("SIZE", "size"),
    Column("WHERE", "where"),
    Column("FILE", "file"),
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a file lies or is to lie, in the words of a TenantBackup's destination, and what seals it. Empty: not said."""

    destination: Manifest = field(default_factory=dict)
    key: str = ""
    file: str = ""

    def filled(self, other: Place) -> Place:
        """What is not said here is as said there."""
        return Place(destination=self.destination or other.destination, key=self.key or other.key)


def usual(tenant: str, schedules: Iterable[Manifest], backups: Iterable[Manifest]) -> Place:
    """Where the tenant's schedule puts backups, or its last backup went; nowhere when there is neither."""
    of_it = [each for each in schedules if _tenant(each) == tenant]
    last = sorted((each for each in backups if _tenant(each) == tenant), key=_made)
    found = next(iter([*of_it, *reversed(last)]), None)
    return Place() if found is None else Place(destination=_destination(found), key=_key(found))


def on_volume(claim: str) -> Manifest:
    """The destination that is a claim in the provider's namespace; nothing when none is named."""
    return {"volume": {"claimName": claim}} if claim else {}


def backup(tenant: Manifest, name: str, where: Place) -> Manifest:
    """A TenantBackup. Trouble when it is not known where to, or by which key."""
    missing = [option for option, value in (("--volume", where.destination), ("--key", where.key)) if not value]
    if missing:
        words = "neither a schedule nor an earlier backup of it says where: say"
        raise Trouble(f"{words} {' and '.join(missing)} (see docs/backup.md for how both are made)")
    spec = {
        "tenantControlPlaneName": tenant["metadata"]["name"],
        "encryptionSecretName": where.key,
        "destination": where.destination,
    }
    return meta.new(kinds.TENANT_BACKUP, name, tenant["metadata"]["namespace"], spec=spec)


def place(found: Manifest) -> Place:
    """Where a backup is. Trouble when it is not whole."""
    if not holds((found.get("status") or {}).get("conditions"), "Ready"):
        raise Trouble(f"{_name(found)} is not whole: {judged(found).words}", ASKED_AND_NO)
    return Place(destination=_destination(found), key=_key(found), file=str(found["status"]["file"]))


def restore(named: tuple[str, str], name: str, where: Place, *, in_place: bool) -> Manifest:
    """A TenantRestore of the tenant of that namespace and name."""
    spec: dict[str, Any] = {
        "tenantControlPlaneName": named[1],
        "encryptionSecretName": where.key,
        "source": {**where.destination, "file": where.file},
        **({"inPlace": True} if in_place else {}),
    }
    return meta.new(kinds.TENANT_RESTORE, name, named[0], spec=spec)


def judged(found: Manifest) -> Progress:
    """How far a TenantBackup or TenantRestore is."""
    conditions = (found.get("status") or {}).get("conditions")
    ready = find(conditions, "Ready")
    if ready is None:
        return Progress(words="the provider has yet to look at it; `kamaji doctor` says whether one runs")
    words = f"{ready.get('reason')}: {ready.get('message')}"
    return Progress(words=words, done=ready.get("status") == "True", failed=holds(conditions, "Stalled"))


def rows(found: Sequence[Manifest], tenant: str = "") -> list[Row]:
    """A line for each TenantBackup of a tenant, or of all, the newest first."""
    some = [each for each in found if tenant in ("", _tenant(each))]
    return [row(each) for each in sorted(some, key=_made, reverse=True)]


def row(found: Manifest) -> Row:
    """One."""
    status = found.get("status") or {}
    return {
        "namespace": found["metadata"]["namespace"],
        "name": found["metadata"]["name"],
        "tenant": _tenant(found),
        "state": (find(status.get("conditions"), "Ready") or {}).get("reason") or "New",
        "taken": status.get("taken"),
        "size": status.get("fileSize"),
        "keys": status.get("keys"),
        "where": _words(_destination(found)),
        "destination": _destination(found),
        "key": _key(found),
        "file": status.get("file") or None,
    }


def shown(found: Iterable[Row], now: datetime) -> list[Row]:
    """The same for a table."""
    return [
        {
            **each,
            "taken": f"{age(each['taken'], now)} ago" if each["taken"] else None,
            "size": quota.words(each["size"]) if each["size"] else None,
        }
        for each in found
    ]


def done(found: Manifest) -> str:
    """A sentence about one that is."""
    status, tenant = found["status"], f"{found['metadata']['namespace']}/{_tenant(found)}"
    what = f"{status.get('keys', 0)} keys as of {status.get('taken')}"
    if found["kind"] == kinds.TENANT_BACKUP.kind:
        return f"{tenant} is in {status.get('file')} of {_words(_destination(found))}: {what}"
    return f"{tenant} holds {what}; its pods come up: `kamaji explain {tenant}`"


def _name(found: Manifest) -> str:
    return f"{found['kind']} {found['metadata']['namespace']}/{found['metadata']['name']}"


def _tenant(found: Manifest) -> str:
    return str(found["spec"]["tenantControlPlaneName"])


def _key(found: Manifest) -> str:
    return str(found["spec"]["encryptionSecretName"])


def _destination(found: Manifest) -> Manifest:
    return dict(found["spec"].get("destination") or {})


def _words(destination: Manifest) -> str:
    bucket = (destination.get("s3") or {}).get("bucket")
    return f"bucket {bucket}" if bucket else f"volume {(destination.get('volume') or {}).get('claimName')}"


def _made(found: Manifest) -> tuple[str, str]:
    return str(found["metadata"].get("creationTimestamp") or ""), str(found["metadata"]["name"])
