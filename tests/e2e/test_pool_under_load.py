"""A pool's life in pods: filled, grown, a member lost, all of it the next minor of etcd, while its tenants are asked and write.

The same in processes, at a closer look, is tests/integration/test_pool_under_load.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from lab.bench.asking import asking
from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.manifest import meta
from provider.manifest.condition import find
from tests.e2e.conftest import kubectl, tenant, tenant_session, until, until_condition
from tests.e2e.test_migration import kept, until_written, writing
from tests.e2e.test_pool import NAMESPACE, NEXT, PATIENCE, lost, ready

pytestmark = pytest.mark.nightly

POOL, SECOND = "laden", "laden-2"
STORES = (POOL, SECOND)
LABELS = {"e2e-pool": POOL}
TOOK = 2  # tenants in one store
SILENCE = 20.0  # seconds for which a tenant may answer nothing: an election takes one or two, a busy machine the rest
ENDS = 1 + 3 + 3  # members that end: the lost one, and each of both stores for its other version


@pytest.fixture
def pool() -> Iterator[str]:
    """Two stores of three members at most; gone with everything in it afterwards."""
    spec = {
        "members": 3,
        "maxStores": 2,
        "storage": {"size": "1Gi"},
        "tenantSelector": {"matchLabels": LABELS},
        "placement": {"maxTenants": TOOK},
    }
    kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(meta.new(kinds.DATA_STORE_POOL, POOL, spec=spec)))
    yield POOL
    kubectl("delete", "datastorepool", POOL, "--wait=true", "--timeout=600s")


async def born(management: Cluster, name: str, namespace: str) -> str:
    """It is Ready; the store that it was placed in."""
    manifest = tenant(name, namespace)
    manifest["metadata"]["labels"] = LABELS
    await management.apply(manifest, manager="e2e")
    await until_condition(management, manifest, "Ready", patience=PATIENCE)
    found = await management.get(kinds.TENANT_CONTROL_PLANE, name, namespace)
    assert found is not None
    return str(found["status"]["storage"]["dataStoreName"])


@asynccontextmanager
async def at_work(management: Cluster, name: str, namespace: str) -> AsyncIterator[None]:
    """It is asked and written to until the block ends; then it has answered all the while, and nothing acknowledged is lost."""
    secret = await management.get(kinds.SECRET, names.admin_kubeconfig_secret(name), namespace)
    session = await tenant_session(management, name, namespace)
    try:
        async with asking(meta.decoded(secret)["admin.svc"]) as answers, writing(session) as acknowledged:
            await until_written(acknowledged)
            yield
            await until_written(acknowledged)
        assert answers.good > 50, "it was asked all the time"
        assert answers.silence < SILENCE
        # A question whose member ends under it may fail, one an end; an outage of a second would be ten.
        assert len(answers.errors) <= ENDS, answers.errors
        assert set(acknowledged) <= await kept(session)
    finally:
        await session.close()


async def runs(management: Cluster, store: str, version: str) -> bool:
    """All three members of the store do, and its DataStore says so."""
    pods = await management.list(kinds.POD, NAMESPACE, labels={names.LABEL_STORE: store})
    images = [str(each["spec"]["containers"][0]["image"]) for each in pods]
    said = ((await management.get(kinds.DATA_STORE, store)) or {}).get("status") or {}
    etcds = [each for each in images if each.startswith("quay.io/coreos/etcd:")]
    return etcds == [f"quay.io/coreos/etcd:v{version}"] * 3 and said.get("version") == version and bool(said["ready"])


@pytest.mark.keeps("better.pool-life", "better.rolling-upgrade")
async def test_a_pool_is_filled_grows_loses_a_member_and_becomes_the_next_minor_while_its_tenants_answer(
    management: Cluster, pool: str, namespace: str
) -> None:
    async with AsyncExitStack() as stack:
        assert await born(management, "first", namespace) == POOL
        await stack.enter_async_context(at_work(management, "first", namespace))

        assert await born(management, "filler", namespace) == POOL
        assert await born(management, "second", namespace) == SECOND, "it has grown"
        await stack.enter_async_context(at_work(management, "second", namespace))
        await until(lambda: ready(management, pool), "both stores are ready", PATIENCE)

        another = await lost(management, f"{POOL}-etcd-1")

        async def replaced() -> bool:
            return await another() and await ready(management, pool)

        await until(replaced, "the member is replaced", PATIENCE)

        await management.merge(kinds.DATA_STORE_POOL, pool, None, {"spec": {"version": NEXT}}, manager="e2e")

        async def upgraded() -> bool:
            status = ((await management.get(kinds.DATA_STORE_POOL, pool)) or {}).get("status") or {}
            updated = (find(status.get("conditions"), "Updated") or {}).get("status") == "True"
            run = await asyncio.gather(*(runs(management, each, NEXT) for each in STORES))
            return updated and all(run) and await ready(management, pool)

        await until(upgraded, "both stores run the next minor", 2 * PATIENCE)
    for name in ("first", "filler", "second"):
        await until_condition(management, tenant(name, namespace), "StorageIsolated")
        await until_condition(management, tenant(name, namespace), "Ready")
