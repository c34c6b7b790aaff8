"""Cluster API's own managers as plain processes beside an API server that has its kinds, ours and the lab's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from lab import managers
from lab.infrastructure import components
from lab.infrastructure import kinds as lab_kinds
from lab.servers import ApiServer, Etcd
from provider.api import kinds
from provider.manifest import Manifest
from provider.manifest.condition import find
from tests.conformance.world import World

CONFIG = Path(__file__).parents[2] / "config"
PROVIDERS = {
    "cluster-api": "CoreProvider",
    "bootstrap-kubeadm": "BootstrapProvider",
    "control-plane-kamaji": "ControlPlaneProvider",
    "infrastructure-lab": "InfrastructureProvider",
}
PATIENCE = 300.0  # seconds; a bound against hanging for ever, not a claim about speed


@contextmanager
def served(folder: Path, etcd: Etcd, rights: str, *, webhooks: bool = False) -> Iterator[ApiServer]:
    """The API server with core, the kubeadm bootstrap provider and the garbage collector at work; the former two with the
    rights of their own release."""
    server = ApiServer(folder, etcd, prefix=f"/{folder.name}").start()
    try:
        install(server, rights)
        with (
            managers.controlling(server, managers.COLLECTION),
            managers.cluster_api(server, webhooks=webhooks),
        ):
            yield server
    finally:
        server.stop()


def install(server: ApiServer, rights: str) -> None:
    """Cluster API's kinds, ours and the lab's, and the provider's rights; as clusterctl labels and lists them."""
    managers.kinds(server)
    labs = [each for each in components.manifests() if each["kind"] == managers.CRD]
    (server.folder / "lab.yaml").write_text(yaml.safe_dump_all(labs))
    (server.folder / "rights.yaml").write_text(rights)
    own = (CONFIG / "crd", server.folder / "lab.yaml", server.folder / "rights.yaml")
    server.kubectl("apply", "--server-side", *(f"--filename={each}" for each in own))
    server.kubectl("label", "crd", "--all", "clusterctl.cluster.x-k8s.io=")
    managers.established(server)
    (server.folder / "inventory.yaml").write_text(yaml.safe_dump_all(map(_listed, PROVIDERS)))
    server.kubectl("apply", f"--filename={server.folder / 'inventory.yaml'}")


def _listed(provider: str) -> Manifest:
    """An entry of clusterctl's inventory, which it holds two management clusters against before a move."""
    labels = {"clusterctl.cluster.x-k8s.io": "", "clusterctl.cluster.x-k8s.io/core": "inventory"}
    return {
        "apiVersion": "clusterctl.cluster.x-k8s.io/v1alpha3",
        "kind": "Provider",
        "metadata": {"name": provider, "namespace": "kamaji-system", "labels": labels},
        "providerName": provider.rpartition("-")[2] if provider != "cluster-api" else provider,
        "type": PROVIDERS[provider],
        "version": "v1.14.2",
    }


async def until(found: Callable[[], Awaitable[bool]], what: str) -> None:
    """Ask until it is so."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not await found():
                await asyncio.sleep(0.2)
    except TimeoutError as error:
        raise AssertionError(f"{what}: not within {PATIENCE:.0f} s") from error


async def cluster(world: World, name: str = "c") -> Manifest:
    """The Cluster as core has it now."""
    found = await world.get(kinds.CLUSTER, name)
    assert found is not None
    return found


async def says(world: World, kind: str, status: str = "True", *, name: str = "kcp") -> None:
    """Wait for a condition of the Cluster; the provider looks at this control plane whenever something could have moved."""

    async def so() -> bool:
        await world.reconcile(name)
        conditions = ((await cluster(world)).get("status") or {}).get("conditions")
        return (find(conditions, kind) or {}).get("status") == status

    try:
        await until(so, f"Cluster c {kind}={status}")
    except AssertionError as error:
        raise AssertionError(f"{error}; {((await cluster(world)).get('status') or {}).get('conditions')}") from error


async def infrastructure_there(world: World) -> None:
    """A Cluster whose infrastructure is there at once; its control plane is for the test to make."""
    await provisioned(world, "c")
    await world.cluster(infrastructureRef={"apiGroup": lab_kinds.GROUP, "kind": "LabCluster", "name": "c"})


async def born(world: World) -> None:
    """Core adopts, the provider asks, the hosting room answers, core takes it over."""
    await infrastructure_there(world)
    await world.control_plane()
    await asked(world)
    await world.host()
    await says(world, "ControlPlaneInitialized")


async def asked(world: World, name: str = "kcp") -> None:
    """Core has adopted the control plane, and the provider has asked the hosting room."""

    async def so() -> bool:
        await world.reconcile(name)
        return await world.get(kinds.TENANT_CONTROL_PLANE, name) is not None

    await until(so, "core's owner reference, and the TenantControlPlane")


async def provisioned(world: World, name: str) -> None:
    """The infrastructure of a Cluster, which its provider says is there."""
    if await world.get(lab_kinds.LAB_CLUSTER, name) is None:
        await world.apply(lab_kinds.LAB_CLUSTER, name, spec={})
    done = {"status": {"initialization": {"provisioned": True}}}
    await world.change(lab_kinds.LAB_CLUSTER, name, done, "status")
