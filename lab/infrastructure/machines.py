"""The pass over one LabMachine: waits for Cluster API, makes the machine, reports, ends it. Called by `provider`.

Every pass looks at the world (the object, its Machine and Cluster, the machine itself) and takes the next step. What takes
long is done by the machine on its own (`bootstrap`); the pass comes back to look.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from lab.infrastructure import kinds, status
from lab.infrastructure.instances import Instances
from lab.infrastructure.objects import Objects
from lab.infrastructure.status import Outcome
from provider.api import kinds as core
from provider.cluster.client import Cluster
from provider.manifest import Manifest, meta

Key = tuple[str, str]  # namespace, name

NO_DATA = Outcome(reason="WaitingForBootstrapData", message="waiting for the bootstrap provider's data")
# Seconds until a machine is looked at again that no event tells of. Refused data and failed ones are for good.
AGAIN = {"Bootstrapping": 1.0, "NameTaken": 15.0, "MachineFailed": 15.0, "MachineOff": 30.0, "Running": 30.0}


@dataclass(frozen=True)
class MachinePass:
    """Contract v1beta2, InfraMachine."""

    cluster: Cluster
    instances: Instances

    async def __call__(self, key: Key) -> float | None:
        """One pass. Returns seconds after which to look again, None when events will tell."""
        namespace, name = key
        objects = Objects(self.cluster, kinds.LAB_MACHINE, kinds.FINALIZER_MACHINE)
        raw = await self.cluster.get(kinds.LAB_MACHINE, name, namespace)
        if raw is None:
            return None
        cluster = await objects.cluster_of(raw)
        pause = status.paused(raw, cluster)
        if pause.status == "True":
            await objects.report(raw, pause, None)
            return None
        if raw["metadata"].get("deletionTimestamp"):
            await asyncio.to_thread(self.instances.end, raw)
            await objects.release(raw)
            return None
        raw, outcome = await self._step(objects, raw, cluster)
        await objects.report(raw, pause, outcome)
        return AGAIN.get(outcome.reason)

    async def _step(self, objects: Objects, raw: Manifest, cluster: Manifest | None) -> tuple[Manifest, Outcome]:
        """The next step, and what is to be said after it. The object is returned as the step left it."""
        if status.provisioned(raw):
            raw = await objects.hold(raw)  # a finalizer can be lost
            return raw, await asyncio.to_thread(self.instances.alive, raw)
        machine = await objects.owner(raw, kinds.MACHINE)
        if wait := waits(machine, cluster):
            return raw, wait
        assert machine is not None
        secret = machine["spec"]["bootstrap"]["dataSecretName"]
        data = meta.decoded(await self.cluster.get(core.SECRET, secret, raw["metadata"]["namespace"])).get("value")
        if data is None:
            return raw, NO_DATA
        raw = await objects.hold(raw)
        outcome = await asyncio.to_thread(self.instances.boot, raw, data)
        if outcome.ready and not (raw.get("spec") or {}).get("providerID"):
            raw = await objects.merge(raw, {"spec": {"providerID": self.instances.provider_id(raw)}})
        return raw, outcome


def waits(machine: Manifest | None, cluster: Manifest | None) -> Outcome | None:
    """What Cluster API has to do first, in the contract's order; None when it is our turn."""
    if machine is None:
        return Outcome(reason="WaitingForMachine", message="waiting for Cluster API to set the owning Machine")
    if not status.provisioned(cluster):
        return Outcome(reason="WaitingForClusterInfrastructure", message="waiting for the Cluster's infrastructure")
    if not (machine["spec"].get("bootstrap") or {}).get("dataSecretName"):
        return NO_DATA
    return None
