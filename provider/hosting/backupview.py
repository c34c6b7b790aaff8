"""What one pass over a TenantBackup or a TenantRestore knows, frozen; and what of its Job. Written by `observe`, pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from provider.api import names
from provider.api.backup import TenantBackup, TenantRestore
from provider.manifest import Manifest, meta
from provider.manifest.condition import holds
from provider.settings import Settings

OFFERED = f"{names.EXTENSION_GROUP}/backups"
"""Label of a PersistentVolumeClaim, with any value: backups may lie there. Others of the namespace hold something else."""
KEY = "key"
"""Of the Secret that a backup names: 32 bytes."""
READY, STALLED = "Ready", "Stalled"


@dataclass(frozen=True, kw_only=True)
class TaskView:
    """Everything the Job and the status of a backup or a restore may know."""

    task: TenantBackup | TenantRestore
    raw: Manifest
    tenant: Manifest | None  # the TenantControlPlane; None: there is none of that name
    claim: Manifest | None
    key: bool  # the Secret holds a key that can be one
    job: Manifest | None
    pods: tuple[Manifest, ...] = ()  # the Job's, the newest last
    keep: int = 0  # of a backup's schedule; 0: it has none
    before: str = ""  # name of another restore of this tenant that is not over
    image: str = ""
    settings: Settings
    now: datetime

    @property
    def claim_name(self) -> str:
        """Of the volume."""
        place = self.task.spec.destination if isinstance(self.task, TenantBackup) else self.task.spec.source
        return place.claim

    def ended(self, condition: str) -> bool:
        """Whether the Job is Complete or Failed."""
        return holds(((self.job or {}).get("status") or {}).get("conditions"), condition)

    @property
    def result(self) -> Mapping[str, Any]:
        """What the pod that was done reported; empty when it is gone."""
        for each in reversed(self.pods):
            if (said := _terminated(each)).get("exitCode") == 0:
                try:
                    found = json.loads(said.get("message") or "")
                except ValueError:
                    return {}
                return found if isinstance(found, dict) else {}
        return {}

    @property
    def trouble(self) -> str:
        """What the last pod that failed said; empty when none did."""
        for each in reversed(self.pods):
            if (said := _terminated(each)).get("exitCode"):
                return " ".join(str(said.get("message") or f"it ended with {said['exitCode']}").split())
        return ""


def job_name(raw: Manifest) -> str:
    """Each object has its own, whatever was called so before."""
    return f"{raw['kind'].lower()}-{raw['metadata']['uid']}"


def file_of(task: TenantBackup) -> str:
    """Where a backup lies in its volume. Those of a schedule have a folder, in which they are thinned."""
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


def _terminated(pod: Manifest) -> Mapping[str, Any]:
    for each in (pod.get("status") or {}).get("containerStatuses") or ():
        if found := (each.get("state") or {}).get("terminated"):
            return dict(found)
    return {}
