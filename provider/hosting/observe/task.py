"""What exists of a TenantBackup or a TenantRestore: its tenant, its volume, its Job and that one's pods. For their pass."""

from __future__ import annotations

import asyncio
from datetime import datetime

from provider.api import kinds, names
from provider.api.backup import TenantBackup, TenantBackupSchedule, TenantRestore
from provider.api.bucket import IDENTITY, SECRET
from provider.cluster.client import Cluster
from provider.hosting.backup import envelope
from provider.hosting.backupview import KEY, TaskView, is_over, job_name
from provider.hosting.observe.pool import image
from provider.manifest import Manifest, meta
from provider.settings import Settings

JOB_OF = "batch.kubernetes.io/job-name"


async def view(cluster: Cluster, raw: Manifest, *, settings: Settings, now: datetime) -> TaskView:
    """The view at the start of a pass. Invalid when the object cannot be read."""
    parse = TenantBackup.parse if raw["kind"] == kinds.TENANT_BACKUP.kind else TenantRestore.parse
    task: TenantBackup | TenantRestore = parse(raw)
    here, name = settings.namespace, job_name(raw)
    tenant, secret, job, pods, own, where = await asyncio.gather(
        cluster.get(kinds.TENANT_CONTROL_PLANE, task.spec.tenant_control_plane_name, task.namespace),
        cluster.get(kinds.SECRET, task.spec.encryption_secret_name, task.namespace),
        cluster.get(kinds.JOB, name, here),
        cluster.list(kinds.POD, here, labels={JOB_OF: name}),
        cluster.get(kinds.POD, settings.identity, here),
        _place(cluster, task, here),
    )
    return TaskView(
        task=task,
        raw=raw,
        tenant=tenant,
        claim=where if where and where["kind"] == kinds.PERSISTENT_VOLUME_CLAIM.kind else None,
        credentials=bool(where) and all(meta.decoded(where).get(each) for each in (IDENTITY, SECRET)),
        key=len(meta.decoded(secret).get(KEY, b"")) == envelope.KEY,
        job=job,
        pods=tuple(sorted(pods, key=lambda each: str(each["metadata"].get("creationTimestamp")))),
        keep=await _keep(cluster, task),
        before=await _before(cluster, task, raw),
        image=settings.image or image(own),
        settings=settings,
        now=now,
    )


async def _place(cluster: Cluster, task: TenantBackup | TenantRestore, here: str) -> Manifest | None:
    """The claim of a volume, or the Secret of a bucket."""
    place = task.spec.destination if isinstance(task, TenantBackup) else task.spec.source
    if place.s3:
        return await cluster.get(kinds.SECRET, place.s3.secret_name, task.namespace)
    return await cluster.get(kinds.PERSISTENT_VOLUME_CLAIM, place.volume.claim_name, here) if place.volume else None


async def _keep(cluster: Cluster, task: TenantBackup | TenantRestore) -> int:
    """How many backups the schedule of a backup keeps. One without a schedule, or whose schedule is gone, thins nothing."""
    schedule = task.metadata.labels.get(names.LABEL_SCHEDULE)
    raw = await cluster.get(kinds.TENANT_BACKUP_SCHEDULE, schedule, task.namespace) if schedule else None
    return TenantBackupSchedule.parse(raw).spec.keep if raw else 0


async def _before(cluster: Cluster, task: TenantBackup | TenantRestore, raw: Manifest) -> str:
    """Two restores of one tenant go one after the other, the older one first."""
    if not isinstance(task, TenantRestore):
        return ""

    def order(each: Manifest) -> tuple[str, str]:
        return str(each["metadata"].get("creationTimestamp")), str(each["metadata"]["name"])

    same = [
        each
        for each in await cluster.list(kinds.TENANT_RESTORE, task.namespace)
        if each["spec"]["tenantControlPlaneName"] == task.spec.tenant_control_plane_name
        and not is_over(each)
        and order(each) < order(raw)
    ]
    return str(min(same, key=order)["metadata"]["name"]) if same else ""
