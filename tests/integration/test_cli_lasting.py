"""What lasts, begun and followed by the command line: a move between two real etcds, a backup, and a tenant out of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from provider.api import kinds
from provider.api.kinds import Kind
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.manifest import Manifest, meta
from tests.integration.backup_fixtures import sealed
from tests.integration.backup_world import CLAIM, KEY_SECRET, Backups, Plane
from tests.integration.hosted import MANAGER, Hosted, Store
from tests.integration.kamaji_process import Kamaji
from tests.integration.meanwhile import repeated

ASLEEP = {"service": {"serviceType": "ClusterIP"}, "deployment": {"replicas": 0}}


@pytest.fixture
async def second(management: Cluster, namespace: str, tmp_path: Path) -> AsyncIterator[Store]:
    """Another store."""
    found = await Store.start(management, tmp_path / "second", f"second-{namespace}")
    yield found
    found.stop()


@pytest.fixture
async def asleep(management: Cluster, namespace: str, store: Store, tmp_path: Path) -> AsyncIterator[Hosted]:
    """A tenant without pods: it moves as all do, and needs no API server for it."""
    found = Hosted(management, store, namespace, tmp_path / "tenant")
    await found.say(dataStore=store.name, controlPlane=ASLEEP)
    await found.look(2)
    yield found
    await found.stop()


@asynccontextmanager
async def looked_after(tenant: Hosted) -> AsyncIterator[None]:
    """The provider's passes go on meanwhile, and what the Deployment controller says of a Deployment without pods."""

    async def once() -> None:
        with contextlib.suppress(ApiError):  # written meanwhile: the pass is taken again
            await looked()

    async def looked() -> None:
        if await tenant.cluster.get(kinds.TENANT_CONTROL_PLANE, tenant.name, tenant.namespace) is None:
            return
        await tenant.look()
        if (found := await tenant.cluster.get(kinds.DEPLOYMENT, tenant.name, tenant.namespace)) is not None:
            await tenant.said(kinds.DEPLOYMENT, tenant.name, {"observedGeneration": found["metadata"]["generation"]})

    async with repeated(once):
        yield


async def home(tenant: Hosted) -> str:
    return str((await tenant.tcp())["status"]["storage"]["dataStoreName"])


async def test_a_move_is_followed_to_its_end_and_left_going_on_by_ctrl_c(
    asleep: Hosted, store: Store, second: Store, kamaji: Kamaji
) -> None:
    status, said = await kamaji.stopped("move", "demo", second.name, at="has yet to look at it")
    assert status == 130
    assert "it goes on by itself" in said
    assert f"`kamaji explain {asleep.namespace}/demo`" in said
    assert f"`kamaji move {asleep.namespace}/demo {store.name}` goes back" in said
    assert (await asleep.tcp())["spec"]["dataStore"] == second.name
    async with looked_after(asleep):
        done = await kamaji("move", "demo", second.name, "--wait", "100s")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{asleep.namespace}/demo is in DataStore {second.name}\n"
    assert await home(asleep) == second.name
    before = (await asleep.tcp())["metadata"]["generation"]
    assert (await kamaji("move", "demo", second.name)).returncode == 0
    assert (await asleep.tcp())["metadata"]["generation"] == before


async def test_a_move_that_cannot_be_is_told_in_the_providers_words_and_one_that_is_late_is_not_lost(
    asleep: Hosted, store: Store, kamaji: Kamaji
) -> None:
    # A database: only etcd moves, to etcd
    spec = {
        "driver": "NATS",
        "endpoints": ["127.0.0.1:1"],
        "basicAuth": {"username": {"content": "YQ=="}, "password": {"content": "YQ=="}},
    }
    other = f"nats-{asleep.namespace}"
    await asleep.cluster.apply(meta.new(kinds.DATA_STORE, other, spec=spec), manager=MANAGER)
    late = await kamaji("move", "demo", other, "--wait", "1s")
    assert (late.returncode, "not over yet, and goes on" in late.stderr) == (1, True), late.stderr
    async with looked_after(asleep):
        done = await kamaji("move", "demo", other, "--wait", "100s")
        assert done.returncode == 1
        assert "kamaji: DriverCannotMove: " in done.stderr
        back = await kamaji("move", "demo", store.name, "--wait", "100s")
    assert (back.returncode, await home(asleep)) == (0, store.name), back.stderr


@pytest.fixture
async def plane(management: Cluster, namespace: str, store: Store, tmp_path: Path) -> AsyncIterator[Plane]:
    """Before its first pod, with keys, and the key that seals backups."""
    async with sealed(management, namespace, store, tmp_path) as found:
        await found.hosted.look()
        await found.fill(20)
        yield found


async def asked(cluster: Cluster, kind: Kind, namespace: str) -> Manifest:
    """The first of a kind, once it is there."""
    async with asyncio.timeout(60):
        while not (found := await cluster.list(kind, namespace)):
            await asyncio.sleep(0.1)
    return found[0]


async def test_a_tenant_is_backed_up_listed_and_brought_back_as_another(
    plane: Plane, backups: Backups, kamaji: Kamaji
) -> None:
    cluster, namespace = plane.hosted.cluster, plane.hosted.namespace
    wait = ("--wait", "100s")
    running = asyncio.create_task(kamaji("backup", "demo", "--volume", CLAIM, "--key", KEY_SECRET, *wait))
    backup = await backups.over(await asked(cluster, kinds.TENANT_BACKUP, namespace))
    done = await running
    assert done.returncode == 0, done.stderr
    assert f"is in {backup['status']['file']} of volume {CLAIM}" in done.stdout
    (row,) = await kamaji.data("backups", "demo")
    name = backup["metadata"]["name"]
    assert (row["name"], row["state"], row["keys"]) == (name, "Done", backup["status"]["keys"])

    other = Hosted(cluster, plane.hosted.store, namespace, plane.hosted.folder / "second", name="second")
    async with looked_after(other):
        running = asyncio.create_task(kamaji("restore", "second", name, *wait))
        await backups.over(await asked(cluster, kinds.TENANT_RESTORE, namespace))
        done = await running
    await other.stop()
    assert done.returncode == 0, done.stderr
    assert f"{namespace}/second holds {row['keys']} keys" in done.stdout
    assert await cluster.get(kinds.TENANT_CONTROL_PLANE, "second", namespace) is not None

    again = await kamaji("backup", "demo", "--wait", "0s")  # to where the last one went
    assert (again.returncode, "TenantBackup" in again.stdout) == (0, True), again.stderr
