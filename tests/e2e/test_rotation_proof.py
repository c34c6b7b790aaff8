"""Everything that signs in a tenant is replaced at once, and the provider is killed while it does so: nobody notices.

Minutes long: the short form of `test_rotation_soak`, where each rotation comes by itself and what lives for minutes is left
to be renewed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from provider.cluster.client import Cluster
from tests.e2e import proofpage, proving, turned
from tests.e2e.conftest import kubectl
from tests.e2e.test_bad_days import kill_the_provider
from tests.e2e.turned import RINGS

SEED = 20261130  # the moments are random once, and the same in every run
LEAST, MOST = 1.0, 15.0  # seconds that it is let live once it is up


@asynccontextmanager
async def restless() -> AsyncIterator[None]:
    """The provider is killed again and again, at any moment after it has come up."""
    moments = random.Random(SEED)
    up = ("-n", "kamaji-system", "rollout", "status", "deployment/kamaji-provider", "--timeout=110s")

    async def kill() -> None:
        while True:
            await asyncio.sleep(moments.uniform(LEAST, MOST))
            await asyncio.to_thread(kill_the_provider)
            await asyncio.to_thread(kubectl, *up)

    task = asyncio.create_task(kill())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.soak  # it asks ten times a second of each kind: beside other tests that is the machine's limit, not the tenant's
@pytest.mark.keeps("better.authority-overlap")
async def test_everything_that_signs_is_replaced_at_once_by_a_provider_that_dies_and_no_client_loses_a_request(
    management: Cluster, namespace: str, pytestconfig: pytest.Config
) -> None:
    async with AsyncExitStack() as stack:
        tenant = await stack.enter_async_context(turned.built(management, namespace, workers=1))
        clients = [*tenant.clients(pytestconfig.getoption("--ask-every")), await tenant.copied()]
        proof = await stack.enter_async_context(proving.at_work(clients))
        async with proof.during("all that signs at once, the provider killed again and again"), restless():
            await tenant.signed(*RINGS)
        if pytestconfig.getoption("--write-proof"):
            proofpage.write(proof.rows)
        proof.faultless()
