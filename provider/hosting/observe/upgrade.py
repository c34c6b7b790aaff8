"""What an upgrade asks of the world at its two moments: the kubelets before it begins, the ReplicaSets when it fails."""

from __future__ import annotations

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.hosting.upgrade.skew import Kubelet
from provider.hosting.view import View
from provider.manifest import Manifest


async def kubelets(session: Cluster) -> list[Kubelet]:
    """Every node of the tenant with its kubelet's version. ApiError when its API server does not answer."""
    nodes = await session.list(kinds.NODE)
    return [Kubelet(each["metadata"]["name"], _version(each)) for each in nodes]


async def replica_sets(cluster: Cluster, view: View) -> list[Manifest]:
    """All that the tenant's Deployment made, old and new."""
    return await cluster.list(kinds.REPLICA_SET, view.namespace, labels={names.LABEL_NAME: view.name})


def _version(node: Manifest) -> str:
    return str(((node.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion", ""))
