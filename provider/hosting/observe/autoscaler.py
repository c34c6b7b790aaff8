"""The TenantAutoscaler of a tenant, whether pods can be resized as they run, and what containers take. For passes over both.

What they take is asked of the metrics server where there is one; else the tenant's own API server is asked what it takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from provider.api import kinds, names
from provider.api.autoscaler import TenantAutoscaler
from provider.api.verdict import Invalid
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.hosting.autoscaling import pods as resizing
from provider.hosting.autoscaling.requests import CONTAINERS, RESOURCES
from provider.manifest import Manifest

RESIZE = "pods/resize"
CPU, STARTED, MEMORY = "process_cpu_seconds_total", "process_start_time_seconds", "process_resident_memory_bytes"
LINES = 200_000  # of a tenant's metrics, which its users can make as long as they like
PATIENCE = 20.0  # seconds for them


@dataclass(frozen=True, kw_only=True)
class Process:
    """What one process says of itself."""

    started: float  # seconds since 1970; it tells one process from another
    cpu: float  # seconds, since then
    memory: int


async def of_tenant(cluster: Cluster, namespace: str, name: str) -> TenantAutoscaler | None:
    """None: there is none, or it cannot be read, which its own pass says."""
    raw = await cluster.get(kinds.TENANT_AUTOSCALER, name, namespace)
    if raw is None or raw["metadata"].get("deletionTimestamp"):
        return None
    try:
        return TenantAutoscaler.parse(raw)
    except Invalid:
        return None


async def hindrance(cluster: Cluster, pods: Sequence[Manifest], now: datetime) -> str:
    """Why these pods cannot be resized as they run; empty when they can."""
    if not await cluster.serves("v1", RESIZE):
        return "the management cluster cannot resize pods that run (before 1.33)"
    return resizing.hindered(pods, now)


async def taken(cluster: Cluster, namespace: str, name: str) -> Mapping[str, Mapping[str, int]]:
    """By container and resource, of the pod that takes most; empty where no metrics server tells."""
    try:
        measured = await cluster.list(kinds.POD_METRICS, namespace, labels={names.LABEL_NAME: name})
    except ApiError:
        return {}
    found: dict[str, dict[str, int]] = {}
    for container in (each for pod in measured for each in pod.get("containers") or ()):
        if container.get("name") not in CONTAINERS:
            continue
        known = found.setdefault(container["name"], {})
        for resource, value in (container.get("usage") or {}).items():
            if resource in RESOURCES:
                known[resource] = max(known.get(resource, 0), RESOURCES[resource].read(value))
    return found


async def of_itself(session: Cluster, patience: float = PATIENCE) -> Process | None:
    """What the API server behind a session takes; None when it does not say. TimeoutError: it has no breath to say so."""
    said: dict[str, float] = {}
    wanted = {each.encode(): each for each in (CPU, STARTED, MEMORY)}
    try:
        async with asyncio.timeout(patience), session.reading("/metrics") as lines:
            count = 0
            async for line in lines:
                word, _, value = line.partition(b" ")
                if word in wanted:
                    said[wanted[word]] = float(value)
                if len(said) == len(wanted) or (count := count + 1) > LINES:
                    break
    except (ApiError, ValueError):
        return None
    if said.keys() != set(wanted.values()):
        return None
    return Process(started=said[STARTED], cpu=said[CPU], memory=int(said[MEMORY]))
