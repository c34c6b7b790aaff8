"""What a client sees of a version rollout: a tenant of two replicas goes a minor up while twenty questions a second are asked.

A row of `make bench`. The pods are real, in the lab.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from lab.bench.asking import asking
from lab.bench.births import NAMESPACE, Births
from lab.bench.table import Row
from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.manifest import Manifest, meta

NEXT = "v1.37.2"
EVERY = 0.05  # seconds between two questions
AFTER = 5.0  # seconds in which is still asked once it is told to be over
PATIENCE = 600.0
WHAT = "version rollout, two replicas, 20 questions a second"


@dataclass(frozen=True)
class Rollout:
    """Of one: seconds until it was told to be over, and how many questions were asked and failed."""

    seconds: float
    asked: int
    failed: int


async def rows(births: Births, runs: int) -> list[Row]:
    """Each run with a tenant of its own, since there is no minor down."""
    found = [await _rolled(births) for _ in range(runs)]
    return [
        Row(f"{WHAT}: failed", tuple(each.failed for each in found), limit=0, unit="questions"),
        Row(f"{WHAT}: asked", tuple(each.asked for each in found), unit="questions"),
        Row(f"{WHAT}: until it is told", tuple(each.seconds for each in found)),
    ]


async def _rolled(births: Births) -> Rollout:
    async with births.living(replicas=2) as name:
        management = births.management
        await _told(management, name, births.version)
        secret = await management.get(kinds.SECRET, names.admin_kubeconfig_secret(name), NAMESPACE)
        async with asking(meta.decoded(secret)["admin.svc"], every=EVERY) as client:
            start = time.monotonic()
            patch = {"spec": {"kubernetes": {"version": NEXT}}}
            await management.merge(kinds.TENANT_CONTROL_PLANE, name, NAMESPACE, patch, manager="bench")
            await _told(management, name, NEXT)
            seconds = time.monotonic() - start
            await asyncio.sleep(AFTER)
    return Rollout(seconds, client.good + len(client.errors), len(client.errors))


async def _told(management: Cluster, name: str, version: str) -> None:
    """Until all replicas are of this version and ready."""
    async with asyncio.timeout(PATIENCE):
        while not _is(await management.get(kinds.TENANT_CONTROL_PLANE, name, NAMESPACE), version):
            await asyncio.sleep(0.2)


def _is(tenant: Manifest | None, version: str) -> bool:
    status = (tenant or {}).get("status") or {}
    return (status.get("kubernetesResources") or {}).get("version") == {"version": version, "status": "Ready"}
