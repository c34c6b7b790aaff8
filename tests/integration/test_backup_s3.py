"""A tenant's backups in a bucket of a real S3 API with TLS: put there, thinned, brought back from there, and what refuses."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from provider.api import kinds
from provider.cluster.client import Cluster
from provider.cluster.errors import Refused
from provider.hosting.datastores.bucket import PART, TRUSTED, Bucket
from provider.hosting.datastores.bucket.address import Address, Keys
from provider.hosting.datastores.errors import BucketDenied, BucketMissing, BucketUnreachable, ObjectMissing, StoreError
from provider.hosting.datastores.etcd import keeping
from provider.hosting.reconcile.archiving.objects import Objects
from provider.manifest import meta
from tests.integration.backup_fixtures import keyed
from tests.integration.backup_world import KEY_SECRET, Backups, Plane
from tests.integration.hosted import MANAGER
from tests.integration.object_store import KEY, SECRET, ObjectStore
from tests.integration.tenant_world import TenantWorld

FIELDS = ("bucket", "prefix", "region", "endpoint", "secretName")
ACCESS = "s3-keys"
BIG = 6 * PART  # more parts than are on their way at once


@pytest.fixture
async def place(born: Plane, management: Cluster, objects: ObjectStore) -> dict[str, Any]:
    """As a user names it, with its Secret beside the tenant."""
    await access(management, born.hosted.namespace, objects)
    s3 = {"bucket": "backups", "prefix": "deep/er", "region": "us-east-1"}
    return {"s3": {**s3, "endpoint": objects.endpoint, "secretName": ACCESS}}


@pytest.fixture(autouse=True)
def _emptied(objects: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The bucket is empty for each test, and its server trusted."""
    authority = objects.folder / "trusted.crt"
    authority.write_bytes(objects.authority.certificate)
    monkeypatch.setenv(TRUSTED, str(authority))
    yield
    for each in objects.bucket("backups").iterdir():
        if each.name != ".sgwtmp":
            shutil.rmtree(each)


async def access(cluster: Cluster, namespace: str, objects: ObjectStore, secret: str = SECRET) -> None:
    made = meta.new(kinds.SECRET, ACCESS, namespace, data=objects.credentials(secret))
    await cluster.apply(made, manager=MANAGER)


def there(objects: ObjectStore) -> list[str]:
    """All objects, by their paths; as the server keeps them on its disk."""
    bucket = objects.bucket("backups")
    found = (each.relative_to(bucket) for each in bucket.rglob("*") if each.is_file())
    return sorted(str(each) for each in found if not each.parts[0].startswith(".sgwtmp"))


def halves(objects: ObjectStore) -> list[Path]:
    """Parts of what was never finished."""
    return [each for each in objects.bucket("backups").glob(".sgwtmp/multipart/*/*/*") if each.is_file()]


@pytest.mark.fields("TenantBackupSchedule", *(f"spec.destination.s3.{each}" for each in FIELDS))
async def test_a_schedule_puts_backups_into_the_bucket_and_keeps_as_many_as_it_says(
    management: Cluster,
    hosting: TenantWorld,
    born: Plane,
    backups: Backups,
    objects: ObjectStore,
    place: dict[str, Any],
) -> None:
    asked = await backups.ask(kinds.TENANT_BACKUP_SCHEDULE, "often", schedule="*/10 * * * *", keep=1, destination=place)
    folder = f"deep/er/{backups.namespace}/demo/often"
    yours = objects.bucket("backups") / folder / "yours.kamaji-backup"
    yours.parent.mkdir(parents=True)
    yours.write_bytes(b"nobody's but yours")
    for number in range(1, 3):
        hosting.later = timedelta(minutes=10 * number)
        await backups.due(hosting.context)
        found = await management.list(kinds.TENANT_BACKUP, backups.namespace)
        newest = await backups.over(max(found, key=lambda each: str(each["metadata"]["name"])))
        status, reason, message = await backups.ready(newest)
        assert (status, reason) == ("True", "Done"), message
        assert message == "the backup is in bucket backups, and was read back"
    file = newest["status"]["file"]
    assert there(objects) == sorted([f"deep/er/{file}", f"{folder}/yours.kamaji-backup"])
    assert (objects.bucket("backups") / "deep/er" / file).stat().st_size == newest["status"]["fileSize"]
    assert list(backups.scratch.iterdir()) == [backups.scratch / "ca.crt"]
    await backups.due(hosting.context)
    assert (await backups.now(asked))["status"]["lastSuccessful"] == newest["status"]["taken"]
    for job in await management.list(kinds.JOB, backups.provider.settings.namespace):
        assert SECRET not in str(job)
        assert KEY not in str(job)


