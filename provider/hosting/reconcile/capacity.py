"""How many cores the management cluster has for control planes. Called once, when the room starts work."""

from __future__ import annotations

from provider.api import kinds
from provider.cluster.client import Cluster
from provider.manifest import Manifest


async def cores(cluster: Cluster) -> float:
    """Allocatable CPU of all schedulable nodes, in cores; at least 1. A node that has not told yet has none."""
    nodes = await cluster.list(kinds.NODE)
    usable = [each for each in nodes if not each.get("spec", {}).get("unschedulable")]
    return max(1.0, sum(_cores(_allocatable(each).get("cpu", "0")) for each in usable))


def _allocatable(node: Manifest) -> dict[str, str]:
    return (node.get("status") or {}).get("allocatable") or {}


def _cores(quantity: str) -> float:
    """Kubernetes writes allocatable CPU in cores or in thousandths of one: `2`, `1930m`."""
    return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)
