"""By the clock, the newest backup is restored into a tenant of its own, compared, told, and that tenant goes again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.cluster.errors import Refused
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from provider.telemetry import table
from tests.integration.backup_fixtures import keyed
from tests.integration.backup_world import HERE, Backups, Plane, made
from tests.integration.hosted import MANAGER, Store
from tests.integration.tenant_world import TenantWorld

DRILL = "RestoreProven"


async def passed(hosting: TenantWorld, backups: Backups) -> list[Manifest]:
    """A pass over the schedule; its restores then."""
    await backups.due(hosting.context)
    found = await hosting.admin.list(kinds.TENANT_RESTORE, backups.namespace)
    return [each for each in found if not each["metadata"].get("deletionTimestamp")]


def proven(backups: Backups) -> float | None:
    """What is scraped of the last drill."""
    who = {"schedule_namespace": backups.namespace, "schedule_name": "often"}
    return REGISTRY.get_sample_value(table.DRILL_PROVEN.name, who)


async def gone(backups: Backups, restore: Manifest) -> None:
    """What the garbage collector does of its Job, and a pass after that."""
    await backups.look(restore)
    for job in await backups.cluster.list(kinds.JOB, HERE, labels={names.LABEL_TASK: kinds.TENANT_RESTORE.kind}):
        if job["metadata"].get("deletionTimestamp"):
            patch = {"metadata": {"finalizers": None}}
            await backups.cluster.merge(kinds.JOB, job["metadata"]["name"], HERE, patch, manager=MANAGER)
    await backups.look(restore)


@pytest.mark.fields("TenantBackupSchedule", "spec.drill.schedule", "spec.drill.dataStore")
@pytest.mark.fields("TenantRestore", "spec.drill")
@pytest.mark.keeps("better.one-tenants-yesterday")
async def test_the_newest_backup_is_restored_compared_and_deleted_again_and_one_that_is_bad_is_told(
    management: Cluster,
    hosting: TenantWorld,
    born: Plane,
    stores: tuple[Store, Store],
    backups: Backups,
    tmp_path: Path,
) -> None:
    drill = {"schedule": "5 * * * *", "dataStore": stores[1].name}
    asked = await backups.ask(kinds.TENANT_BACKUP_SCHEDULE, "often", schedule="0 * * * *", drill=drill)
    hosting.later = timedelta(hours=1)
    restores = await passed(hosting, backups)
    assert restores == [], "there is no backup yet"
    (backup,) = await management.list(kinds.TENANT_BACKUP, backups.namespace)
    backup = await backups.over(backup)
    (restore,) = await passed(hosting, backups)
    assert [each["metadata"]["name"] for each in await passed(hosting, backups)] == [restore["metadata"]["name"]]
    name = restore["spec"]["tenantControlPlaneName"]
    async with made(management, backups.namespace, stores[1], tmp_path / "scratch", name=name) as scratch:
        async with scratch.looked_after():
            restore = await backups.over(restore)
        assert (await backups.ready(restore))[:2] == ("True", "Done"), await backups.ready(restore)
        raw = await scratch.hosted.tcp()
        assert raw["spec"]["controlPlane"]["deployment"]["replicas"] == 0
        assert raw["spec"]["dataStore"] == stores[1].name
        assert [each["uid"] for each in raw["metadata"]["ownerReferences"]] == [restore["metadata"]["uid"]]
        assert names.ANNOTATION_RESTORING in meta.annotations_of(raw), "it is never woken"
        schema = await scratch.schema()
        async with stores[1].opened() as store:
            assert await store.count(schema) >= backup["status"]["keys"]
        assert await passed(hosting, backups) == [], "what is told is deleted"
        await gone(backups, restore)
        assert await management.get(kinds.TENANT_RESTORE, name, backups.namespace) is None
        await scratch.end()  # as the garbage collector asks
        async with stores[1].opened() as store:
            assert await store.count(schema) == 0
    status = (await backups.now(asked))["status"]
    last = status["lastDrill"]
    assert (last["proven"], last["file"], last["keys"]) == (True, backup["status"]["file"], backup["status"]["keys"])
    assert (find(status["conditions"], DRILL) or {})["status"] == "True"
    assert proven(backups) == 1
    assert await passed(hosting, backups) == [], "once for each time"
    await keyed(management, backups.namespace)  # somebody has replaced the key
    hosting.later = timedelta(hours=1, minutes=59)
    restores = await passed(hosting, backups) or await passed(hosting, backups)
    (restore,) = restores
    await backups.over(restore)
    assert await passed(hosting, backups) == []
    said = find((await backups.now(asked))["status"]["conditions"], DRILL) or {}
    assert (said["status"], said["reason"]) == ("False", "DrillFailed")
    assert "it was sealed with another key" in said["message"]
    assert proven(backups) == 0
    assert (
        await management.get(kinds.TENANT_CONTROL_PLANE, restore["spec"]["tenantControlPlaneName"], backups.namespace)
        is None
    )


async def test_a_drill_is_never_in_place(backups: Backups) -> None:
    where = {"volume": {"claimName": "backups"}, "file": "a/b"}
    with pytest.raises(Refused, match="a drill is done in a tenant of its own"):
        await backups.ask(kinds.TENANT_RESTORE, "both", source=where, inPlace=True, drill=True)