async def restored(backups: Backups, name: str, place: dict[str, Any], file: str) -> tuple[str, str, str]:
    """What became of a restore in place."""
    source = {**place, "file": file}
    asked = await backups.ask(kinds.TENANT_RESTORE, name, source=source, inPlace=True)
    await backups.over(asked)
    return await backups.ready(asked)


@pytest.mark.keeps("better.one-tenants-yesterday")
async def test_a_tenant_comes_back_from_a_bucket_and_from_no_file_that_is_not_what_it_should_be(
    management: Cluster, born: Plane, backups: Backups, objects: ObjectStore, place: dict[str, Any]
) -> None:
    await born.fill(300)
    taken = await backups.over(await backups.ask(kinds.TENANT_BACKUP, "first", destination=place))
    assert (await backups.ready(taken))[:2] == ("True", "Done"), await backups.ready(taken)
    file = taken["status"]["file"]
    whole = objects.bucket("backups") / "deep/er" / file
    raw, middle = whole.read_bytes(), whole.stat().st_size // 2
    wrong = {
        "BackupCutShort": raw[:middle],
        "BackupAltered": raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :],
        "BackupTooNew": raw.replace(b"kamaji-backup 1", b"kamaji-backup 2", 1),
        "NotABackup": b"something else",
    }
    for expected, content in wrong.items():
        whole.with_name(expected).write_bytes(content)
        bad = f"{Path(file).parent}/{expected}"
        status, reason, message = await restored(backups, expected.lower(), place, bad)
        assert (status, reason) == ("False", expected), message
    status, reason, message = await restored(backups, "nowhere", place, "no/such")
    assert reason == "BackupNotFound"
    assert "there is no deep/er/no/such in bucket backups of https://127.0.0.1" in message
    assert "look at spec.source" in message
    key = meta.decoded(await born.hosted.get(kinds.SECRET, KEY_SECRET))["key"]
    await keyed(management, backups.namespace)
    assert (await restored(backups, "otherkey", place, file))[1] == "WrongKey"
    await keyed(management, backups.namespace, key)
    assert set(backups.statuses) == {0, 2}, "none of these is tried again"
    async with born.looked_after():
        assert (await restored(backups, "back", place, file))[:2] == ("True", "Done")
    back = await management.get(kinds.TENANT_RESTORE, "back", backups.namespace)
    assert back is not None
    assert back["status"]["digest"] == taken["status"]["digest"]
    assert list(backups.scratch.iterdir()) == [backups.scratch / "ca.crt"]


async def test_a_bucket_that_does_not_let_us_in_is_told_and_given_up_after_some_tries(
    management: Cluster, born: Plane, backups: Backups, objects: ObjectStore, place: dict[str, Any]
) -> None:
    await access(management, backups.namespace, objects, "another-secret")
    asked = await backups.ask(kinds.TENANT_BACKUP, "denied", destination=place)
    await backups.over(asked)
    status, reason, message = await backups.ready(asked)
    assert (status, reason) == ("False", "BucketDenied")
    assert "are the keys of the Secret right" in message
    for each in ("another-secret", KEY, "Signature"):
        assert each not in message
    assert set(backups.statuses) == {1}
    await access(management, backups.namespace, objects)
    gone = {"s3": place["s3"] | {"bucket": "nowhere"}}
    asked = await backups.ask(kinds.TENANT_BACKUP, "gone", destination=gone)
    await backups.look(asked)
    await backups.work()
    await backups.look(asked)
    status, reason, message = await backups.ready(asked)
    assert (status, reason) == ("False", "Running")
    assert "bucket nowhere of https://127.0.0.1" in message
    assert "does not exist: make it, or name another" in message
    assert there(objects) == []


