"""A hundred Clusters at once before a real API server, and the capi room as a process with its own rights.

The control planes are not real: the tests say in the hosting room's name how they do. So this is about queue, watches and
writes of the capi room, and not about pods.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from provider.api import kinds
from provider.api.kinds import Kind
from tests.conformance.test_doors import running
from tests.conformance.world import VERSION, World

pytestmark = pytest.mark.nightly

COUNT, AT_ONCE = 100, 8
NEWER = "v1.37.1"
PATIENCE = 480.0  # seconds; a bound against hanging for ever, not a claim about speed
WRITTEN = ("kamajicontrolplanes", "tenantcontrolplanes", "secrets", "events")
REQUEST = re.compile(r'^apiserver_request_total\{.*[{,]resource="(\w+)".*,verb="(\w+)".*\} (\d+)', re.MULTILINE)
NAMES = [f"c{number:03}" for number in range(COUNT)]


async def each_of(work: Callable[[str], Awaitable[Any]]) -> None:
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> None:
        async with turns:
            await work(name)

    await asyncio.gather(*map(one, NAMES))


async def until_all(world: World, kind: Kind, so: Callable[[Any], bool], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await world.everybody.list(kind, world.namespace)
                if len([each for each in found if so(each)]) == COUNT:
                    return
                await asyncio.sleep(0.3)
    except TimeoutError as error:
        raise AssertionError(f"{what}: not within {PATIENCE:.0f} s") from error


async def requests(world: World) -> list[tuple[str, str, int]]:
    """Resource, verb and number of the requests since the API server began."""
    found = REQUEST.findall(await world.everybody.text("/metrics"))
    return [(resource, verb, int(count)) for resource, verb, count in found]


async def writes(world: World) -> int:
    """Those that would write one of the kinds that the room writes."""
    reads = ("GET", "LIST", "WATCH")
    return sum(count for resource, verb, count in await requests(world) if resource in WRITTEN and verb not in reads)


async def looks(world: World) -> int:
    """Those that a pass begins with."""
    return sum(count for resource, verb, count in await requests(world) if (resource, verb) == ("clusters", "GET"))


async def until_quiet(world: World) -> None:
    """Until nothing was written for two seconds."""
    before, since = await writes(world), time.monotonic()
    async with asyncio.timeout(PATIENCE):
        while time.monotonic() - since < 2.0:
            await asyncio.sleep(0.2)
            if (now := await writes(world)) != before:
                before, since = now, time.monotonic()


def versions(kcp: Any) -> list[str]:
    return [each["version"] for each in (kcp.get("status") or {}).get("versions") or ()]


async def test_a_hundred_clusters_are_born_scaled_upgraded_and_ended_at_once_and_rest_in_between(world: World) -> None:
    async def made(name: str) -> None:
        await world.cluster(name, kcp=name)
        await world.control_plane(name)
        await world.adopt(name, name)

    with running(world):
        await each_of(made)
        await until_all(world, kinds.TENANT_CONTROL_PLANE, bool, "a tenant for each")
        await each_of(world.host)
        await until_all(
            world,
            kinds.KAMAJI_CONTROL_PLANE,
            lambda each: "initialization" in (each.get("status") or {}),
            "initialized",
        )
        await until_quiet(world)
        before, passes, stands = await writes(world), await looks(world), await world.versions()
        await each_of(
            lambda name: world.annotate(kinds.CLUSTER, name, "example.com/looked-at", "now")
        )  # a pass for each
        async with asyncio.timeout(PATIENCE):
            while await looks(world) < passes + COUNT:
                await asyncio.sleep(0.2)
        await until_quiet(world)
        assert await writes(world) == before
        now = await world.versions()
        assert {key: value for key, value in now.items() if key[0] != "Cluster"} == {
            key: value for key, value in stands.items() if key[0] != "Cluster"
        }

        await each_of(lambda name: world.change(kinds.KAMAJI_CONTROL_PLANE, name, {"spec": {"replicas": 3}}))
        await until_all(world, kinds.TENANT_CONTROL_PLANE, lambda each: replicas(each) == 3, "three replicas for each")
        await each_of(lambda name: world.change(kinds.KAMAJI_CONTROL_PLANE, name, {"spec": {"version": NEWER}}))
        await each_of(lambda name: world.host(name, version=VERSION, phase="Upgrading", numbers=(6, 3, 3)))
        await until_all(world, kinds.KAMAJI_CONTROL_PLANE, lambda each: versions(each) == [VERSION, NEWER], "upgrading")
        await each_of(lambda name: world.host(name, version=NEWER, numbers=(3, 3, 3)))
        await until_all(world, kinds.KAMAJI_CONTROL_PLANE, lambda each: versions(each) == [NEWER], "upgraded")

        await each_of(lambda name: world.delete(kinds.KAMAJI_CONTROL_PLANE, name))
        async with asyncio.timeout(PATIENCE):
            while await world.everybody.list(kinds.KAMAJI_CONTROL_PLANE, world.namespace):
                await asyncio.sleep(0.3)
        assert await world.everybody.list(kinds.TENANT_CONTROL_PLANE, world.namespace) == []
    log = (world.server.folder / "provider.log").read_text()
    troubled = re.findall(r"kamajicontrolplane \('[^']+', '(\w+)'\).* again in", log)
    assert {name: troubled.count(name) for name in troubled if troubled.count(name) > 3} == {}  # no loops


def replicas(tcp: Any) -> int:
    return int(tcp["spec"]["controlPlane"]["deployment"]["replicas"])
