"""Snapshots of a pool's store in a bucket: kept and let go by a real S3 API with TLS, and what is told when it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from provider.api import kinds
from provider.cluster.errors import Refused
from provider.manifest import meta
from tests.integration.object_store import SECRET, ObjectStore
from tests.integration.pool_fleet import KEYS, Fleet, begun
from tests.integration.pool_pods import MANAGER, Pods
from tests.integration.pool_world import NAMESPACE, World
from tests.integration.snapshot_pod import SnapshotPod

FIELDS = ("bucket", "prefix", "region", "endpoint", "secretName")


async def scheduled(
    world: World, name: str, folder: Path, running: list[Pods], objects: ObjectStore, secret: str = SECRET, **place: Any
) -> Fleet:
    data = objects.credentials(secret)
    await world.cluster.apply(meta.new(kinds.SECRET, f"{name}-keys", NAMESPACE, data=data), manager=MANAGER)
    s3 = {"bucket": "backups", "endpoint": objects.endpoint, "secretName": f"{name}-keys", "prefix": "deep/er"}
    asked = {"retention": 2, "to": {"s3": s3 | place}}
    fleet = await begun(world, name, folder, running, members=1, snapshots=asked)
    await fleet.step()
    return fleet


def another(fleet: Fleet, folder: Path) -> SnapshotPod:
    own = folder / "run"
    own.mkdir()
    return SnapshotPod(fleet, own, folder / "no-volume")


@pytest.mark.fields("DataStorePool", *(f"spec.snapshots.to.s3.{each}" for each in FIELDS))
@pytest.mark.keeps("better.snapshots")
async def test_a_snapshot_that_restored_is_put_into_the_bucket_and_the_oldest_go(
    world: World, tmp_path: Path, running: list[Pods], objects: ObjectStore
) -> None:
    fleet = await scheduled(world, "bucketed", tmp_path, running, objects, region="us-east-1")
    folder = objects.bucket("backups") / "deep/er/bucketed"
    folder.mkdir(parents=True)
    for each in ("20200101T000000Z.db", "20210101T000000Z.db", "yours.db"):
        (folder / each).write_bytes(b"x")
    (folder.parent / "20190101T000000Z.db").write_bytes(b"another store's, or nobody's")
    run = another(fleet, tmp_path)
    await run.run()
    await fleet.step()
    assert (await fleet.condition("SnapshotsTaken"))[0] == "True", run.log("keep")
    last = (await world.get(kinds.DATA_STORE_POOL, "bucketed"))["status"]["stores"][0]["lastSnapshot"]
    found = sorted(each.name for each in folder.iterdir() if each.is_file())
    assert found == ["20210101T000000Z.db", last["name"], "yours.db"]
    assert last["keys"] >= KEYS
    assert (folder / last["name"]).read_bytes() == (run.folder / "scratch" / "snapshot.db").read_bytes()
    assert (folder.parent / "20190101T000000Z.db").exists()


@pytest.mark.parametrize(
    ("what", "place", "secret", "words"),
    [
        ("keys", {}, "another-secret", "does not let us: are the keys of the Secret right"),
        ("absent", {"bucket": "nowhere"}, SECRET, "bucket nowhere of https://127.0.0.1"),
        ("silent", {"endpoint": "https://127.0.0.1:1"}, SECRET, "does not answer as S3 does"),
    ],
)
async def test_what_is_wrong_with_the_bucket_is_told_in_our_words(
    world: World,
    tmp_path: Path,
    running: list[Pods],
    objects: ObjectStore,
    what: str,
    place: dict[str, str],
    secret: str,
    words: str,
) -> None:
    fleet = await scheduled(world, f"refused-{what}", tmp_path, running, objects, secret, **place)
    run = another(fleet, tmp_path)
    await run.run()
    await fleet.step()
    status, reason, message = await fleet.condition("SnapshotsTaken")
    assert (status, reason) == ("False", "SnapshotFailed")
    assert words in message
    assert "failed in container keep" in message
    for each in (secret, "AKIA", "Signature"):
        assert each not in message + run.log("keep")


async def test_a_server_of_an_authority_that_the_secret_does_not_name_is_not_trusted(
    world: World, tmp_path: Path, running: list[Pods], objects: ObjectStore
) -> None:
    fleet = await scheduled(world, "distrustful", tmp_path, running, objects)
    patch = {"data": {"ca.crt": None}}
    await world.cluster.merge(kinds.SECRET, "distrustful-keys", NAMESPACE, patch, manager=MANAGER)
    await another(fleet, tmp_path).run()
    await fleet.step()
    assert "who signed its certificate (ca.crt)?" in (await fleet.condition("SnapshotsTaken"))[2]
    assert not (objects.bucket("backups") / "deep/er/distrustful").exists()


@pytest.mark.parametrize("place", [{}, {"volume": {"claimName": "a"}, "s3": {"bucket": "abc"}}])
async def test_a_place_is_one_of_the_two(world: World, place: dict[str, Any]) -> None:
    made = meta.new(kinds.DATA_STORE_POOL, "either", spec={"snapshots": {"to": place}})
    with pytest.raises(Refused, match="volume or s3"):
        await world.cluster.apply(made, manager=MANAGER)