async def test_keys_of_access_that_come_later_are_waited_for(
    management: Cluster, born: Plane, backups: Backups, objects: ObjectStore
) -> None:
    s3 = {"bucket": "backups", "endpoint": objects.endpoint, "secretName": ACCESS}
    asked = await backups.ask(kinds.TENANT_BACKUP, "early", destination={"s3": s3})
    assert await backups.look(asked) == 10.0
    assert (await backups.ready(asked))[1] == "CredentialsMissing"
    assert await backups.jobs() == []
    await access(management, backups.namespace, objects)
    await backups.over(asked)
    assert (await backups.ready(asked))[:2] == ("True", "Done")
    with pytest.raises(Refused, match="volume or s3, and not both"):
        await backups.ask(kinds.TENANT_BACKUP, "both", destination={"s3": s3, "volume": {"claimName": "a"}})


def bucket(objects: ObjectStore, secret: str = SECRET, **more: Any) -> Bucket:
    given = {"bucket": "backups", "folder": "a/b", "region": "us-east-1", "endpoint": objects.endpoint}
    return Bucket(Address(**{**given, "keys": Keys(KEY, secret), **more}))


@pytest.fixture
def big(tmp_path: Path) -> Path:
    found = tmp_path / "big"
    found.write_bytes(bytes(range(256)) * (BIG // 256))
    return found


UPLOAD = """
import sys
from pathlib import Path
from tests.integration.object_store import KEY
from provider.hosting.datastores.bucket import Bucket
from provider.hosting.datastores.bucket.address import Address, Keys
file, endpoint, secret = sys.argv[1:]
at = Address(bucket="backups", folder="a/b", region="us-east-1", endpoint=endpoint, keys=Keys(KEY, secret))
Bucket(at).put(Path(file), "x.kamaji-backup")
"""


def test_an_upload_that_was_killed_shows_nothing_and_the_next_one_ends_what_it_left(
    objects: ObjectStore, big: Path
) -> None:
    found = bucket(objects)
    dying = subprocess.Popen([sys.executable, "-c", UPLOAD, str(big), objects.endpoint, SECRET])
    deadline = time.monotonic() + 60
    while not halves(objects):
        assert time.monotonic() < deadline
        assert dying.poll() is None
        time.sleep(0.002)
    dying.kill()
    dying.wait()
    time.sleep(1)  # the server finishes what it had already got; a Job is tried again ten seconds later
    assert halves(objects)
    assert there(objects) == []
    found.put(big, "x.kamaji-backup")
    assert there(objects) == ["a/b/x.kamaji-backup"]
    assert halves(objects) == []
    found.remove("x.kamaji-backup")


def test_an_upload_that_is_refused_in_the_midst_leaves_nothing(tmp_path: Path, objects: ObjectStore, big: Path) -> None:
    full = objects.bucket("backups")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={2 * PART}", "tmpfs", full], check=True)
    try:
        with pytest.raises(StoreError, match="does not answer as S3 does"):
            bucket(objects).put(big, "x.kamaji-backup")
        assert there(objects) == []
        assert halves(objects) == []
    finally:
        subprocess.run(["umount", "--lazy", full], check=True)  # the server may still have a file open


def test_what_a_bucket_gives_out_otherwise_is_removed(objects: ObjectStore, tmp_path: Path) -> None:
    class Rotten(Bucket):
        def read(self, name: str) -> Any:
            yield b"something else"

    at = Address(bucket="backups", folder="a/b", region="us-east-1", endpoint=objects.endpoint, keys=Keys(KEY, SECRET))
    (draft := tmp_path / "draft").write_bytes(b"a backup")
    with pytest.raises(StoreError, match="reads as something else, and was removed"):
        Objects(Rotten(at), "x.kamaji-backup", tmp_path).keep(draft)
    assert there(objects) == []


def test_each_refusal_has_its_kind(objects: ObjectStore, big: Path) -> None:
    whole = bucket(objects)
    whole.put(big, "x.kamaji-backup")
    assert keeping.summed(whole.read("x.kamaji-backup")) == keeping.summed(keeping.chunks(big))
    whole.remove("x.kamaji-backup")
    with pytest.raises(ObjectMissing, match=r"there is no a/b/x[.]kamaji-backup in bucket backups"):
        next(whole.read("x.kamaji-backup"))
    with pytest.raises(BucketMissing):
        next(bucket(objects, bucket="nowhere").read("x"))
    with pytest.raises(BucketMissing):
        bucket(objects, bucket="nowhere").put(big, "x")
    with pytest.raises(BucketDenied):
        bucket(objects, secret="another").put(big, "x")
    with pytest.raises(BucketUnreachable):
        bucket(objects, endpoint="https://127.0.0.1:1").names()
    assert there(objects) == halves(objects) == []
