"""What one pass over a TenantBackup or a TenantRestore knows, frozen; and what of its Job. Written by `observe`, pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from provider.api import names
from provider.api.backup import Place, TenantBackup, TenantRestore
from provider.manifest import Manifest, meta
from provider.manifest.condition import holds
from provider.settings import Settings

OFFERED = f"{names.EXTENSION_GROUP}/backups"
"""Label of a PersistentVolumeClaim, with any value: backups may lie there. Others of the namespace hold something else."""
KEY = "key"
"""Of the Secret that a backup names: 32 bytes."""
READY, STALLED = "Ready", "Stalled"
FAILED = "Failed"
"""Reason of a failure that the Job gives no other one for."""


@dataclass(frozen=True)
class Trouble:
    """Why a Job did not do it."""

    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class TaskView:
    """Everything the Job and the status of a backup or a restore may know."""

    task: TenantBackup | TenantRestore
    raw: Manifest
    tenant: Manifest | None  # the TenantControlPlane; None: there is none of that name
    claim: Manifest | None = None  # of a volume
    credentials: bool = False  # the Secret of a bucket holds keys of access
    key: bool  # the Secret holds a key that can be one
    job: Manifest | None
    pods: tuple[Manifest, ...] = ()  # the Job's, the newest last
    keep: int = 0  # of a backup's schedule; 0: it has none
    before: str = ""  # name of another restore of this tenant that is not over
    image: str = ""
    settings: Settings
    now: datetime

    @property
    def place(self) -> Place:
        """Where the file is, or will be."""
        return self.task.spec.destination if isinstance(self.task, TenantBackup) else self.task.spec.source

    @property
    def is_drill(self) -> bool:
        """Whether it is only tried."""
        return isinstance(self.task, TenantRestore) and self.task.spec.drill

    def ended(self, condition: str) -> bool:
        """Whether the Job is Complete or Failed."""
        return holds(((self.job or {}).get("status") or {}).get("conditions"), condition)

    @property
    def result(self) -> Mapping[str, Any]:
        """What the pod that was done reported; empty when it is gone."""
        for each in reversed(self.pods):
            if (said := _terminated(each)).get("exitCode") == 0:
                return _read(said.get("message"))
        return {}

    @property
    def trouble(self) -> Trouble | None:
        """What the last pod that failed said; None when none did."""
        for each in reversed(self.pods):
            if (said := _terminated(each)).get("exitCode"):
                words = said.get("message") or f"it ended with {said['exitCode']}"
                told = {"reason": FAILED, "message": words} | _read(words)
                return Trouble(str(told["reason"]), " ".join(str(told["message"]).split()))
        return None


def job_name(raw: Manifest) -> str:
    """Each object has its own, whatever was called so before."""
    return f"{raw['kind'].lower()}-{raw['metadata']['uid']}"


def file_of(task: TenantBackup) -> str:
    """Where a backup lies in its place. Those of a schedule have a folder, in which they are thinned."""
    schedule = task.metadata.labels.get(names.LABEL_SCHEDULE, "")
    folder = f"{task.namespace}/{task.spec.tenant_control_plane_name}" + (f"/{schedule}" if schedule else "")
    return f"{folder}/{task.name}-{task.uid[:8]}.kamaji-backup"


def is_over(raw: Manifest) -> bool:
    """Whether nothing more is done for a backup or a restore: it is there, or has failed for good."""
    conditions = (raw.get("status") or {}).get("conditions")
    return holds(conditions, READY) or holds(conditions, STALLED)


def is_done(raw: Manifest) -> bool:
    """Whether it has come to a good end."""
    return holds((raw.get("status") or {}).get("conditions"), READY)


def restores(raw: Manifest, tenant: Manifest) -> bool:
    """Whether it is this restore that holds the tenant asleep."""
    return bool(meta.annotations_of(tenant).get(names.ANNOTATION_RESTORING) == raw["metadata"]["uid"])


def _read(message: Any) -> dict[str, Any]:
    """Last words that are ours; a log is not."""
    try:
        found = json.loads(message or "")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _terminated(pod: Manifest) -> Mapping[str, Any]:
    for each in (pod.get("status") or {}).get("containerStatuses") or ():
        if found := (each.get("state") or {}).get("terminated"):
            return dict(found)
    return {}
