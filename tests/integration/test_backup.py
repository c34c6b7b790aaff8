"""A tenant is backed up while it is written, lost, and comes back: elsewhere, and in place, with all that the backup holds."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provider.api import kinds, names
from provider.cluster.address import path
from provider.cluster.client import Cluster
from provider.cluster.errors import Expired, Refused
from provider.cluster.watch import Watch
from provider.hosting.backup.errors import Altered, BackupUnreadable, CutShort, NewerFormat, NoBackup, WrongKey
from provider.hosting.datastores.etcd.copying import pouring
from provider.hosting.datastores.etcd.copying.pouring import Pouring
from provider.hosting.datastores.etcd.ranges import copy_of, range_of
from provider.hosting.reconcile import backupschedule
from provider.hosting.reconcile.archiving import Declined, bringing, taking
from provider.hosting.reconcile.archiving.places import SUFFIX
from provider.hosting.view import Keyspace
from provider.manifest import Manifest, meta
from tests.integration.backup_fixtures import keyed
from tests.integration.backup_world import DEFAULT, HERE, KEY_SECRET, Backups, Plane, made
from tests.integration.encryption_world import Vault
from tests.integration.hosted import MANAGER, Store, context
from tests.integration.tenant_world import TenantWorld


def source(taken: Manifest) -> Manifest:
    return {"volume": {"claimName": "backups"}, "file": taken["status"]["file"]}


async def lost(plane: Plane, store: Store) -> None:
    """Somebody deletes all keys of the tenant, role and user as well, behind its back."""
    schema = await plane.schema()
    async with store.opened() as opened:
        await opened.drop(Keyspace(schema=schema, user=schema))


@pytest.mark.keeps("better.one-tenants-yesterday")
async def test_a_tenant_backed_up_under_a_writer_and_destroyed_comes_back_elsewhere_key_by_key(
    management: Cluster, plane: Plane, stores: tuple[Store, Store], backups: Backups, elsewhere: str, tmp_path: Path
) -> None:
    first, second = stores
    before = await plane.put("mine", "yesterday")
    asked = await backups.ask(kinds.TENANT_BACKUP, "first")
    async with plane.writing():
        taken = await backups.over(asked)
    said, schema = taken["status"], await plane.schema()
    assert (await backups.ready(asked))[:2] == ("True", "Done"), await backups.ready(asked)
    assert (backups.folder / said["file"]).stat().st_size == said["fileSize"]
    async with first.opened() as store:
        there = await pouring.digest(store, schema, said["revision"])
    assert there.said() == {each: said[each] for each in ("keys", "size", "digest")}
    authority = meta.decoded(await plane.hosted.get(kinds.SECRET, names.ca_secret("demo")))
    await plane.put("mine", "today")
    await plane.end()
    await keyed(management, elsewhere, meta.decoded(await plane.hosted.get(kinds.SECRET, KEY_SECRET))["key"])
    async with first.opened() as store:
        assert await store.count(schema) == 0
    port = plane.hosted.port
    async with made(management, elsewhere, second, tmp_path / "again", name="again", port=port) as again:
        wanted = {"source": source(taken), "tenantControlPlaneName": "again", "dataStore": second.name}
        restore = await backups.ask(kinds.TENANT_RESTORE, "back", elsewhere, **wanted)
        async with again.looked_after():
            restored = await backups.over(restore)
        assert (await backups.ready(restore))[:2] == ("True", "Done"), await backups.ready(restore)
        assert restored["status"]["digest"] == said["digest"]
        assert restored["status"]["dataStoreName"] == second.name
        await again.serve()
        found = await again.maps()
        assert found["mine"] == "yesterday"
        assert sum(each.startswith("w-") for each in found) > 5
        async with again.session() as session:
            mine = await session.get(kinds.CONFIG_MAP, "mine", DEFAULT)
        assert mine is not None
        assert int(mine["metadata"]["resourceVersion"]) > said["revision"] >= int(before["metadata"]["resourceVersion"])
        secret = meta.decoded(await again.hosted.get(kinds.SECRET, names.ca_secret("again")))
        assert (secret["ca.crt"], secret["ca.key"]) == (authority["ca.crt"], authority["ca.key"])
        await again.put("mine", "it writes again")
        version = (await backups.now(restore))["metadata"]["resourceVersion"]
        assert await backups.look(restore) is None
        assert (await backups.now(restore))["metadata"]["resourceVersion"] == version


@pytest.mark.keeps("better.one-tenants-yesterday")
async def test_a_tenant_whose_keys_are_gone_comes_back_in_place_and_its_clients_go_on(
    plane: Plane, stores: tuple[Store, Store], backups: Backups
) -> None:
    await plane.put("mine", "yesterday")
    taken = await backups.over(await backups.ask(kinds.TENANT_BACKUP, "first"))
    later = int((await plane.put("late", "after the backup"))["metadata"]["resourceVersion"])
    await lost(plane, stores[0])
    restore = await backups.ask(kinds.TENANT_RESTORE, "back", source=source(taken), inPlace=True)
    note = copy_of(await plane.schema())

    async with stores[0].opened() as store, plane.looked_after():

        async def writes() -> bool:
            return bool((await store.wire.kv.get(note)).count)

        backups.killed_when = [writes]  # its pod dies in the midst
        await backups.over(restore)
    assert (await backups.ready(restore))[:2] == ("True", "Done"), await backups.ready(restore)
    assert backups.statuses == [0, 137, 0]
    await plane.serve()
    assert await plane.maps() == {"mine": "yesterday"}
    async with plane.session() as session:
        mine = await session.get(kinds.CONFIG_MAP, "mine", DEFAULT)
        assert mine is not None
        assert int(mine["metadata"]["resourceVersion"]) > later, "no client sees an older one than it has seen"
        for kind in (kinds.CONFIG_MAP, kinds.EVENT):  # the one is answered from a cache, the other by etcd
            watch = Watch(session, session._transport, kind, path(kind, DEFAULT), {}, _version=str(later))
            with pytest.raises(Expired):
                async with asyncio.timeout(30):
                    async for _ in watch._streamed():
                        pass
    await plane.put("mine", "it writes again")


@pytest.mark.keeps("better.one-tenants-yesterday")
async def test_files_that_are_not_what_they_should_be_are_refused_and_the_tenant_serves_on(
    management: Cluster, plane: Plane, tmp_path: Path
) -> None:
    world, whole = context(management), tmp_path / f"whole{SUFFIX}"
    await plane.put("mine", "today")
    await taking.taken(world, plane.to(whole))
    raw = whole.read_bytes()
    middle = len(raw) // 2
    wrong: dict[type[BackupUnreadable], bytes] = {
        CutShort: raw[:middle],
        Altered: raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :],
        NewerFormat: raw.replace(b"kamaji-backup 1", b"kamaji-backup 2", 1),
        NoBackup: b"something else",
    }
    for kind, content in wrong.items():
        (bad := tmp_path / kind.__name__).write_bytes(content)
        with pytest.raises(kind):
            await bringing.brought(world, plane.back(bad, in_place=True))
    with pytest.raises(Declined, match="there is no file"):
        await bringing.brought(world, plane.back(tmp_path / "nowhere", in_place=True))
    with pytest.raises(Declined, match="exists: give"):
        await bringing.brought(world, plane.back(whole))
    await keyed(management, plane.hosted.namespace)
    with pytest.raises(WrongKey):
        await bringing.brought(world, plane.back(whole, in_place=True))
    assert names.ANNOTATION_RESTORING not in meta.annotations_of(await plane.hosted.tcp())
    await plane.hosted.look()
    assert await plane.maps() == {"mine": "today"}
    assert (await plane.hosted.condition("Ready"))["status"] == "True"


async def test_a_backup_of_another_tenant_is_not_put_in_the_place_of_this_one(
    management: Cluster, born: Plane, stores: tuple[Store, Store], elsewhere: str, tmp_path: Path
) -> None:
    world, whole = context(management), tmp_path / f"whole{SUFFIX}"
    await taking.taken(world, born.to(whole))
    await keyed(management, elsewhere, meta.decoded(await born.hosted.get(kinds.SECRET, KEY_SECRET))["key"])
    async with made(management, elsewhere, stores[0], tmp_path / "other") as other:
        await other.hosted.say(dataStore=stores[0].name)
        await other.hosted.look()
        with pytest.raises(Declined, match="one of its own backups"):
            await bringing.brought(world, other.back(whole, in_place=True))
        assert names.ANNOTATION_RESTORING not in meta.annotations_of(await other.hosted.tcp())


@pytest.mark.nightly
async def test_a_job_that_dies_in_the_midst_leaves_no_half_backup_and_the_next_try_makes_a_whole_one(
    born: Plane, backups: Backups
) -> None:
    await born.fill(2000, 8000)
    asked = await backups.ask(kinds.TENANT_BACKUP, "killed")

    async def begins() -> bool:
        return any(each.stat().st_size > 100_000 for each in backups.folder.rglob("*.partial"))

    backups.killed_when = [begins, begins]
    taken = await backups.over(asked)
    assert backups.statuses == [137, 137, 0]
    assert (await backups.ready(asked))[:2] == ("True", "Done")
    found = [each.name for each in backups.folder.rglob("*") if each.is_file()]
    assert found == [Path(taken["status"]["file"]).name]


@pytest.mark.nightly
async def test_a_store_that_is_down_is_waited_for_and_told_and_given_up_after_some_tries(
    born: Plane, stores: tuple[Store, Store], backups: Backups
) -> None:
    asked = await backups.ask(kinds.TENANT_BACKUP, "down")
    stores[0].stop()
    await backups.look(asked)
    await backups.work()
    await backups.look(asked)
    status, reason, message = await backups.ready(asked)
    assert (status, reason) == ("False", "Running")
    assert "nobody answers" in message
    await backups.over(asked)
    status, reason, message = await backups.ready(asked)
    assert (status, reason) == ("False", "Failed")
    assert "nobody answers" in message
    assert set(backups.statuses) == {1}
    assert not [each for each in backups.folder.rglob("*") if each.is_file()]


@pytest.mark.nightly
async def test_a_backup_that_is_deleted_while_it_is_taken_ends_its_job_and_then_goes(
    management: Cluster, born: Plane, backups: Backups
) -> None:
    asked = await backups.ask(kinds.TENANT_BACKUP, "deleted")
    await backups.look(asked)
    (job,) = await backups.jobs()
    await management.delete(kinds.TENANT_BACKUP, "deleted", backups.namespace)
    assert await backups.look(asked) == 1.0
    left = await management.get(kinds.JOB, job["metadata"]["name"], HERE)
    assert left is not None
    assert left["metadata"]["deletionTimestamp"], "the garbage collector ends its pods first"
    assert await backups.now(asked), "until they are gone it stays"
    patch = {"metadata": {"finalizers": None}}
    await management.merge(kinds.JOB, job["metadata"]["name"], HERE, patch, manager=MANAGER)
    await backups.look(asked)
    assert await management.get(kinds.TENANT_BACKUP, "deleted", backups.namespace) is None


@pytest.mark.nightly
async def test_one_who_was_thought_dead_changes_nothing_once_the_tenant_writes_again(
    management: Cluster, plane: Plane, stores: tuple[Store, Store], tmp_path: Path
) -> None:
    world, whole = context(management), tmp_path / f"whole{SUFFIX}"
    await plane.put("mine", "yesterday")
    said = await taking.taken(world, plane.to(whole))
    async with plane.looked_after():
        await bringing.brought(world, plane.back(whole, in_place=True))
    patch = {"metadata": {"annotations": {names.ANNOTATION_RESTORING: None}}}
    hosted = plane.hosted
    await management.merge(kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace, patch, manager=MANAGER)
    await plane.serve()
    await plane.put("mine", "today")
    async with stores[0].opened() as store:
        await Pouring(store, await plane.schema(), "restore", said["revision"]).pour(iter(()))
        assert await store.count(await plane.schema()) > 10
    assert await plane.maps() == {"mine": "today"}


@pytest.mark.nightly
async def test_leases_go_on_with_what_was_left_of_them(
    management: Cluster, born: Plane, stores: tuple[Store, Store], tmp_path: Path
) -> None:
    world, whole, schema = context(management), tmp_path / f"whole{SUFFIX}", await born.schema()
    key = range_of(schema).start + b"leased"
    async with stores[0].opened() as store:
        lease = (await store.wire.lease.grant(500)).ID
        await store.wire.kv.put(key, b"for a while", lease)
    await taking.taken(world, born.to(whole))
    async with born.looked_after():
        await bringing.brought(world, born.back(whole, in_place=True))
    async with stores[0].opened() as store:
        (found,) = (await store.wire.kv.get(key)).kvs
        assert found.lease != lease
        left = int((await store.wire.lease.time_to_live(found.lease)).TTL)
        assert 380 < left <= 501
        tenant = Keyspace(schema=schema, user=schema)
        assert await store.ensure(tenant, writable=False) is False, "it may not write before its pods are back"


@pytest.mark.fields(
    "TenantBackupSchedule",
    *("spec.schedule", "spec.suspend", "spec.keep", "spec.tenantControlPlaneName"),
    *("spec.encryptionSecretName", "spec.destination.volume.claimName"),
)
async def test_a_schedule_makes_a_backup_when_it_is_time_and_keeps_as_many_as_it_says(
    management: Cluster, hosting: TenantWorld, born: Plane, backups: Backups
) -> None:
    first = (datetime.now(UTC).minute + 8) % 10  # so that none becomes due by the time that the test takes
    schedule = f"{first}-59/10 * * * *"
    asked = await backups.ask(kinds.TENANT_BACKUP_SCHEDULE, "often", schedule=schedule, keep=2)
    key = (backups.namespace, "often")

    async def looked() -> list[Manifest]:
        world = hosting.context
        again = await backupschedule.schedule(world, key)
        assert again is not None
        assert 0 < again <= 600
        return await management.list(kinds.TENANT_BACKUP, backups.namespace)

    assert await looked() == [], "none was due since it was made"
    for number in range(1, 4):
        hosting.later = timedelta(minutes=10 * number)
        found = sorted(await looked(), key=lambda each: str(each["metadata"]["name"]))
        assert len(await looked()) == len(found), "one for each time"
        await backups.over(found[-1])
        await looked()
    status = (await backups.now(asked))["status"]
    left = await management.list(kinds.TENANT_BACKUP, backups.namespace)
    going = [each for each in left if each["metadata"].get("deletionTimestamp")]
    assert (len(left) - len(going), len(going)) == (2, 1)
    files = [each for each in backups.folder.rglob("*") if each.is_file()]
    assert len(files) == 2
    assert {each.parent.name for each in files} == {"often"}
    assert status["lastSuccessful"]
    assert datetime.fromisoformat(status["next"]) > datetime.now(UTC) + timedelta(minutes=25)
    patch = {"spec": {"suspend": True}}
    await management.merge(kinds.TENANT_BACKUP_SCHEDULE, "often", backups.namespace, patch, manager=MANAGER)
    hosting.later = timedelta(hours=2)
    assert len(await looked()) == len(left)
    assert (await backups.ready(asked))[:2] == ("True", "Suspended")


async def test_what_was_asked_of_a_backup_or_a_restore_cannot_be_changed_and_has_to_make_sense(
    backups: Backups,
) -> None:
    await backups.ask(kinds.TENANT_BACKUP, "fixed")
    with pytest.raises(Refused, match="make a new object instead"):
        await backups.ask(kinds.TENANT_BACKUP, "fixed", encryptionSecretName="other")
    with pytest.raises(Refused, match="volume or s3"):
        await backups.ask(kinds.TENANT_BACKUP, "nowhere", destination={})
    where = {"volume": {"claimName": "backups"}, "file": "a/b"}
    await backups.ask(kinds.TENANT_RESTORE, "fixed", source=where)
    with pytest.raises(Refused, match="make a new object instead"):
        await backups.ask(kinds.TENANT_RESTORE, "fixed", source={**where, "file": "c"})
    with pytest.raises(Refused, match="dataStore is for a new tenant"):
        await backups.ask(kinds.TENANT_RESTORE, "both", source=where, inPlace=True, dataStore="other")
    for file in ("../etcd/member", "a/../b", "/a", "a//b", ".a"):
        with pytest.raises(Refused, match="file"):
            await backups.ask(kinds.TENANT_RESTORE, "outside", source={**where, "file": file})


@pytest.mark.nightly
async def test_what_is_restored_in_place_is_read_with_the_key_of_then_and_written_with_the_key_of_now(
    plane: Plane, stores: tuple[Store, Store], backups: Backups
) -> None:
    vault = Vault(plane.hosted, plane.rollout, stores[0])
    made = await vault.fill(8)
    await vault.say(encrypt="secrets")
    await vault.encrypted()
    (then,) = await vault.stored()
    taken = await backups.over(await backups.ask(kinds.TENANT_BACKUP, "first"))
    await vault.say(rotate_encryption_key="one")
    await vault.until(lambda told: told[1] == "Preparing")
    await vault.encrypted()
    await vault.step()
    (now,) = await vault.stored()
    assert now != then
    restore = await backups.ask(kinds.TENANT_RESTORE, "back", source=source(taken), inPlace=True)
    async with plane.looked_after():
        await backups.over(restore)
    assert (await backups.ready(restore))[:2] == ("True", "Done"), await backups.ready(restore)
    assert then in await vault.stored()
    await plane.serve()
    assert await vault.read() == made, "with the key of then, which the backup brought"
    await vault.until(lambda told: told[:2] == ("True", "Encrypted"))
    assert set(await vault.stored()) == {now}
    assert await vault.read() == made
