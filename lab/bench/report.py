"""Runs the measurements in one go, prints the table, and keeps it: `make bench`. With `--docs` docs/benchmarks/ is made of it.

Births are measured in the lab, with real pods. What needs no pods, or more of them than a machine carries, runs on loopback;
each row says what in it is not the real thing. A goal that was missed is named, and the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
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
PARTS = ("command", "births", "stores", "weight", "scale", "clusters")
CROWDS = 2
HEAD = """\
# Benchmarks

`make bench` measures these beside their goals, each by the median; ratios are to the floor, a bare kube-apiserver from its
start to /readyz in the same run. This page and the pictures are of one run of `lab bench --docs`.

"""
NOT_MET = """
## Goals that are not met, and why

"""


@dataclass
class Measured:
    """Everything of one run."""

    base: float  # the floor, in seconds
    rows: list[Row] = field(default_factory=list)
    restarts: int = 0  # of containers of measured control planes


async def measure(
    console: Console, parts: Sequence[str] = PARTS, *, runs: int = RUNS, twenty: bool = False
) -> Measured:
    """The floor, and the parts asked for."""
    base = await _floor(console, runs)
    found = Measured(statistics.median(base), [Row("bare kube-apiserver to /readyz (the floor)", tuple(base))])
    if "command" in parts:
        found.rows.append(await asyncio.to_thread(command.row, runs))
    if "births" in parts:
        await _births(console, found, runs, twenty=twenty)
    if "stores" in parts:
        found.rows += await _stores(console, runs)
    if "weight" in parts:
        console.print("the weight of an idle control plane")
        found.rows += await weight.rows(runs)
    if "scale" in parts:
        found.rows += await scale.rows(console, runs=runs)
    if "clusters" in parts:
        found.rows += (await clusters.lived(clusters.COUNT, console)).rows()
    return found


async def _births(console: Console, found: Measured, runs: int, *, twenty: bool) -> None:
    management = await from_file(os.environ["KUBECONFIG"])
    births, single, whole = Births(management=management, version=VERSION), list[Birth](), list[Birth]()
    try:
        await births.at_once(1)  # warms caches of the page and of the image, counts for nothing
        for number in range(runs):
            single += await births.at_once(1)
            console.print(f"one control plane, run {number + 1}: joinable after {single[-1].joinable:.1f} s")
        for _ in range(runs):
            whole += await births.at_once(1, whole=True)
        five = await births.at_once(5)
        woken = await births.waking(runs)
        found.rows += [
            Row("one: kubeconfig works", tuple(each.kubeconfig_works for each in single)),
            Row("one: joinable", tuple(each.joinable for each in single), 1.5),
            Row("one with konnectivity and all add-ons: joinable", tuple(each.joinable for each in whole), 1.8),
            Row("asleep to joinable", tuple(woken), 2.0),
            Row("five at once: the last is joinable", (max(each.joinable for each in five),), 8.0),
        ]
        console.print("a minor up, while a client asks")
        found.rows += await rollout.rows(births, runs)
        found.restarts += _restarts([*single, *whole, *five])
        if twenty:
            found.rows += await _twenty(found, births)
    finally:
        await births.leave()
        await management.close()


async def _stores(console: Console, runs: int) -> list[Row]:
    console.print("what tenants cost each other in their store")
    ratios = [(await crowd.measured()).ratio for _ in range(CROWDS)]
    return [
        Row(crowd.WHAT, tuple(ratios), limit=crowd.LIMIT, unit="times"),
        Row(placement.WHAT, tuple(placement.seconds() for _ in range(runs)), limit=placement.LIMIT),
    ]


async def _twenty(found: Measured, births: Births) -> list[Row]:
    """And what the tenant that ran before sees of it."""
    born, seen = await births.beside_one(20)
    found.restarts += _restarts(born) + seen.restarts
    return [
        Row("twenty at once: the last is joinable", (max(each.joinable for each in born),), 30.0),
        Row("twenty at once: p99 of a tenant that ran before", (percentile(seen.answers, 0.99),), limit=1.0),
    ]


async def _floor(console: Console, runs: int) -> list[float]:
    base = []
    for _ in range(runs):
        base.append(await floor.seconds())
        console.print(f"floor: {base[-1]:.2f} s")
    return base


def _restarts(births: Sequence[Birth]) -> int:
    return sum(each.restarts for each in births)


def show(console: Console, found: Measured) -> bool:
    """Print the table, and of each goal that was missed why. Whether all were met."""
    console.print(table(found.rows, found.base))
    restarts = f"restarts of control-plane containers in these runs: {found.restarts} (goal 0)"
    console.print(restarts)
    missed = [*map(str, reasons.missed(found.rows, found.base)), *([restarts] if found.restarts else [])]
    for each in missed:
        console.print(f"goal missed: {each}", style="red", soft_wrap=True)
    return not missed


def keep(folder: Path, found: Measured) -> None:
    """The page, the figures and a picture of each, in place of those of an earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = "".join(f"\n![{name}]({name})\n" for name in picture.drawn(found.rows, found.base))
    restarts = f"\nRestarts of control-plane containers in this run: {found.restarts}.\n"
    why = "".join(f"- {each}\n" for each in reasons.missed(found.rows, found.base))
    (folder / "README.md").write_text(
        HEAD + markdown(found.rows, found.base) + restarts + (NOT_MET + why if why else "") + pictures
    )
    figures = {row.what: list(row.figures) for row in found.rows}
    told = {"figures": figures, "restarts": found.restarts}
    (folder / "figures.json").write_text(json.dumps(told, indent=1) + "\n")
    picture.write(folder, found.rows, found.base)


def main() -> int:
    """Measure, print, and with `--docs` keep. 1 when a goal was missed."""
    parser = argparse.ArgumentParser(prog="lab.bench.report")
    parser.add_argument("parts", nargs="*", default=PARTS, help=f"of {', '.join(PARTS)}; none: all")
    parser.add_argument("--twenty", action="store_true", help="twenty at once too, which takes minutes")
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks/")
    parsed, console = parser.parse_args(), Console()
    found = asyncio.run(measure(console, parsed.parts, twenty=parsed.twenty))
    met = show(console, found)
    if parsed.docs:
        keep(DOCS, found)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
