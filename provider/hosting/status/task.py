"""Status of a TenantBackup and of a TenantRestore: Ready, and of Stalled and Reconciling (kstatus) the one that is so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from provider.api.backup import TenantBackup
from provider.api.bucket import IDENTITY, SECRET
from provider.api.verdict import Invalid, NotReady, Verdict
from provider.hosting.backupview import FAILED, OFFERED, READY, STALLED, TaskView, Trouble, file_of
from provider.manifest import Manifest, mergepatch, meta
from provider.manifest.condition import Condition, merged

TOLD = ("taken", "revision", "kubernetesVersion", "keys", "size", "fileSize", "digest", "dataStoreName")
"""What a Job reports that a status tells."""
AGAIN = " The file, if there is one, is whole or not there: make a new object to try once more."
RESTORE_AGAIN = (
    " Where a TenantControlPlane is left that has the reason Restoring, it is not whole: restore in place once more, or"
    " delete it if it was new."
)


def hindrance(view: TaskView) -> Verdict | None:
    """Why there can be no Job yet; None when there can. All of it can be mended, so it is looked at again."""
    return next(_hindrances(view), None)


def _hindrances(view: TaskView) -> Iterator[Verdict]:
    task = view.task
    if not view.image:
        yield NotReady("ImageUnknown", "the provider does not run in a pod: set KAMAJI_IMAGE to its image")
    yield from _placeless(view)
    if not view.key:
        secret = task.spec.encryption_secret_name
        yield NotReady(
            "KeyMissing",
            f"Secret {task.namespace}/{secret} has no `key` of 32 bytes: make one (head -c 32 /dev/urandom > key;"
            f" kubectl -n {task.namespace} create secret generic {secret} --from-file=key) and keep a copy elsewhere",
        )
    if isinstance(task, TenantBackup) and view.tenant is None:
        tenant = f"{task.namespace}/{task.spec.tenant_control_plane_name}"
        yield NotReady("TenantNotFound", f"TenantControlPlane {tenant} does not exist")
    if view.before:
        yield NotReady("WaitingForTurn", f"TenantRestore {view.before} of the same tenant goes first")


def _placeless(view: TaskView) -> Iterator[Verdict]:
    """What the place of the file lacks."""
    if view.place.s3 and not view.credentials:
        secret = f"Secret {view.task.namespace}/{view.place.s3.secret_name}"
        yield NotReady("CredentialsMissing", f"{secret} has no {IDENTITY} and {SECRET}: put the bucket's keys into it")
    if view.place.volume is None:
        return
    claim = f"PersistentVolumeClaim {view.settings.namespace}/{view.place.volume.claim_name}"
    if view.claim is None:
        yield NotReady("ClaimNotFound", f"{claim} does not exist: create it")
    elif OFFERED not in meta.labels_of(view.claim):
        yield NotReady("ClaimNotOffered", f"{claim} is not offered for backups: label it {OFFERED}=true")


def of(view: TaskView, verdict: Verdict | None) -> dict[str, Any]:
    """The whole wanted `.status`. `verdict`: what hinders it."""
    told: dict[str, Any] = {}
    if verdict is not None:
        conditions = refused(verdict)
    elif view.ended("Complete"):
        told = {each: view.result[each] for each in TOLD if each in view.result}
        conditions = [Condition(type=READY, status="True", reason="Done", message=_done(view))]
    elif view.ended("Failed"):
        again = AGAIN if isinstance(view.task, TenantBackup) else "" if view.is_drill else RESTORE_AGAIN
        why = view.trouble or Trouble(FAILED, "its Job did not end in time, or its pods were taken away")
        conditions = refused(Invalid(why.reason, f"{why.message}.{again}"))
    else:
        message = f"its Job is at work{_tried(view)}"
        conditions = [
            Condition(type=READY, status="False", reason="Running", message=message),
            Condition(type="Reconciling", status="True", reason="Running", message=message),
        ]
    if isinstance(view.task, TenantBackup):
        told["file"] = file_of(view.task)
    return laid(view.raw, told, conditions, view.now)


def refused(verdict: Verdict) -> list[Condition]:
    """Not Ready; Stalled where waiting is over."""
    found = [Condition(type=READY, status="False", reason=verdict.reason, message=verdict.message)]
    if isinstance(verdict, Invalid):
        found.append(Condition(type=STALLED, status="True", reason=verdict.reason, message=verdict.message))
    return found


def laid(raw: Manifest, told: Mapping[str, Any], conditions: list[Condition], now: datetime) -> dict[str, Any]:
    """The status that stands with this over it."""
    before, generation = raw.get("status") or {}, raw["metadata"].get("generation", 0)
    said = merged(conditions, before.get("conditions"), generation, now)
    return mergepatch.merged(before, told, {"conditions": said, "observedGeneration": generation})


def _done(view: TaskView) -> str:
    if isinstance(view.task, TenantBackup):
        return f"the backup is in {view.place}, and was read back"
    if view.is_drill:
        return "all keys of the backup were written into a tenant of its own, and compared; it goes with this object"
    return "the tenant holds what the backup held; its pods come up"


def _tried(view: TaskView) -> str:
    return f"; it was tried and is tried again: {view.trouble.message}" if view.trouble else ""
