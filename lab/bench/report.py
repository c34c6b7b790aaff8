"""Runs the measurements, prints the table, and keeps it: `make bench`. With `--docs` docs/benchmarks/ is made of it.

Births are measured in the lab, with real pods. What needs no pods, or more of them than a machine carries, runs on loopback;
each row says what in it is not the real thing. A goal that was missed is named, and the exit status is 1 then. Each part is
kept with the floor of the run in which it was measured, so one of them can be measured anew without the hour that all take.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from lab.bench import command, crowd, floor, picture, placement, reasons, rollout, weight
from lab.bench.births import Birth, Births
from lab.bench.scale import clusters
from lab.bench.scale import measure as scale
from lab.bench.table import Row, markdown, percentile, table
from provider.cluster.connect import from_file

VERSION = "v1.36.3"
RUNS = 5
DOCS = Path(__file__).parents[2] / "docs" / "benchmarks"
FIGURES = "figures.json"
TWENTY = "twenty"
PARTS = {
    "command": "The command line",
    "births": "Births, waking, and a minor up, in pods",
    TWENTY: "Twenty births at once, in pods",
    "stores": "Tenants of one store, and placement",
    "weight": "The weight of an idle control plane",
    "scale": "The provider with many tenants",
    "clusters": "A hundred Clusters of Cluster API",
}
FLOOR = "bare kube-apiserver to /readyz (the floor)"
CROWDS = 2
HEAD = """\
# Benchmarks

`make bench` measures these beside their goals, each by the median; ratios are to the floor, a bare kube-apiserver from its
start to /readyz in the same run. This page and the pictures are made by `lab bench --docs`.
"""
NOT_MET = """
## Goals that are not met, and why

