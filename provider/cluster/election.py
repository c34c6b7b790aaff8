"""Who acts: one replica, the holder of a Lease (coordination.k8s.io/v1). The others wait and take over within seconds.

The holder gives the Lease back when it stops. Each write carries the resource version it was decided on, so two can never both
believe that they acquired it. The Lease is called as upstream's operator calls its own: the two never run side by side.
Called by `__main__`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.manifest import Manifest, meta
from provider.settings import Settings

log = logging.getLogger(__name__)


class LeadershipLost(Exception):
    """Another replica may act from now on: this one has to end at once."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds. A holder that cannot renew stops at `deadline`; others may take the Lease `duration` after its last renewal."""

    renew: float = 2.0
    deadline: float = 10.0
    duration: float = 15.0


async def lead(cluster: Cluster, settings: Settings, leader: asyncio.Event) -> None:
    """Set `leader` once we are; go on until cancelled. Raises LeadershipLost. Without election it is set at once."""
    if not settings.leader_elect:
        leader.set()
        await asyncio.Event().wait()
    elector = Elector(cluster, lease_name(settings.rooms), settings.namespace, settings.identity)
    await elector.lead(leader)


def lease_name(rooms: str) -> str:
    """Of the processes that run these rooms: one without the hosting room leads beside one that has it."""
    return ("" if "hosting" in rooms.split(",") else "capi.") + names.KAMAJI_GROUP


class Elector:
    """One candidate for one Lease."""

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        namespace: str,
        identity: str,
        *,
        timing: Timing | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cluster = cluster
        self._name = name
        self._namespace = namespace
        self._identity = identity
        self._timing = timing or Timing()
        self._clock = clock
        self._seen: tuple[str, float] = ("", 0.0)  # resource version of another's Lease, and since when we see it so

    async def lead(self, leader: asyncio.Event) -> None:
        """Acquire, set `leader`, renew until cancelled, give back. LeadershipLost when renewing fails for too long."""
        await self._acquire()
        log.info("%s leads by Lease %s/%s", self._identity, self._namespace, self._name)
        try:
            leader.set()
            await self._renew()
        finally:
            leader.clear()
            await asyncio.shield(self._release())

    async def _acquire(self) -> None:
        while True:
            try:
                if await self._taken():
                    return
            except ApiError as error:
                log.info("Lease %s/%s not acquired: %s", self._namespace, self._name, error)
            await asyncio.sleep(self._timing.renew)

    async def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while True:
            await asyncio.sleep(self._timing.renew)
            try:
                async with asyncio.timeout_at(renewed + self._timing.deadline):
                    asked = loop.time()
                    if not await self._taken():
                        raise LeadershipLost(f"another replica holds Lease {self._namespace}/{self._name}")
                    renewed = asked
            except (ApiError, TimeoutError) as error:
                log.warning("Lease %s/%s not renewed: %s", self._namespace, self._name, error or "no answer in time")
                if loop.time() >= renewed + self._timing.deadline:
                    message = (
                        f"Lease {self._namespace}/{self._name} could not be renewed for {self._timing.deadline:.0f} s"
                    )
                    raise LeadershipLost(message) from error

    async def _taken(self) -> bool:
        """Whether the Lease is ours after this: held before, free, or run out. ApiError when nobody can say."""
        lease = await self._cluster.get(kinds.LEASE, self._name, self._namespace)
        if lease is None:
            await self._cluster.create(meta.new(kinds.LEASE, self._name, self._namespace, spec=self._claim(None)))
        elif self._may_have(lease):
            await self._write(lease, self._claim(lease))
        else:
            return False
        return True

    def _may_have(self, lease: Manifest) -> bool:
        """Time runs on our own clock, from when we first saw the Lease so: clocks of two machines may differ."""
        spec, now = _spec(lease), asyncio.get_running_loop().time()
        holder = spec.get("holderIdentity")
        if not holder or holder == self._identity:
            return True
        version = lease["metadata"]["resourceVersion"]
        if self._seen[0] != version:
            self._seen = (version, now)
        return now - self._seen[1] >= float(spec.get("leaseDurationSeconds") or self._timing.duration)

    def _claim(self, lease: Manifest | None) -> dict[str, Any]:
        now = _microtime(self._clock())
        spec = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._timing.duration)),
            "renewTime": now,
        }
        before = _spec(lease) if lease else {}
        if before.get("holderIdentity") != self._identity:
            spec |= {"acquireTime": now, "leaseTransitions": int(before.get("leaseTransitions") or 0) + bool(lease)}
        return spec

    async def _write(self, lease: Manifest, spec: dict[str, Any]) -> None:
        patch = {"metadata": {"resourceVersion": lease["metadata"]["resourceVersion"]}, "spec": spec}
        await self._cluster.merge(kinds.LEASE, self._name, self._namespace, patch, manager=names.HOSTING_MANAGER)

    async def _release(self) -> None:
        """Give the Lease back, so that a standby need not wait until it runs out."""
        try:
            async with asyncio.timeout(self._timing.renew):
                lease = await self._cluster.get(kinds.LEASE, self._name, self._namespace)
                if lease is not None and _spec(lease).get("holderIdentity") == self._identity:
                    freed = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _microtime(self._clock())}
                    await self._write(lease, freed)
        except (ApiError, TimeoutError) as error:
            log.warning("Lease %s/%s not given back: %s", self._namespace, self._name, error or "no answer in time")


def _spec(lease: Manifest) -> dict[str, Any]:
    return lease.get("spec") or {}


def _microtime(moment: datetime) -> str:
    """metav1.MicroTime."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
