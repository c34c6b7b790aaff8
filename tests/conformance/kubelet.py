"""In the place of kubelets: Nodes in the tenant, which is the very API server here, for machines that run nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lab.bench.scale import nodes
from lab.infrastructure.kinds import MACHINE
from provider.api import kinds
from provider.api.kinds import Kind
from tests.conformance.world import World


async def register(world: World, machines: Kind) -> None:
    """A ready Node for each infrastructure machine that has a provider ID and no Node yet, of its Machine's version."""
    there = {each["metadata"]["name"] for each in await world.everybody.list(kinds.NODE)}
    for each in await world.everybody.list(machines, world.namespace):
        name = each["metadata"]["name"]
        if nodes.booted(each) and name not in there and (machine := await world.get(MACHINE, name)) is not None:
            await nodes.register(world.everybody, each, machine["spec"]["version"])


@asynccontextmanager
async def running(world: World, machines: Kind) -> AsyncIterator[None]:
    """As long as the block: whatever machine comes registers itself."""

    async def always() -> None:
        while True:
            await register(world, machines)
            await asyncio.sleep(0.5)

    task = asyncio.create_task(always())
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
