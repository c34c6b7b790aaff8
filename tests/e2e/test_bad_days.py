"""Bad days: the provider is killed at random moments, a tenant is deleted before it was ready; all converges."""

from __future__ import annotations

import asyncio
import random

import pytest

from lab.datastore import default_store
from provider.api import kinds, names
from provider.cluster.client import Cluster
from tests.e2e.conftest import kubectl, tenant, tenant_session, until, until_condition

SEED = 20261124  # the moments are random once, and the same in every run


def kill_the_provider() -> None:
    """SIGKILL: no time to say good-bye."""
    selector = "cluster.x-k8s.io/provider=control-plane-kamaji"
    kubectl("delete", "pod", "-n", "kamaji-system", "-l", selector, "--grace-period=0", "--force")


@pytest.mark.parametrize("moment", [round(random.Random(SEED + i).uniform(0.0, 6.0), 2) for i in range(10)])
async def test_killed_in_the_midst_of_a_birth_and_of_a_death_the_provider_goes_on(
    management: Cluster, namespace: str, moment: float
) -> None:
    manifest = tenant("victim", namespace)
    await management.apply(manifest, manager="e2e")
    await asyncio.sleep(moment)
    kill_the_provider()
    await until_condition(management, manifest, "Ready")
    session = await tenant_session(management, "victim", namespace)
    assert await session.text("/readyz") == "ok"
    await session.close()

    tcp = await management.get(kinds.TENANT_CONTROL_PLANE, "victim", namespace)
    assert tcp is not None
    setup = tcp["status"]["storage"]["setup"]
    await management.delete(kinds.TENANT_CONTROL_PLANE, "victim", namespace)
    await asyncio.sleep(moment / 4)
    kill_the_provider()

    async def gone() -> bool:
        return await management.get(kinds.TENANT_CONTROL_PLANE, "victim", namespace) is None

    await until(gone, "the tenant is gone")
    async with default_store(management) as store:
        assert await store.count(setup["schema"]) == 0
        assert setup["user"] not in await store.users()
        assert setup["schema"] not in await store.roles()


async def test_a_tenant_deleted_before_it_was_ready_is_gone(management: Cluster, namespace: str) -> None:
    manifest = tenant("early", namespace)
    await management.apply(manifest, manager="e2e")
    await asyncio.sleep(0.5)
    await management.delete(kinds.TENANT_CONTROL_PLANE, "early", namespace)

    async def gone() -> bool:
        left = await management.list(kinds.POD, namespace, labels={names.LABEL_NAME: "early"})
        return not left and await management.get(kinds.TENANT_CONTROL_PLANE, "early", namespace) is None

    await until(gone, "the tenant and its pods are gone")
