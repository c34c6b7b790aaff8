"""Snapshots of a pool's store by the clock: restored into a real etcd before they are kept, and what is told of them."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab import programs
from lab.servers import free_ports
from provider.api import kinds
from provider.cluster.errors import Refused
from provider.hosting.datastores.errors import StoreUnreachable
from provider.hosting.datastores.etcd import snapshot
from provider.hosting.reconcile.sampling import Sampler
from provider.manifest import meta
from tests.integration.pool_fleet import KEYS, PATIENCE, Fleet, asked, begun
from tests.integration.pool_pods import MANAGER, Pods
from tests.integration.pool_world import NAMESPACE, World
from tests.integration.snapshot_pod import SnapshotPod

BY_THE_HOUR: dict[str, Any] = {"schedule": "5 * * * *", "retention": 2, "to": {"volume": {"claimName": "backups"}}}


async def scheduled(world: World, name: str, folder: Path, running: list[Pods]) -> Fleet:
    fleet = await begun(world, name, folder, running, members=1, snapshots=BY_THE_HOUR)
    await fleet.step()
    return fleet


def another(fleet: Fleet, folder: Path, number: int) -> SnapshotPod:
    own = folder / f"run-{number}"
    own.mkdir()
    return SnapshotPod(fleet, own, folder / "backups")


async def told(fleet: Fleet) -> dict[str, Any]:
    (load,) = (await fleet.world.get(kinds.DATA_STORE_POOL, fleet.name))["status"]["stores"]
    return dict(load)


@pytest.mark.fields("DataStorePool", "spec.snapshots.schedule", "spec.snapshots.to.volume.claimName")
@pytest.mark.keeps("better.snapshots")
async def test_a_snapshot_is_restored_and_found_whole_before_it_is_kept_and_told(
    world: World, tmp_path: Path, running: list[Pods]
) -> None:
    fleet = await scheduled(world, "saved", tmp_path, running)
    cron = await world.get(kinds.CRON_JOB, "saved-snapshot")
    assert (cron["spec"]["schedule"], cron["spec"]["timeZone"]) == ("5 * * * *", "Etc/UTC")
    volumes = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]["volumes"]
    assert {"name": "kept", "persistentVolumeClaim": {"claimName": "backups"}} in volumes
    assert (await fleet.condition("SnapshotsTaken"))[:2] == ("Unknown", "NoneYet")

    run = another(fleet, tmp_path, 1)
    await run.run()
    (file,) = run.kept
    await fleet.step()
    last = (await told(fleet))["lastSnapshot"]
    assert (last["name"], last["keys"] >= KEYS) == (file, True)
    assert await fleet.condition("SnapshotsTaken") == (
        "True",
        "SnapshotsTaken",
        f"it was restored and held what the store held: {file}",
    )
    assert await restored(fleet, run.volume / "saved" / file, tmp_path) == KEYS

    await world.cluster.delete(kinds.CRON_JOB, "saved-snapshot", NAMESPACE)
    for kind in (kinds.POD, kinds.JOB):
        for each in await world.cluster.list(kind, NAMESPACE):
            if each["metadata"]["name"].startswith("saved-snapshot"):
                await world.cluster.delete(kind, each["metadata"]["name"], NAMESPACE)
    await fleet.step()
    assert (await told(fleet))["lastSnapshot"] == last, "it is told on when its pod is gone"


@pytest.mark.fields("DataStorePool", "spec.snapshots.retention")
async def test_the_oldest_beyond_the_retention_go_and_nobody_elses_files(
    world: World, tmp_path: Path, running: list[Pods]
) -> None:
    fleet = await scheduled(world, "kept", tmp_path, running)
    folder = tmp_path / "backups" / "kept"
    folder.mkdir(parents=True)
    for each in ("20200101T000000Z.db", "20210101T000000Z.db", "yours.db", "20190101T000000Z.db.bak"):
        (folder / each).write_bytes(b"")
    run = another(fleet, tmp_path, 1)
    await run.run()
    assert run.kept[:3] == ["20190101T000000Z.db.bak", "20210101T000000Z.db", run.kept[2]]
    assert run.kept[3:] == ["yours.db"]
    assert run.kept[2] > "2026"


@pytest.mark.nightly
@pytest.mark.keeps("better.snapshots")
async def test_what_does_not_restore_is_not_kept_and_lets_none_go_and_the_condition_says_so(
    world: World, tmp_path: Path, running: list[Pods]
) -> None:
    fleet = await scheduled(world, "spoilt", tmp_path, running)
    good = another(fleet, tmp_path, 1)
    await good.run()
    bad = another(fleet, tmp_path, 2)

    async def spoil(container: str) -> None:
        if container == "restore":
            with (bad.folder / "scratch" / "snapshot.db").open("r+b") as file:
                file.seek(8192)
                file.write(b"\xff" * 64)

    job = await bad.run(spoil)
    assert bad.kept == good.kept
    assert len(bad.kept) == 1
    await fleet.step()
    status, reason, message = await fleet.condition("SnapshotsTaken")
    assert (status, reason) == ("False", "SnapshotFailed")
    assert f"Job {NAMESPACE}/{job['metadata']['name']} failed in container restore" in message
    assert f"the newest that is kept is {good.kept[0]}" in message
    assert (await told(fleet))["lastSnapshot"]["name"] == good.kept[0]
    assert (await fleet.condition("Ready"))[0] == "True"


@pytest.mark.nightly
async def test_a_snapshot_that_lacks_what_the_store_held_when_it_began_is_not_kept(
    world: World, tmp_path: Path, running: list[Pods]
) -> None:
    fleet = await scheduled(world, "short", tmp_path, running)
    run = another(fleet, tmp_path, 1)

    async def older(container: str) -> None:
        """As if the store had given out an older state than it had."""
        if container == "restore":
            async with fleet.store() as store:
                await store.wire.kv.put(b"/tenant/late", b"")
            scratch, credentials = run.folder / "scratch", run.folder / "root"
            endpoint = fleet.pods.members["short-etcd-0"].endpoint
            await snapshot.written(endpoint, credentials, scratch / "other.db", scratch / "held.json")

    await run.run(older)
    assert run.kept == []
    await fleet.step()
    message = (await fleet.condition("SnapshotsTaken"))[2]
    assert "failed in container keep, the snapshot is not kept" in message


async def test_while_the_store_is_down_none_is_taken_and_the_condition_says_why(
    world: World, tmp_path: Path, running: list[Pods]
) -> None:
    fleet = await scheduled(world, "silent", tmp_path, running)
    fleet.pods.hold("silent-etcd-0")
    run = another(fleet, tmp_path, 1)
    await run.run()
    await fleet.step()
    message = (await fleet.condition("SnapshotsTaken"))[2]
    assert "failed in container write, no snapshot of" in message
    assert "nobody answers" in message
    assert "kubectl create job -n kamaji-system --from=cronjob/silent-snapshot again" in message


async def test_a_schedule_that_is_none_holds_up_nothing_but_the_snapshots(
    world: World, tmp_path: Path, running: list[Pods]
) -> None:
    fleet = await begun(world, "when", tmp_path, running, members=1)
    await asked(fleet, snapshots=BY_THE_HOUR | {"schedule": "99 * * * *"})
    await fleet.step()
    status, reason, message = await fleet.condition("SnapshotsTaken")
    assert (status, reason) == ("False", "RefusedByManagementCluster")
    assert "schedule" in message
    assert (await fleet.condition("Ready"))[0] == "True"
    await asked(fleet, snapshots=None)
    await fleet.step()
    kinds_told = [each["type"] for each in (await world.get(kinds.DATA_STORE_POOL, "when"))["status"]["conditions"]]
    assert "SnapshotsTaken" not in kinds_told


@pytest.mark.parametrize("schedule", ["every day", "* * * *", "@sometimes"])
async def test_a_schedule_of_another_shape_is_refused_at_once(world: World, schedule: str) -> None:
    spec = {"snapshots": BY_THE_HOUR | {"schedule": schedule}}
    with pytest.raises(Refused, match="schedule"):
        await world.cluster.apply(meta.new(kinds.DATA_STORE_POOL, "never", spec=spec), manager=MANAGER)


async def test_its_pods_are_taken_where_pod_security_is_restricted(
    world: World, tmp_path: Path, running: list[Pods]
) -> None:
    fleet = await scheduled(world, "strict", tmp_path, running)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    await world.cluster.apply(meta.new(kinds.NAMESPACE, "strict", labels=labels), manager=MANAGER)
    cron = await world.get(kinds.CRON_JOB, f"{fleet.name}-snapshot")
    spec = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    taken = await world.cluster.apply(meta.new(kinds.POD, "run", "strict", spec=spec), manager=MANAGER)
    assert taken["metadata"]["uid"]


@pytest.mark.nightly
async def test_a_store_of_three_whose_volumes_are_all_lost_comes_back_from_a_snapshot_by_hand_as_the_page_says(
    world: World, tmp_path: Path, running: list[Pods]
) -> None:
    fleet = await begun(world, "phoenix", tmp_path, running, snapshots=BY_THE_HOUR)
    await fleet.step()
    run = another(fleet, tmp_path, 1)
    await run.run()
    before = (await world.get(kinds.DATA_STORE, "phoenix"))["status"]["clusterID"]
    async with fleet.store() as store:
        await store.wire.kv.put(b"/tenant/after", b"")
        seen = await store.revision()
    for name, member in fleet.pods.members.items():
        fleet.pods.hold(name)
        shutil.rmtree(member.data / "data")
        await world.cluster.delete(kinds.POD, name, NAMESPACE)  # with its node; the next one reads what it is told now
    fleet.pods.held.clear()
    async with asyncio.timeout(PATIENCE):
        while (await fleet.condition("Ready"))[0] != "False":
            await fleet.step()
    for _ in range(3):
        await fleet.step()
    assert (await fleet.condition("Ready"))[0] == "False", "nothing is begun anew by itself"

    first = fleet.pods.members["phoenix-etcd-0"]
    for name in fleet.pods.members:
        fleet.pods.hold(name)
    shutil.rmtree(first.data / "data", ignore_errors=True)
    peer = f"https://phoenix-etcd-0.phoenix-etcd-members.{NAMESPACE}.svc:2380"
    said = ["snapshot", "restore", run.volume / "phoenix" / run.kept[0], f"--data-dir={first.data / 'data'}"]
    said += ["--name=phoenix-etcd-0", f"--initial-cluster=phoenix-etcd-0={peer}"]
    said += [f"--initial-advertise-peer-urls={peer}", "--bump-revision=1000000000", "--mark-compacted"]
    restore = partial(subprocess.run, [programs.path("etcdutl"), *said], check=True, capture_output=True)
    await asyncio.to_thread(restore)
    fleet.pods.held.clear()
    await fleet.ready(3)
    assert await fleet.count() == KEYS
    async with fleet.store() as store:
        assert await store.revision() > seen + 1_000_000
        assert (await store.health()).auth_enabled
    status = (await world.get(kinds.DATA_STORE, "phoenix"))["status"]
    assert status["ready"] is True
    assert status["clusterID"] != before
    assert status["lastRestored"]
    await Sampler(world.context, lambda: 0.0, window=0.1)("phoenix")  # who was deleted since is in it again
    orphans = (await world.get(kinds.DATA_STORE, "phoenix"))["status"]["orphans"]
    assert orphans == [{"name": "tenant", "user": "tenant", "keys": KEYS}]


async def restored(fleet: Fleet, file: Path, folder: Path) -> int:
    """Keys of tenants in an etcd that is made of the file, by etcd's own tool."""
    client, peer = free_ports(2)
    data, secrets = folder / "again", folder / "run-1"
    cluster = [f"--initial-cluster=again=http://127.0.0.1:{peer}"]
    cluster += [f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}", "--name=again", f"--data-dir={data}"]
    restore = [programs.path("etcdutl"), "snapshot", "restore", file, *cluster]
    await asyncio.to_thread(partial(subprocess.run, restore, check=True, capture_output=True))
    flags = [f"--listen-peer-urls=http://127.0.0.1:{peer}", f"--listen-client-urls=https://127.0.0.1:{client}"]
    flags += [f"--advertise-client-urls=https://127.0.0.1:{client}", "--client-cert-auth"]
    flags += [f"--cert-file={secrets}/server/tls.crt", f"--key-file={secrets}/server/tls.key"]
    flags += [f"--trusted-ca-file={secrets}/server/ca.crt"]
    with (folder / "again.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(programs.path("etcd"), *cluster, *flags, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(StoreUnreachable):
                    async with snapshot.opened(f"127.0.0.1:{client}", secrets / "root") as store:
                        return await store.count("tenant")
    finally:
        process.kill()
        await process.wait()
