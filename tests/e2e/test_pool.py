"""A pool of three members carries a tenant, which answers while a member is lost and while all become another version."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.manifest import meta
from provider.manifest.condition import find
from tests.e2e.conftest import kubectl, tenant, tenant_session, until, until_condition

pytestmark = pytest.mark.nightly

POOL = "trio"
NAMESPACE = "kamaji-system"
PATIENCE = 600.0  # seconds: three members begin one after another, and volumes with them
# Seconds for which a tenant may be unreachable while its API server goes over to another member: on a quiet machine a few.
SILENCE = 15.0
LABELS = {"e2e-pool": POOL}
BACKUPS = f"{POOL}-backups"
NEXT = "3.7.3"  # of which the lab has an image


@pytest.fixture(scope="module")
def trio() -> Iterator[str]:
    """A pool that takes the tenants of this module; gone with everything in it afterwards. One for all: volumes are few."""
    spec = {"members": 3, "storage": {"size": "1Gi"}, "tenantSelector": {"matchLabels": LABELS}}
    made = meta.new(kinds.DATA_STORE_POOL, POOL, spec=spec)
    kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(made))
    yield POOL
    kubectl("delete", "datastorepool", POOL, "--wait=true", "--timeout=600s")


async def ready(management: Cluster, pool: str = POOL) -> bool:
    found = await management.get(kinds.DATA_STORE_POOL, pool)
    conditions = ((found or {}).get("status") or {}).get("conditions")
    return all(
        (find(conditions, kind) or {}).get("status") == "True" for kind in ("MembersReady", "Ready", "TakesTenants")
    )


async def lost(management: Cluster, member: str) -> Callable[[], Awaitable[bool]]:
    """It goes with its volume at once; whether it has another."""

    async def volume() -> str:
        claim = await management.get(kinds.PERSISTENT_VOLUME_CLAIM, f"data-{member}", NAMESPACE)
        return str(claim["metadata"]["uid"]) if claim else ""

    before = await volume()
    assert before
    kubectl("delete", "pvc", "-n", NAMESPACE, f"data-{member}", "--wait=false")
    kubectl("delete", "pod", "-n", NAMESPACE, member, "--grace-period=0", "--force")

    async def replaced() -> bool:
        return await volume() not in ("", before)

    return replaced


async def test_a_tenant_answers_while_a_member_of_its_store_is_lost(
    management: Cluster, trio: str, namespace: str
) -> None:
    await until(lambda: ready(management), "the pool is ready", PATIENCE)
    manifest = tenant("resident", namespace)
    manifest["metadata"]["labels"] = LABELS
    await management.apply(manifest, manager="e2e")
    await until_condition(management, manifest, "Ready")
    placed = await until_condition(management, manifest, "Placed")
    assert placed["message"].startswith(f"DataStore {trio} of DataStorePool {trio}: Spread")
    session = await tenant_session(management, "resident", namespace)
    await session.create(meta.new(kinds.CONFIG_MAP, "kept", "default", data={"what": "survives"}))

    another, loop = await lost(management, f"{trio}-etcd-1"), asyncio.get_running_loop()
    heard, longest = loop.time(), 0.0

    async def replaced() -> bool:
        nonlocal heard, longest
        with contextlib.suppress(ApiError, TimeoutError):
            async with asyncio.timeout(5):
                found: Any = await session.get(kinds.CONFIG_MAP, "kept", "default")
                assert found["data"] == {"what": "survives"}
                longest, heard = max(longest, loop.time() - heard), loop.time()
        return await another() and await ready(management)

    await until(replaced, "the member is replaced", PATIENCE)
    assert max(longest, loop.time() - heard) < SILENCE
    pods = await management.list(kinds.POD, NAMESPACE, labels={names.LABEL_STORE: trio})
    assert len([each for each in pods if each["metadata"]["name"].startswith(f"{trio}-etcd-")]) == 3
    await session.close()


async def test_a_version_that_cannot_be_had_stops_at_one_member_after_a_snapshot_and_can_be_taken_back(
    management: Cluster, trio: str
) -> None:
    await until(lambda: ready(management), "the pool is ready", PATIENCE)

    async def says(reason: str) -> bool:
        found = await management.get(kinds.DATA_STORE_POOL, trio)
        return (find(((found or {}).get("status") or {}).get("conditions"), "Updated") or {}).get("reason") == reason

    version = {"spec": {"version": "3.6.15"}}  # the lab has no image of it
    await management.merge(kinds.DATA_STORE_POOL, trio, None, version, manager="e2e")
    await until(lambda: says("UpdateStopped"), "the upgrade stops", PATIENCE)
    (job,) = await management.list(kinds.JOB, NAMESPACE, labels={names.LABEL_STORE: trio})
    assert job["status"]["succeeded"] == 1

    async def one_is_new() -> bool:
        pods = await management.list(kinds.POD, NAMESPACE, labels={names.LABEL_STORE: trio})
        images = sorted(str(each["spec"]["containers"][0]["image"]).rpartition(":")[2] for each in pods)
        return images == ["v3.6.15", "v3.6.16", "v3.6.16"]

    await until(one_is_new, "one member is to run the new version", PATIENCE)
    await asyncio.sleep(10)  # several passes, each of which could touch another member
    assert await one_is_new()
    assert await says("UpdateStopped")
    assert (await management.get(kinds.DATA_STORE, trio) or {})["status"]["ready"] is True

    version = {"spec": {"version": "3.6.16"}}
    await management.merge(kinds.DATA_STORE_POOL, trio, None, version, manager="e2e")
    await until(lambda: ready(management), "the pool is ready again", PATIENCE)
    await until(lambda: says("Updated"), "all run what is asked for", PATIENCE)


async def test_a_store_is_saved_and_becomes_the_next_minor_while_its_tenant_answers(
    management: Cluster, trio: str, namespace: str
) -> None:
    await until(lambda: ready(management), "the pool is ready", PATIENCE)
    manifest = tenant("onward", namespace)
    manifest["metadata"]["labels"] = LABELS
    await management.apply(manifest, manager="e2e")
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = meta.new(kinds.PERSISTENT_VOLUME_CLAIM, BACKUPS, NAMESPACE, spec=spec)
    await management.apply(claim, manager="e2e")
    snapshots = {"spec": {"snapshots": {"to": {"volume": {"claimName": BACKUPS}}}}}
    await management.merge(kinds.DATA_STORE_POOL, trio, None, snapshots, manager="e2e")
    kubectl("wait", "-n", NAMESPACE, "--for=create", f"cronjob/{trio}-snapshot", "--timeout=300s")
    kubectl("create", "job", "-n", NAMESPACE, f"--from=cronjob/{trio}-snapshot", "now")

    async def said(condition: str) -> Any:
        status = ((await management.get(kinds.DATA_STORE_POOL, trio)) or {}).get("status") or {}
        return find(status.get("conditions"), condition) or {}

    async def saved() -> bool:
        found = await said("SnapshotsTaken")
        assert found.get("status") != "False", found
        return found.get("status") == "True"

    await until(saved, "a snapshot is kept", PATIENCE)
    await until_condition(management, manifest, "Ready")
    session = await tenant_session(management, "onward", namespace)
    await session.create(meta.new(kinds.CONFIG_MAP, "kept", "default", data={"what": "survives"}))
    await management.merge(kinds.DATA_STORE_POOL, trio, None, {"spec": {"version": NEXT}}, manager="e2e")
    loop = asyncio.get_running_loop()
    heard, longest = loop.time(), 0.0

    async def upgraded() -> bool:
        nonlocal heard, longest
        with contextlib.suppress(ApiError, TimeoutError):
            async with asyncio.timeout(5):
                assert ((await session.get(kinds.CONFIG_MAP, "kept", "default")) or {})["data"] == {"what": "survives"}
                longest, heard = max(longest, loop.time() - heard), loop.time()
        found = await said("Updated")
        return found.get("status") == "True" and NEXT in found["message"] and await ready(management)

    await until(upgraded, "all members run the next minor", PATIENCE)
    assert max(longest, loop.time() - heard) < SILENCE

    async def looked_at() -> bool:
        return ((await management.get(kinds.DATA_STORE, trio)) or {}).get("status", {}).get("version") == NEXT

    await until(looked_at, "the DataStore says its version, by which isolation is tried anew")
    await asyncio.sleep(3)
    await until_condition(management, manifest, "StorageIsolated")
    await until_condition(management, manifest, "Ready")
    await session.close()
    await management.delete(kinds.PERSISTENT_VOLUME_CLAIM, BACKUPS, NAMESPACE)
