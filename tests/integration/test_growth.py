"""A short form of `make bench`'s growth: what each tenant more costs the provider, with room for a busy machine.

Measured on a quiet one: 0.3 MiB a tenant and 0.05 mCPU. Before all of a tenant's watches shared a connection it was 7 MiB.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from lab.bench.scale.world import World, started

FEW, MANY = 5, 25
WINDOW = 20.0


async def grown(world: World, numbers: range) -> None:
    await world.tenants(numbers)
    async with asyncio.timeout(600):
        while await world.ready() < numbers.stop:
            await asyncio.sleep(1)
    await world.provider.at_rest(0)


@pytest.mark.nightly
@pytest.mark.keeps("better.workers")
async def test_a_tenant_more_costs_little_and_a_provider_that_starts_again_writes_nothing_to_tenants_that_stand(
    tmp_path: Path,
) -> None:
    async with started(tmp_path, MANY) as world:
        world.provider.start()
        await grown(world, range(FEW))
        few = world.provider.reading()
        await grown(world, range(FEW, MANY))
        many, written, since = world.provider.reading(), world.writes(), time.monotonic()
        assert (many.anonymous - few.anonymous) / (MANY - FEW) < 1.5, "MiB of memory a tenant"
        await asyncio.sleep(WINDOW)
        spent = (world.provider.reading().cpu - many.cpu) / (time.monotonic() - since)
        assert spent / MANY < 0.002, "share of a core a tenant takes at rest"
        assert world.writes() == written
        await world.standing(MANY)
        written = world.writes()
        world.provider.stop()
        world.provider.start()
        await world.provider.at_rest(MANY)
        assert await world.provider.passes() <= 3 * MANY, "passes after a restart"
        assert world.writes() == written
        async with asyncio.timeout(300):
            while not await world.provider.passes("sample"):
                await asyncio.sleep(1)
        assert world.writes() == written, "nor by the first sample of what each takes up"
