"""A tenant moves to another etcd and back while a client reads it and another writes: nothing that was acknowledged is lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from lab.bench.asking import asking
from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.manifest import Manifest, meta
from tests.e2e.conftest import kubectl, lingering, tenant, tenant_session, until, until_condition

OTHER = "elsewhere"
PATIENCE = 600.0


@pytest.fixture
def other() -> Iterator[str]:
    """Another etcd, of a pool that places nobody."""
    spec = {"storage": {"size": "1Gi"}, "tenantSelector": {"matchLabels": {"nobody": "at-all"}}}
    kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(meta.new(kinds.DATA_STORE_POOL, OTHER, spec=spec)))
    kubectl("wait", "--for=create", f"datastore/{OTHER}", "--timeout=300s")
    kubectl("wait", "--for=jsonpath={.status.ready}=true", f"datastore/{OTHER}", "--timeout=300s")
    yield OTHER
    kubectl("delete", "datastorepool", OTHER, "--wait=true", "--timeout=300s")


@asynccontextmanager
async def writing(session: Cluster) -> AsyncIterator[list[str]]:
    """Objects made one after another, as fast as they are acknowledged; the names of those that were."""
    acknowledged: list[str] = []

    async def write() -> None:
        for number in range(100_000):
            name = f"written-{number}"
            with contextlib.suppress(ApiError):  # what was not acknowledged may be there or not
                await session.create(meta.new(kinds.CONFIG_MAP, name, "default", data={"number": str(number)}))
                acknowledged.append(name)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(write())
    try:
        yield acknowledged
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def moved(management: Cluster, manifest: Manifest, to: str) -> None:
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    patch = {"spec": {"dataStore": to}}
    await management.merge(kinds.TENANT_CONTROL_PLANE, name, namespace, patch, manager="e2e")

    async def there() -> bool:
        found = await management.get(kinds.TENANT_CONTROL_PLANE, name, namespace)
        assert found is not None
        return bool(found["status"]["storage"]["dataStoreName"] == to)

    await until(there, f"its keys are in {to}", PATIENCE)
    await until_condition(management, manifest, "Migrated", patience=PATIENCE)
    await until_condition(management, manifest, "Ready", patience=PATIENCE)


@pytest.mark.alone
@pytest.mark.keeps("better.migration-race")
async def test_a_tenant_moves_there_and_back_and_nothing_acknowledged_is_lost(
    management: Cluster, other: str, namespace: str
) -> None:
    manifest = tenant("mover", namespace, dataStore="default", controlPlane=lingering())
    await management.apply(manifest, manager="e2e")
    await until_condition(management, manifest, "Ready")
    secret = await management.get(kinds.SECRET, names.admin_kubeconfig_secret("mover"), namespace)
    session = await tenant_session(management, "mover", namespace)
    async with asking(meta.decoded(secret)["admin.svc"]) as answers, writing(session) as acknowledged:
        await until_written(acknowledged)
        await moved(management, manifest, other)
        await until_written(acknowledged)
        await moved(management, manifest, "default")
        await until_written(acknowledged)
    answers.faultless()
    assert set(acknowledged) <= await kept(session)
    await session.close()


async def kept(session: Cluster) -> set[str]:
    """Names of what is there, once somebody tells."""
    found = await until(lambda: session.list(kinds.CONFIG_MAP, "default"), "the objects are listed")
    return {each["metadata"]["name"] for each in found}


async def until_written(acknowledged: list[str]) -> None:
    """Writing goes on."""
    before = len(acknowledged)

    async def more() -> bool:
        return len(acknowledged) >= before + 20

    await until(more, "twenty more objects", PATIENCE)
