"""The whole process with the rights it has in a pod: what moves wakes the right pass, and nothing else has to move for it.

The other tests of this ring call the pass themselves. Here kopf, watches, queue and election are between.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lab.servers import free_port
from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.manifest import meta
from tests.conformance.conftest import ACCOUNT, GROUPS
from tests.conformance.world import World

ROOT = Path(__file__).parents[2]
PATIENCE = 180.0  # seconds; a bound against hanging for ever, not a claim about speed


@contextmanager
def running(world: World, *flags: str, rooms: str = "capi") -> Iterator[None]:
    """The provider with one room alone, over the test's namespace. It has to have all kinds and rights that it asks for."""
    file, log = world.server.folder / "provider.kubeconfig", world.server.folder / "provider.log"
    file.write_bytes(world.server.kubeconfig(ACCOUNT, *GROUPS))
    ports = {"KAMAJI_HEALTH_PORT": str(free_port()), "KAMAJI_METRICS_PORT": "0"}
    command = ["run", f"--rooms={rooms}", f"--namespace={world.namespace}", f"--kubeconfig={file}", *flags]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "provider", *command],
            cwd=ROOT,
            env={**os.environ, **ports},
            stdout=output,
            stderr=output,
        )
    try:
        yield
        assert process.poll() is None, log.read_text()[-3000:]
        for words in ("Traceback", "is forbidden", "Unresolved resources", "serves no"):
            assert words not in log.read_text(), log.read_text()[-3000:]
    except TimeoutError as error:
        raise AssertionError(log.read_text()[-3000:]) from error
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(90)
        process.kill()
        process.wait()


async def until(found: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await found():
            await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Seen:
    """What a test waits for."""

    world: World

    async def initialized(self) -> bool:
        return "initialization" in await self.world.status()

    async def paused(self) -> bool:
        return (await self.world.condition("Paused")).get("status") == "True"

    async def name_taken(self) -> bool:
        return (await self.world.condition("Available")).get("reason") == "NameTaken"

    async def three_replicas(self) -> bool:
        return bool((await self.world.tcp())["spec"]["controlPlane"]["deployment"]["replicas"] == 3)

    async def tenant_ending(self) -> bool:
        return "deletionTimestamp" in (await self.world.tcp())["metadata"]

    async def owned(self, kind: Kind, name: str) -> bool:
        found = await self.world.get(kind, name)
        return found is not None and bool(found["metadata"].get("ownerReferences"))

    async def there(self, kind: Kind, name: str) -> bool:
        return await self.world.get(kind, name) is not None

    async def gone(self, kind: Kind, name: str) -> bool:
        return not await self.there(kind, name)


async def test_whatever_moves_is_looked_at_and_nothing_else_has_to_move_for_it(world: World) -> None:
    seen = Seen(world)
    spec = {
        "kubernetes": {"version": "v1.35.4", "kubelet": {}},
        "controlPlane": {"service": {"serviceType": "ClusterIP"}},
    }
    await world.apply(kinds.TENANT_CONTROL_PLANE, "kcp", spec=spec)
    await world.cluster()
    await world.control_plane()
    with running(world):
        await world.adopt()
        await until(seen.name_taken)
        await world.delete(kinds.TENANT_CONTROL_PLANE, "kcp")  # a name that becomes free
        await until(lambda: seen.owned(kinds.TENANT_CONTROL_PLANE, "kcp"))
        await world.host()
        await until(seen.initialized)

        await world.delete(kinds.SECRET, "c-ca")  # a Secret that is lost
        await until(lambda: seen.there(kinds.SECRET, "c-ca"))

        for kind, name in (
            (kinds.SECRET, "c-kubeconfig"),
            (kinds.TENANT_CONTROL_PLANE, "kcp"),
        ):  # an owner that is lost
            await world.change(kind, name, {"metadata": {"ownerReferences": None}})
            await until(partial(seen.owned, kind, name))

        await world.change(kinds.CLUSTER, "c", {"spec": {"paused": True}})  # a Cluster that pauses
        await until(seen.paused)
        world.kubectl("scale", "ktcp/kcp", "--replicas=3")
        await asyncio.sleep(0.5)
        assert not await seen.three_replicas()
        await world.change(kinds.CLUSTER, "c", {"spec": {"paused": False}})  # and goes on
        await until(seen.three_replicas)
        assert names.ANNOTATION_PAUSED not in meta.annotations_of(await world.tcp())

        await world.change(kinds.TENANT_CONTROL_PLANE, "kcp", {"metadata": {"finalizers": [names.FINALIZER_TENANT]}})
        await world.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")  # an end, in order
        await until(seen.tenant_ending)
        await world.change(kinds.TENANT_CONTROL_PLANE, "kcp", {"metadata": {"finalizers": None}})
        await until(lambda: seen.gone(kinds.KAMAJI_CONTROL_PLANE, "kcp"))
