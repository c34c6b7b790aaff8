"""The pass over one LabCluster: the lab's bridge is there, so all that is to do is to say so. Called by `provider`."""

from __future__ import annotations

from dataclasses import dataclass

from lab.infrastructure import kinds, status
from lab.infrastructure.objects import Objects
from provider.cluster.client import Cluster

Key = tuple[str, str]  # namespace, name

PROVISIONED = status.Outcome(reason="Provisioned", ready=True)
WAITING = status.Outcome(reason="WaitingForCluster", message="waiting for Cluster API to set the owning Cluster")


@dataclass(frozen=True)
class ClusterPass:
    """Contract v1beta2, InfraCluster. The endpoint is the control plane provider's affair; one given by the user stays."""

    cluster: Cluster

    async def __call__(self, key: Key) -> float | None:
        """One pass; events tell when to look again."""
        namespace, name = key
        objects = Objects(self.cluster, kinds.LAB_CLUSTER, kinds.FINALIZER_CLUSTER)
        raw = await self.cluster.get(kinds.LAB_CLUSTER, name, namespace)
        if raw is None:
            return None
        owner = await objects.owner(raw, kinds.CLUSTER)
        pause = status.paused(raw, owner)
        if pause.status == "True":
            await objects.report(raw, pause, None)
        elif raw["metadata"].get("deletionTimestamp"):
            await objects.release(raw)
        elif owner is None:
            await objects.report(raw, pause, WAITING)
        else:
            await objects.report(await objects.hold(raw), pause, PROVISIONED)
        return None
