"""What the page shows, as it is now: watched while somebody looks, and let go of a while after the last one went.

Nothing else of the process needs these objects in memory, so nobody pays for a page that is not looked at.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from provider.api.kinds import Kind
from provider.cluster.client import Cluster
from provider.manifest import Manifest

log = logging.getLogger(__name__)

IDLE = 30.0  # seconds after the last look; pages look each few seconds
PATIENCE = 20.0  # seconds for the first list
TOLD = ("conditions", "controlPlaneEndpoint", "observedGeneration", "storage")
Key = tuple[str, str]


class Watched:
    """The objects of one kind; of each what `bared` leaves of it."""

    def __init__(
        self, cluster: Cluster, kind: Kind, namespace: str | None, bared: Callable[[Manifest], Manifest]
    ) -> None:
        self._cluster, self._kind, self._namespace, self._bared = cluster, kind, namespace, bared
        self._objects: dict[Key, Manifest] = {}
        self._listed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._limit: asyncio.Timeout | None = None

    async def now(self) -> list[Manifest]:
        """All there are, by namespace and name. TimeoutError when the API server gives no list."""
        if self._task is not None and self._limit is not None and self._limit.expired():
            await asyncio.wait([self._task])
        if self._task is None or self._task.done():
            self._listed.clear()
            self._task = asyncio.create_task(self._follow())
        elif self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time() + IDLE)
        await asyncio.wait_for(self._listed.wait(), PATIENCE)
        return [each for _, each in sorted(self._objects.items())]

    async def stop(self) -> None:
        """The process ends."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _follow(self) -> None:
        try:
            async with asyncio.timeout(IDLE) as self._limit:
                async for change in self._cluster.watch(self._kind, self._namespace):
                    if change.object is None:
                        self._listed.set()
                    elif change.type == "DELETED":
                        self._objects.pop(_key(change.object), None)
                    else:
                        self._objects[_key(change.object)] = self._bared(change.object)
        except TimeoutError:
            log.debug("nobody looks at %s any more", self._kind.plural)
        finally:
            self._objects, self._limit = {}, None
            self._listed.clear()


def tenant(found: Manifest) -> Manifest:
    """What rows and sentences say of a TenantControlPlane is made of this; the rest of it is not held."""
    metadata, spec, status = found["metadata"], found["spec"], found.get("status") or {}
    moments = [
        {key: each[key] for key in ("time", "subresource") if key in each}
        for each in metadata.get("managedFields") or ()
    ]
    version = (status.get("kubernetesResources") or {}).get("version")
    return {
        **found,
        "metadata": {**metadata, "managedFields": moments},
        "spec": {"kubernetes": {"version": spec["kubernetes"]["version"]}, "dataStore": spec.get("dataStore")},
        "status": {key: status[key] for key in TOLD if key in status}
        | {"kubernetesResources": {"version": version or {}}}
        if status
        else {},
    }


def store(found: Manifest) -> Manifest:
    """A DataStore without what it is reached by: its credentials are no part of a page."""
    return {**found, "spec": {"driver": found["spec"]["driver"]}}


def pool(found: Manifest) -> Manifest:
    """A DataStorePool as it is."""
    return found


def _key(found: Manifest) -> Key:
    metadata = found["metadata"]
    return (metadata.get("namespace") or "", metadata["name"])
