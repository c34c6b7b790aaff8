"""The Job of a TenantBackup or a TenantRestore, beside the provider, where the volume is; for a bucket it has a scratch one.

What the Job does is in `reconcile.archiving`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provider.api import kinds, names
from provider.api.backup import BackupBucket, Place, TenantBackup, TenantRestore
from provider.hosting.backupview import TaskView, file_of, job_name
from provider.manifest import Manifest, meta, pod

NAME = "task"
ACCOUNT = "kamaji-backup"
FOLDER = "/backups"
SCRATCH = "/scratch"
SCRATCH_LIMIT = "16Gi"  # of one file, of a tenant in a store that has mostly 8 at most
REPORT = "/dev/termination-log"
TRIES = 3  # after the first
LONGEST = 6 * 3600  # seconds
KEPT = 86400  # seconds for which a finished Job can be looked at
FOR_GOOD = 2  # status of a program whose next try would be the same


def build(view: TaskView) -> Iterator[Manifest]:
    """One Job. It is not made again when it is over: a backup is of one moment, a restore is done once."""
    annotations = {names.ANNOTATION_TASK_OF: f"{view.task.namespace}/{view.task.name}"}
    labels = {names.LABEL_PROJECT: names.PROJECT, names.LABEL_TASK: view.raw["kind"]}
    spec = {
        "backoffLimit": TRIES,
        "activeDeadlineSeconds": LONGEST,
        "ttlSecondsAfterFinished": KEPT,
        "podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [FOR_GOOD]}}]},
        "template": {"metadata": {"labels": labels}, "spec": _pod(view)},
    }
    where = view.settings.namespace
    yield meta.new(kinds.JOB, job_name(view.raw), where, labels=labels, annotations=annotations, spec=spec)


def _pod(view: TaskView) -> dict[str, Any]:
    """Its account may read Secrets and stores' credentials, and make what a backup holds: nothing else."""
    return pod.of_job(
        [_container(view)],
        [_volume(view.place)],
        serviceAccountName=ACCOUNT,
        securityContext=pod.UNPRIVILEGED,
    )


def _container(view: TaskView) -> dict[str, Any]:
    where = pod.mount("backups", FOLDER, read_only=isinstance(view.task, TenantRestore))
    mounts = [pod.mount("scratch", SCRATCH, read_only=False) if view.place.s3 else where, pod.TMP]
    env = [{"name": "KAMAJI_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}]
    return pod.job_container("task", view.image, mounts, args=[*_words(view), f"--report={REPORT}"], env=env)


def _volume(place: Place) -> Manifest:
    if place.s3:
        return {"name": "scratch", "emptyDir": {"sizeLimit": SCRATCH_LIMIT}}
    return {"name": "backups", "persistentVolumeClaim": {"claimName": place.volume.claim_name if place.volume else ""}}


def _bucket(s3: BackupBucket) -> list[str]:
    """The keys of access are read from the Secret by the Job itself: they are in another namespace, and on no command line."""
    said = [f"--bucket={s3.bucket}", f"--prefix={s3.prefix}", f"--region={s3.region}", f"--s3-secret={s3.secret_name}"]
    said += [f"--s3-endpoint={s3.endpoint}"] if s3.endpoint else []
    return [*said, f"--scratch={SCRATCH}"]


def _words(view: TaskView) -> list[str]:
    task = view.task
    tenant = f"--tenant={task.namespace}/{task.spec.tenant_control_plane_name}"
    common = [tenant, f"--key-secret={task.spec.encryption_secret_name}"]
    folder = "" if view.place.s3 else f"{FOLDER}/"
    common += _bucket(view.place.s3) if view.place.s3 else []
    if isinstance(task, TenantBackup):
        return ["backup", *common, f"--output={folder}{file_of(task)}", f"--keep={view.keep}"]
    spec = task.spec
    words = ["restore", *common, f"--input={folder}{spec.source.file}", f"--token={task.uid}"]
    words += [f"--data-store={spec.data_store}"] if spec.data_store else []
    words += [f"--drill={task.name}"] if spec.drill else []
    return [*words, "--in-place"] if spec.in_place else words