"""


@dataclass(frozen=True)
class Part:
    """What one part came to."""

    floor: tuple[float, ...]  # seconds, of the run in which it was measured
    rows: tuple[Row, ...]
    restarts: int = 0  # of containers of measured control planes

    @property
    def base(self) -> float:
        """The median of the floor."""
        return statistics.median(self.floor)


Parts = Mapping[str, Part]
"""By name, in the order of `PARTS`."""


async def measure(console: Console, parts: Sequence[str], *, runs: int = RUNS) -> Parts:
    """The floor, and the parts asked for."""
    base = await _floor(console, runs)
    found = dict[str, Part]()
    for name in (each for each in PARTS if each in parts):
        console.print(PARTS[name])
        rows, restarts = await _of(name, console, runs)
        found[name] = Part(base, tuple(rows), restarts)
    return found


async def _of(part: str, console: Console, runs: int) -> tuple[Sequence[Row], int]:
    if part == "command":
        return [await asyncio.to_thread(command.row, runs)], 0
    if part == "births":
        return await _births(console, runs)
    if part == TWENTY:
        return await _twenty()
    return await _on_loopback(part, console, runs), 0


async def _on_loopback(part: str, console: Console, runs: int) -> Sequence[Row]:
    if part == "stores":
        return await _stores(runs)
    if part == "weight":
        return await weight.rows(runs)
    if part == "scale":
        return await scale.rows(console, runs=runs)
    assert part == "clusters", part
    return (await clusters.lived(clusters.COUNT, console)).rows()


@asynccontextmanager
async def _lab() -> AsyncIterator[Births]:
    management = await from_file(os.environ["KUBECONFIG"])
    births = Births(management=management, version=VERSION)
    try:
        await births.at_once(1)  # warms caches of the page and of the image, counts for nothing
        yield births
        await births.leave()
    finally:
        await management.close()


async def _births(console: Console, runs: int) -> tuple[Sequence[Row], int]:
    single, whole = list[Birth](), list[Birth]()
    async with _lab() as births:
        for number in range(runs):
            single += await births.at_once(1)
            console.print(f"one control plane, run {number + 1}: joinable after {single[-1].joinable:.1f} s")
        for _ in range(runs):
            whole += await births.at_once(1, whole=True)
        five = await births.at_once(5)
        woken = await births.waking(runs)
        console.print("a minor up, while a client asks")
        rolled = await rollout.rows(births, runs)
    rows = [
        Row("one: kubeconfig works", tuple(each.kubeconfig_works for each in single)),
        Row("one: joinable", tuple(each.joinable for each in single), 1.5),
        Row("one with konnectivity and all add-ons: joinable", tuple(each.joinable for each in whole), 1.8),
        Row("asleep to joinable", tuple(woken), 2.0),
        Row("five at once: the last is joinable", (max(each.joinable for each in five),), 8.0),
        *rolled,
    ]
    return rows, _restarts([*single, *whole, *five])


async def _twenty() -> tuple[Sequence[Row], int]:
    """And what the tenant that ran before sees of it."""
    async with _lab() as births:
        born, seen = await births.beside_one(20)
    rows = [
        Row("twenty at once: the last is joinable", (max(each.joinable for each in born),), 30.0),
        Row("twenty at once: p99 of a tenant that ran before", (percentile(seen.answers, 0.99),), limit=1.0),
    ]
    return rows, _restarts(born) + seen.restarts


async def _stores(runs: int) -> Sequence[Row]:
    ratios = [(await crowd.measured()).ratio for _ in range(CROWDS)]
    return [
        Row(crowd.WHAT, tuple(ratios), limit=crowd.LIMIT, unit="times"),
        Row(placement.WHAT, tuple(placement.seconds() for _ in range(runs)), limit=placement.LIMIT),
    ]


async def _floor(console: Console, runs: int) -> tuple[float, ...]:
    base = []
    for _ in range(runs):
        base.append(await floor.seconds())
        console.print(f"floor: {base[-1]:.2f} s")
    return tuple(base)


def _restarts(births: Sequence[Birth]) -> int:
    return sum(each.restarts for each in births)


def show(console: Console, found: Parts) -> bool:
    """Print the tables, and of each goal that was missed why. Whether all were met."""
    for name, part in found.items():
        console.print(PARTS[name])
        console.print(table([Row(FLOOR, part.floor), *part.rows], part.base))
    missed = _missed(found)
    for each in missed:
        console.print(f"goal missed: {each}", style="red", soft_wrap=True)
    return not missed


def _missed(found: Parts) -> list[str]:
    told = list[str]()
    for name, part in found.items():
        told += map(str, reasons.missed(part.rows, part.base))
        if part.restarts:
            told.append(f"{PARTS[name]}: restarts of control-plane containers: {part.restarts} (goal 0)")
    return told


def kept(folder: Path) -> Parts:
    """What was measured before."""
    file = folder / FIGURES
    told = json.loads(file.read_text()) if file.exists() else {}
    return {
        name: Part(
            tuple(each["floor"]),
            tuple(Row(**(row | {"figures": tuple(row["figures"])})) for row in each["rows"]),
            each["restarts"],
        )
        for name, each in told.items()
    }


def keep(folder: Path, found: Parts) -> None:
    """The page, the figures and a picture of each: of these parts, and of all others as they were measured before."""
    folder.mkdir(parents=True, exist_ok=True)
    known = {**kept(folder), **found}
    parts = {name: known[name] for name in PARTS if name in known}
    (folder / FIGURES).write_text(json.dumps({name: asdict(each) for name, each in parts.items()}, indent=1) + "\n")
    pictures = picture.write(folder, [(each.rows, each.base) for each in parts.values()])
    sections = (_section(name, each) for name, each in parts.items())
    why = "".join(f"- {each}\n" for each in _missed(parts))
    shown = "".join(f"\n![{name}]({name})\n" for name in pictures)
    (folder / "README.md").write_text(HEAD + "".join(sections) + (NOT_MET + why if why else "") + shown)


def _section(name: str, part: Part) -> str:
    restarts = "" if name not in ("births", TWENTY) else f"\nRestarts of control-plane containers: {part.restarts}.\n"
    return f"\n## {PARTS[name]}\n\n{markdown([Row(FLOOR, part.floor), *part.rows], part.base)}{restarts}"


def main() -> int:
    """Measure, print, and with `--docs` keep. 1 when a goal was missed."""
    parser = argparse.ArgumentParser(prog="lab.bench.report")
    everyday = tuple(each for each in PARTS if each != TWENTY)
    parser.add_argument("parts", nargs="*", default=everyday, help=f"of {', '.join(PARTS)}; none: all but {TWENTY}")
    parser.add_argument("--twenty", action="store_true", help="twenty at once too, which takes minutes")
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks/")
    parsed, console = parser.parse_args(), Console()
    if unknown := set(parsed.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}: it is one of {', '.join(PARTS)}")
    found = asyncio.run(measure(console, [*parsed.parts, *([TWENTY] if parsed.twenty else [])]))
    met = show(console, found)
    if parsed.docs:
        keep(DOCS, found)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
