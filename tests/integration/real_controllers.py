"""Beside a real kube-controller-manager: a hand that does the kubelet's part, and a way to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from provider.api import kinds
from provider.cluster.client import Cluster
from provider.manifest import Manifest

PATIENCE = 180.0  # seconds; a bound against hanging for ever


async def pods_get_ready(cluster: Cluster, namespace: str, fits: Callable[[Manifest], bool]) -> None:
    """Say of each pod what its kubelet would say of one that runs well."""
    for each in await cluster.list(kinds.POD, namespace):
        if fits(each) and not (each.get("status") or {}).get("conditions"):
            said = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
            name = each["metadata"]["name"]
            await cluster.merge(kinds.POD, name, namespace, {"status": said}, subresource="status", manager="kubelet")


async def until(look: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Look until it is true; the truth."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not (seen := await look()):
        assert asyncio.get_running_loop().time() < deadline, f"{what}: not within {PATIENCE:.0f} s"
        await asyncio.sleep(0.1)
    return seen
