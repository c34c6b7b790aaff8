"""How the provider grows with its tenants: memory, CPU and writes at rest, a restart, and a hundred born at once.

Also by itself, on any machine with the programs built: `python -m lab.bench.scale.measure 10 100 1000`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console

from lab.bench.scale import metered
from lab.bench.scale.world import World, started
from lab.bench.table import Row, percentile, table

SIZES = (10, 100, 1000)
RUNS = 5
WINDOW = 20.0  # seconds in which idle CPU is counted, so many times
AT_ONCE = 100
MEMORY_GOALS = {100: 150.0, 1000: 400.0}
SIMULATED = "pods: all lead to one kube-apiserver"


async def rows(console: Console, sizes: Sequence[int] = SIZES, runs: int = RUNS) -> list[Row]:
    """Everything, in one world for the growth and another for the births."""
    found: list[Row] = []
    grown: dict[int, list[Row]] = {}
    async with _world(max(sizes)) as world:
        world.provider.start()
        before = 0
        for size in sizes:
            console.print(f"{size} tenants: they are made")
            await _grown(world, range(before, size))
            grown[size] = await _at_rest(world, size, runs)
            found += grown[size]
            before = size
            console.print(f"{size} tenants: {found[-4].middle:.0f} MiB, {found[-2].middle:.3f} mCPU a tenant at rest")
        found += await _restarts(world, before, runs)
    found += growth({size: (each[1].middle, each[2].middle) for size, each in grown.items()})
    found += await born_at_once(AT_ONCE)
    return found


def growth(taken: Mapping[int, tuple[float, float]]) -> list[Row]:
    """Of (MiB, mCPU a tenant) by number of tenants, for the largest: what one more costs, to what it cost before.

    1 is linear, less is better than that. Nothing is said of fewer than three sizes.
    """
    if len(sizes := sorted(taken)) < 3:
        return []
    (few, some, many) = sizes[-3:]
    memory = [(taken[b][0] - taken[a][0]) / (b - a) for a, b in ((few, some), (some, many))]
    what = f"growth from {some} to {many} tenants"
    return [
        Row(
            f"{what}: memory of one more, to that from {few} to {some}",
            (memory[1] / memory[0],),
            None,
            1,
            "times",
            SIMULATED,
        ),
        Row(
            f"{what}: CPU at rest of each, to that before",
            (taken[many][1] / taken[some][1],),
            None,
            1,
            "times",
            SIMULATED,
        ),
    ]


async def born_at_once(number: int) -> list[Row]:
    """So many created in one moment: what the provider's own work for each came to."""
    async with _world(number) as world:
        meter = world.provider.folder / "meter.json"
        world.provider.module, world.provider.extra = metered.__name__, {metered.FILE: str(meter)}
        world.provider.start()
        await world.provider.at_rest(0)
        before = world.provider.reading().cpu
        await _grown(world, range(number))
        spent = world.provider.reading().cpu - before
        world.provider.stop()
        own = list(json.loads(meter.read_text()).values())
    simulated = f"{SIMULATED}; what is written inside is written once for all"
    p99 = percentile(own, 0.99)
    return [
        Row(f"{number} created at once: own time of a tenant's passes", tuple(own), simulated=simulated, limit=0.3),
        Row(f"{number} created at once: the same, p99", (p99,), limit=0.3, simulated=simulated),
        Row(f"{number} created at once: CPU of the provider in all, a tenant", (spent / number,), simulated=simulated),
    ]


@asynccontextmanager
async def _world(count: int) -> AsyncIterator[World]:
    with tempfile.TemporaryDirectory(prefix="capi-kamaji-scale-", ignore_cleanup_errors=True) as name:
        async with started(Path(name), count) as world:
            yield world


async def _grown(world: World, numbers: range) -> None:
    """These are there too, ready, and nothing is left to do."""
    await world.tenants(numbers)
    while await world.ready() < numbers.stop:
        await asyncio.sleep(1)
    await world.provider.at_rest(0)


async def _at_rest(world: World, size: int, runs: int) -> list[Row]:
    """Memory, CPU and writes while nothing happens. What stores are sampled for, every ten minutes, may be in one of them."""
    memory, anonymous, busy, writes = [], [], [], []
    for _ in range(runs):
        before, written, since = world.provider.reading(), _written(world), time.monotonic()
        await asyncio.sleep(WINDOW)
        after = world.provider.reading()
        memory.append(after.resident)
        anonymous.append(after.anonymous)
        busy.append((after.cpu - before.cpu) / (time.monotonic() - since) * 1000 / size)
        writes.append(_written(world) - written)
    at, limit = f"provider at {size} tenants", 0.1 if size >= 1000 else None
    return [
        Row(f"{at}: resident memory", tuple(memory), None, MEMORY_GOALS.get(size), "MiB", SIMULATED),
        Row(f"{at}: anonymous memory", tuple(anonymous), None, None, "MiB", SIMULATED),
        Row(f"{at}: CPU at rest, a tenant", tuple(busy), None, limit, "mCPU", SIMULATED),
        Row(f"{at}: writes at rest in {WINDOW:.0f} s", tuple(writes), None, 0, "writes", SIMULATED),
    ]


async def _restarts(world: World, size: int, runs: int) -> list[Row]:
    """Until all are seen again and nothing is left to do; and what that leaves in memory."""
    seconds, memory, writes = [], [], []
    await world.standing(size)
    for _ in range(runs):
        written = _written(world)
        world.provider.stop()
        world.provider.start()
        seconds.append(await world.provider.at_rest(size))
        memory.append(world.provider.reading().resident)
        writes.append(_written(world) - written)
    goal = MEMORY_GOALS.get(size)
    return [
        Row(f"provider started again: {size} tenants seen and settled", tuple(seconds), None, 60, "s", SIMULATED),
        Row(f"provider started again: resident memory at {size}", tuple(memory), None, goal, "MiB", SIMULATED),
        Row("provider started again: writes", tuple(writes), None, 0, "writes", SIMULATED),
    ]


def _written(world: World) -> int:
    return sum(world.writes().values())


def main() -> None:
    """Print the table alone."""
    console, sizes = Console(), [int(each) for each in sys.argv[1:]] or SIZES
    console.print(table(asyncio.run(rows(console, sizes)), 1.0))


if __name__ == "__main__":
    main()
