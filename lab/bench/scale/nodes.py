"""Plays the kubelets of machines that run nothing: each gets its Node, ready, in the tenant that it joins."""

from __future__ import annotations

from lab.infrastructure.kinds import MACHINE
from provider.api import kinds
from provider.api.kinds import Kind
from provider.cluster.client import Cluster
from provider.manifest import Manifest, meta

HEALTHY = {"Ready": "True", "MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False"}
CONDITIONS = [{"type": kind, "status": status} for kind, status in HEALTHY.items()]


async def play(management: Cluster, tenant: Cluster, machines: Kind) -> None:
    """For every machine of that kind, as soon as it has a provider ID, until cancelled."""
    known: set[str] = set()
    async for change in management.watch(machines):
        said = change.object
        if said is None or change.type == "DELETED" or not booted(said) or said["metadata"]["uid"] in known:
            continue
        known.add(said["metadata"]["uid"])
        machine = await management.get(MACHINE, said["metadata"]["name"], said["metadata"]["namespace"])
        if machine is not None:
            await register(tenant, said, machine["spec"]["version"])


async def register(tenant: Cluster, machine: Manifest, version: str) -> None:
    """As the kubelet of this infrastructure machine would."""
    name, identity = machine["metadata"]["name"], machine["spec"]["providerID"]
    await tenant.apply(meta.new(kinds.NODE, name, spec={"providerID": identity}), manager="kubelet")
    said = {"status": {"conditions": CONDITIONS, "nodeInfo": {"kubeletVersion": version}}}
    await tenant.merge(kinds.NODE, name, None, said, subresource="status", manager="kubelet")


def booted(machine: Manifest) -> bool:
    """Whether there is something that could register itself."""
    return bool(machine["spec"].get("providerID")) and "deletionTimestamp" not in machine["metadata"]
