"""A tenant that is asked much is given more without a restart; at its fixed size it starves where the node is busy."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.manifest import Manifest, meta, quantity
from tests.e2e.conftest import kubectl, tenant, tenant_session, until, until_condition
from tests.e2e.served import AGNHOST

pytestmark = pytest.mark.nightly

NAME = "growing"
CLIENTS, SECONDS = 4, 15.0
MAPS, SIZE = 200, 4000


async def the_pod(management: Cluster, namespace: str) -> Manifest:
    (found,) = await management.list(kinds.POD, namespace, labels={names.LABEL_NAME: NAME})
    return found


def of_api_server(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return next(each for each in entries if each["name"] == "kube-apiserver")


async def given(management: Cluster, namespace: str) -> int:
    """Thousandths of a core that the kubelet says the API server's container has."""
    status = of_api_server((await the_pod(management, namespace))["status"]["containerStatuses"])
    return quantity.milli(status["resources"]["requests"]["cpu"])


async def hog(management: Cluster, namespace: str, node: str) -> None:
    """A neighbour that takes all the CPU it gets, and asks for a core."""
    container = {
        "name": "hog",
        "image": AGNHOST,
        "args": ["stress", "--cpus", "2"],
        "resources": {"requests": {"cpu": "1"}},
    }
    spec = {"nodeName": node, "containers": [container], "terminationGracePeriodSeconds": 0}
    await management.apply(meta.new(kinds.POD, "hog", namespace, spec=spec), manager="e2e")

    async def runs() -> bool:
        found = await management.get(kinds.POD, "hog", namespace)
        return bool(found and (found.get("status") or {}).get("phase") == "Running")

    await until(runs, "the neighbour runs")


async def answers(session: Cluster) -> list[float]:
    """How long each of the answers took that so many clients got in so many seconds."""
    found: list[float] = []
    end = time.monotonic() + SECONDS

    async def ask() -> None:
        while (start := time.monotonic()) < end:
            with contextlib.suppress(ApiError):  # who starves may not answer at all: that is a long answer, too
                await session.list(kinds.CONFIG_MAP, "default")
            found.append(time.monotonic() - start)

    await asyncio.gather(*(ask() for _ in range(CLIENTS)))
    return found


@contextlib.asynccontextmanager
async def served(management: Cluster, namespace: str) -> AsyncIterator[Cluster]:
    """A tenant whose lists are long, and a connection to it."""
    wanted = await management.apply(tenant(NAME, namespace), manager="e2e")
    await until_condition(management, wanted, "Ready")
    session = await tenant_session(management, NAME, namespace)
    maps = [meta.new(kinds.CONFIG_MAP, f"load-{each}", "default", data={"x": "x" * SIZE}) for each in range(MAPS)]
    for some in (maps[each : each + 20] for each in range(0, MAPS, 20)):
        await asyncio.gather(*(session.create(each) for each in some))
    yield session
    await session.close()


async def grown(management: Cluster, namespace: str, session: Cluster, least: int) -> None:
    """Let it be asked until its API server's container has so many thousandths of a core."""
    bounds = {"apiServer": {"cpu": {"max": "1500m"}}}
    await management.apply(meta.new(kinds.TENANT_AUTOSCALER, NAME, namespace, spec=bounds), manager="e2e")
    loading = asyncio.create_task(under_load(session))

    async def enough() -> bool:
        return await given(management, namespace) >= least

    try:
        await until(enough, f"the API server's container has {least} m of CPU", patience=900)
    finally:
        loading.cancel()
        await asyncio.gather(loading, return_exceptions=True)


async def under_load(session: Cluster) -> None:
    while True:
        await answers(session)


def unmoved(before: Manifest, after: Manifest) -> bool:
    """Whether it is the same pod, and nothing in it was started again."""
    again = [each["restartCount"] for each in after["status"]["containerStatuses"]]
    return bool(after["metadata"]["uid"] == before["metadata"]["uid"]) and again == [0, 0, 0]


@pytest.mark.keeps("better.vertical")
async def test_a_loaded_tenant_is_given_more_in_the_pod_that_runs(management: Cluster, namespace: str) -> None:
    async with served(management, namespace) as session:
        before = await the_pod(management, namespace)
        await grown(management, namespace, session, 2 * await given(management, namespace))
        assert unmoved(before, await the_pod(management, namespace))

        async def told() -> str:
            said = ("get", "tas", NAME, "-n", namespace, "-o", "jsonpath={.status.requests.apiServer.cpu}")
            return await asyncio.to_thread(kubectl, *said)

        await until(told, "the TenantAutoscaler says what it gave")


@pytest.mark.soak  # it takes the node's CPU away from whatever else is tried there
async def test_a_loaded_tenant_starves_at_its_fixed_size_and_does_not_when_it_grows(
    management: Cluster, namespace: str
) -> None:
    async with served(management, namespace) as session:
        before = await the_pod(management, namespace)
        await hog(management, namespace, before["spec"]["nodeName"])
        starved = await answers(session)
        await grown(management, namespace, session, 500)
        fed = await answers(session)
        assert statistics.median(fed) * 2 < statistics.median(starved), "seconds an answer takes"
        assert len(fed) > 2 * len(starved)
        assert unmoved(before, await the_pod(management, namespace))
