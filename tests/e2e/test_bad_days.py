"""Bad days: the provider is killed at random moments, a tenant is deleted before it was ready; all converges."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import pytest

from lab.datastore import default_store
from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.manifest import Manifest
from tests.e2e.conftest import kubectl, tenant, tenant_session, until, until_condition

SEED = 20261124  # the moments are random once, and the same in every run
MOMENTS = [round(random.Random(SEED + each).uniform(0.0, 6.0), 2) for each in range(10)]


def kill_the_provider() -> None:
    """SIGKILL: no time to say good-bye."""
    selector = "cluster.x-k8s.io/provider=control-plane-kamaji"
    kubectl("delete", "pod", "-n", "kamaji-system", "-l", selector, "--grace-period=0", "--force")


async def begun(acts: Sequence[Callable[[], Awaitable[object]]], before: Sequence[float]) -> None:
    """Each act is begun so many seconds before this returns."""

    async def wait_and_act(act: Callable[[], Awaitable[object]], seconds: float) -> None:
        await asyncio.sleep(max(before) - seconds)
        await act()

    await asyncio.gather(asyncio.sleep(max(before)), *map(wait_and_act, acts, before))


async def serves(management: Cluster, victim: Manifest) -> dict[str, str]:
    """Once it does: where it lies in the store."""
    name, namespace = victim["metadata"]["name"], victim["metadata"]["namespace"]
    await until_condition(management, victim, "Ready")
    session = await tenant_session(management, name, namespace)
    assert await session.text("/readyz") == "ok"
    await session.close()
    tcp = await management.get(kinds.TENANT_CONTROL_PLANE, name, namespace)
    assert tcp is not None
    setup: dict[str, str] = tcp["status"]["storage"]["setup"]
    return setup


@pytest.mark.parametrize(
    "moments",
    [
        pytest.param(MOMENTS[::2], id="five moments"),
        pytest.param(MOMENTS[1::2], id="five others", marks=pytest.mark.nightly),
    ],
)
async def test_killed_in_the_midst_of_a_birth_and_of_a_death_the_provider_goes_on(
    management: Cluster, namespace: str, moments: list[float]
) -> None:
    """Of several at once, each at another moment of its life: who takes over has to go on with all of them."""
    names_of = [f"victim-{number}" for number in range(len(moments))]
    victims = [tenant(each, namespace) for each in names_of]
    await begun([partial(management.apply, each, manager="e2e") for each in victims], moments)
    kill_the_provider()
    setups = await asyncio.gather(*(serves(management, each) for each in victims))

    deaths = [partial(management.delete, kinds.TENANT_CONTROL_PLANE, each, namespace) for each in names_of]
    await begun(deaths, [each / 4 for each in moments])
    kill_the_provider()

    async def gone() -> bool:
        return not await management.list(kinds.TENANT_CONTROL_PLANE, namespace)

    await until(gone, "the tenants are gone")
    async with default_store(management) as store:
        for setup in setups:
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
