"""The pod network of each Cluster's machines, as a cloud's route controller keeps it. Called by `provider`.

For every Node of the tenant that is a lab machine: its podCIDR becomes the machine's bridge network, and the other machines of
the same Cluster get a route to it. Machines of different Clusters get no routes to each other's pods.
"""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from lab import cni
from lab.infrastructure import kinds
from lab.infrastructure.instances import Instances
from lab.infrastructure.status import provisioned
from lab.machine import Machine
from lab.network import ip
from lab.state import Lab
from provider.api import kinds as core
from provider.api import names
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.manifest import Manifest, meta

log = logging.getLogger(__name__)

Key = tuple[str, str]  # namespace, name of the Cluster

PROTOCOL = "77"  # marks our routes among the machine's own (ip-route(8), `protocol`)
JOINING = 1.0  # seconds until nodes without a podCIDR are looked at again
ROUND = 30.0  # seconds until the next look: a machine that was off has lost its routes


@dataclass(frozen=True)
class PodNetworkPass:
    """One pass a Cluster."""

    cluster: Cluster
    instances: Instances

    async def __call__(self, key: Key) -> float | None:
        """One pass. Returns seconds after which to look again, None when the Cluster has no machines."""
        namespace, name = key
        labels = {names.LABEL_CLUSTER_NAME: name}
        found = await self.cluster.list(kinds.LAB_MACHINE, namespace, labels=labels)
        machines = {self.instances.provider_id(each): each for each in found if provisioned(each)}
        secret = await self.cluster.get(core.SECRET, f"{name}-kubeconfig", namespace) if machines else None
        if secret is None:
            return None
        tenant = await connect.from_kubeconfig(meta.decoded(secret)["value"])
        try:
            nodes = await tenant.list(core.NODE)
        finally:
            await tenant.close()
        labs: dict[Lab, dict[str, str]] = {}
        for each, subnet in pod_cidrs(nodes).items():
            if each in machines:
                machine = self.instances.machine(machines[each])
                labs.setdefault(machine.lab, {})[machine.name] = subnet
        missed = [name for each in labs.items() for name in await asyncio.to_thread(self._keep, *each)]
        return ROUND if sum(map(len, labs.values())) == len(machines) and not missed else JOINING

    def _keep(self, lab: Lab, subnets: Mapping[str, str]) -> list[str]:
        """Bridge networks and routes of one Cluster's machines in a lab; which of them went away meanwhile.

        Those that are off get theirs when they run.
        """
        missed = list[str]()
        known = lab.network().allocated()  # to ask a machine that is gone for its address would give it a new one
        running = [lab.machine(each) for each in sorted(subnets) if each in known and lab.machine(each).running()]
        routes = {subnets[each.name]: known[each.name] for each in running}
        for machine in running:
            with unless_gone(machine, missed):
                cni.write(machine, subnets[machine.name])
                route(machine, {to: via for to, via in routes.items() if via != known[machine.name]})
        return missed


@contextmanager
def unless_gone(machine: Machine, missed: list[str]) -> Iterator[None]:
    """A machine may go off or be deleted at any moment: then what we do to it fails, and the next look tells."""
    try:
        yield
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        log.warning("pod network of %s: %s; looking again", machine.name, said)
        missed.append(machine.name)


def pod_cidrs(nodes: list[Manifest]) -> dict[str, str]:
    """podCIDR by provider ID, of the nodes that have both."""
    specs = [each.get("spec") or {} for each in nodes]
    return {each["providerID"]: each["podCIDR"] for each in specs if each.get("providerID") and each.get("podCIDR")}


def route(machine: Machine, wanted: Mapping[str, str]) -> None:
    """Let the machine have exactly these routes of ours: destination → gateway. Nothing is run when it has."""
    listed = json.loads(ip("-n", machine.netns, "-j", "route", "show", "proto", PROTOCOL) or "[]")
    present = {each["dst"]: each.get("gateway") for each in listed}
    for destination in sorted(present.keys() - wanted.keys()):
        ip("-n", machine.netns, "route", "delete", destination, "proto", PROTOCOL)
    for destination, gateway in sorted(wanted.items()):
        if present.get(destination) != gateway:
            ip("-n", machine.netns, "route", "replace", destination, "via", gateway, "proto", PROTOCOL)
