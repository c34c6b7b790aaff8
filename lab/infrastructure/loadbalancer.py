"""Addresses for the management cluster's Services of type LoadBalancer, as a cloud gives them. Called by the host process.

An address of the lab's bridge, answered by the management machine, where kube-proxy takes it on. One pass sees all Services:
who wants one and has none gets one, who is gone gives it back; nothing needs a finalizer, because the record is ours.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from lab.network import BALANCER, Network
from provider.api import kinds
from provider.cluster.client import Cluster
from provider.cluster.queue import KeyedQueue
from provider.manifest import Manifest

log = logging.getLogger(__name__)

MANAGER = "lab-loadbalancer"
ALL = "services"
ROUND = 30.0  # seconds until the next look: a management machine that was off has lost its addresses


def owner(service: Manifest) -> str:
    """Who the address is recorded for."""
    return f"{BALANCER}{service['metadata']['namespace']}/{service['metadata']['name']}"


def wants(service: Manifest) -> bool:
    """Whether the Service is for us: one with a class of its own is somebody else's (Service API, loadBalancerClass)."""
    spec = service["spec"]
    gone = service["metadata"].get("deletionTimestamp")
    return spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass") and not gone


def status(service: Manifest, address: str) -> dict[str, Any] | None:
    """The status patch that tells the address; None when it is told."""
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    if [each.get("ip") for each in ingress] == [address]:
        return None
    return {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}


@dataclass(frozen=True)
class Balancers:
    """The loop."""

    cluster: Cluster
    network: Network

    async def run(self) -> None:
        """Until cancelled."""
        queue: KeyedQueue[str] = KeyedQueue("services")
        queue.add(ALL)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(queue.run(self.look, 1))
            tasks.create_task(self._watch(queue))

    async def look(self, _: str) -> float | None:
        """One pass over all Services."""
        services = {owner(each): each for each in await self.cluster.list(kinds.SERVICE) if wants(each)}
        known = await asyncio.to_thread(self.network.allocated)
        for former in sorted(each for each in known if each.startswith(BALANCER) and each not in services):
            await asyncio.to_thread(self.network.remove_balancer_address, known[former])
            await asyncio.to_thread(self.network.release, former)
            log.info("%s gave back %s", former, known[former])
        for name, service in services.items():
            await self._serve(name, service)
        return ROUND

    async def _serve(self, name: str, service: Manifest) -> None:
        address = await asyncio.to_thread(self.network.allocate, name)
        await asyncio.to_thread(self.network.add_balancer_address, address)
        if patch := status(service, address):
            metadata = service["metadata"]
            await self.cluster.merge(
                kinds.SERVICE, metadata["name"], metadata["namespace"], patch, subresource="status", manager=MANAGER
            )
            log.info("%s has %s", name, address)

    async def _watch(self, queue: KeyedQueue[str]) -> None:
        async for _ in self.cluster.watch(kinds.SERVICE, metadata_only=True):
            queue.add(ALL)
