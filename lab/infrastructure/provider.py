"""The provider's doors: what moved, as keys on queues, one queue a kind. Called by the host process with the rights of
its ServiceAccount (`components.RULES`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.infrastructure import kinds
from lab.infrastructure.clusters import ClusterPass
from lab.infrastructure.instances import Instances
from lab.infrastructure.machines import MachinePass
from lab.infrastructure.podnetwork import PodNetworkPass
from lab.state import Lab
from provider.api import names
from provider.api.kinds import Kind
from provider.cluster.client import Cluster
from provider.cluster.queue import KeyedQueue
from provider.manifest import Manifest, meta

Key = tuple[str, str]  # namespace, name
Moved = Callable[[Manifest], None]

MACHINES_AT_ONCE = 4  # making one is mostly containerd's start; more at once only take each other's cores


@dataclass(frozen=True)
class Provider:
    """One session of the provider."""

    cluster: Cluster
    lab: Lab
    clusters: KeyedQueue[Key] = field(default_factory=lambda: KeyedQueue("labcluster"))
    machines: KeyedQueue[Key] = field(default_factory=lambda: KeyedQueue("labmachine"))
    networks: KeyedQueue[Key] = field(default_factory=lambda: KeyedQueue("podnetwork"))
    members: dict[Key, set[Key]] = field(default_factory=dict)  # Cluster → its LabMachines

    async def run(self) -> None:
        """Until cancelled, or until a door fails."""
        instances = Instances(self.lab)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.clusters.run(ClusterPass(self.cluster), 1))
            tasks.create_task(self.machines.run(MachinePass(self.cluster, instances), MACHINES_AT_ONCE))
            tasks.create_task(self.networks.run(PodNetworkPass(self.cluster, instances), 2))
            for kind, moved in (
                (kinds.LAB_CLUSTER, self._lab_cluster_moved),
                (kinds.LAB_MACHINE, self._lab_machine_moved),
                (kinds.MACHINE, self._machine_moved),
                (kinds.CLUSTER, self._cluster_moved),
            ):
                tasks.create_task(self._watch(kind, moved))

    async def _watch(self, kind: Kind, moved: Moved) -> None:
        async for change in self.cluster.watch(kind):
            if change.object:
                moved(change.object)

    def _lab_cluster_moved(self, raw: Manifest) -> None:
        self.clusters.add(_key(raw))

    def _lab_machine_moved(self, raw: Manifest) -> None:
        key = _key(raw)
        self.machines.add(key)
        if name := meta.labels_of(raw).get(names.LABEL_CLUSTER_NAME):
            cluster = (key[0], name)
            self.members.setdefault(cluster, set()).add(key)
            self.networks.add(cluster)

    def _machine_moved(self, raw: Manifest) -> None:
        reference = (raw.get("spec") or {}).get("infrastructureRef") or {}
        if reference.get("kind") == kinds.LAB_MACHINE.kind:
            self.machines.add((raw["metadata"]["namespace"], reference["name"]))

    def _cluster_moved(self, raw: Manifest) -> None:
        """A Cluster that is provisioned or no longer paused lets its LabCluster and LabMachines go on."""
        key = _key(raw)
        reference = (raw.get("spec") or {}).get("infrastructureRef") or {}
        if reference.get("kind") == kinds.LAB_CLUSTER.kind:
            self.clusters.add((key[0], reference["name"]))
        for each in self.members.get(key, ()):
            self.machines.add(each)


def _key(raw: Manifest) -> Key:
    return raw["metadata"]["namespace"], raw["metadata"]["name"]
