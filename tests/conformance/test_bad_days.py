"""Bad days that need no pods: stripped owners and finalizers, a death in every phase, names as long as they come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from provider.api import kinds, names
from provider.manifest import Manifest, meta
from tests.conformance.world import VERSION, World

CHILDREN = (
    *((kinds.SECRET, f"c-{each}") for each in ("kubeconfig", "ca", "proxy", "sa", "etcd")),
    (kinds.TENANT_CONTROL_PLANE, "kcp"),
)
NEWER = "v1.37.1"


async def owners(world: World) -> dict[str, Any]:
    found = {name: await world.get(kind, name) for kind, name in CHILDREN}
    return {name: (each or {})["metadata"].get("ownerReferences") for name, each in found.items()}


async def test_owners_and_finalizers_that_were_stripped_while_paused_come_back_as_they_were(world: World) -> None:
    await world.born()
    before, held = await owners(world), (await world.kcp())["metadata"]["finalizers"]
    await world.change(kinds.CLUSTER, "c", {"spec": {"paused": True}})
    await world.reconcile()
    for kind, name in CHILDREN:
        await world.change(kind, name, {"metadata": {"ownerReferences": None}})
    await world.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", {"metadata": {"finalizers": None}})
    stands = await world.versions()
    await world.reconcile()
    assert await world.versions() == stands  # paused is paused
    await world.change(kinds.CLUSTER, "c", {"spec": {"paused": False}})
    world.restart()
    await world.reconcile()
    assert await owners(world) == before
    assert (await world.kcp())["metadata"]["finalizers"] == held
    assert (await world.condition("CertificatesAvailable"))["status"] == "True"


# --- a death in every phase


async def nothing(world: World) -> None:
    """Made, and never looked at."""
    await world.cluster()
    await world.control_plane()


async def adopted(world: World) -> None:
    await nothing(world)
    await world.adopt()


async def asked(world: World) -> None:
    await adopted(world)
    await world.reconcile()


async def starting(world: World) -> None:
    await asked(world)
    await world.host(ready=False, numbers=(2, 2, 0), version=None, phase="Provisioning")
    await world.reconcile()


async def serving(world: World) -> None:
    await world.born()


async def upgrading(world: World) -> None:
    await world.born()
    await world.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", {"spec": {"version": NEWER}})
    await world.reconcile()
    await world.host(version=VERSION, phase="Upgrading", numbers=(4, 2, 3))
    await world.reconcile()


async def asleep(world: World) -> None:
    await world.born()
    world.kubectl("scale", "ktcp/kcp", "--replicas=0")
    await world.reconcile()
    await world.host(ready=False, numbers=(0, 0, 0), phase="Sleeping")
    await world.reconcile()


async def unreachable(world: World) -> None:
    """Its API server answers nobody any more."""
    await world.born()
    await world.host(ready=False, phase="NotReady", numbers=(2, 2, 0), endpoint="192.0.2.1:6443")
    await world.reconcile()


async def refused(world: World) -> None:
    await world.born()
    await world.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", {"spec": {"version": "v1.40.0"}})
    await world.reconcile()


async def orphaned(world: World) -> None:
    """Its Cluster was forced out of the way."""
    await world.born()
    await world.delete(kinds.CLUSTER, "c")


PHASES = (nothing, adopted, asked, starting, serving, upgrading, asleep, unreachable, refused, orphaned)


@pytest.mark.parametrize("phase", PHASES, ids=lambda each: each.__name__)
async def test_a_cluster_that_is_deleted_in_any_phase_goes_and_its_tenant_before_it(
    world: World, phase: Callable[[World], Awaitable[None]]
) -> None:
    await phase(world)
    tenant = await world.get(kinds.TENANT_CONTROL_PLANE, "kcp")
    if tenant is not None:  # as the hosting room does while there is something to erase
        held = {"metadata": {"finalizers": [names.FINALIZER_TENANT]}}
        await world.change(kinds.TENANT_CONTROL_PLANE, "kcp", held)
    await world.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")  # what core does once the workers are gone
    await world.reconcile()
    if tenant is not None:
        assert "deletionTimestamp" in (await world.tcp())["metadata"]
        assert await world.get(kinds.KAMAJI_CONTROL_PLANE, "kcp") is not None
        await world.change(kinds.TENANT_CONTROL_PLANE, "kcp", {"metadata": {"finalizers": None}})
        world.restart()
        await world.reconcile()
    assert await world.get(kinds.TENANT_CONTROL_PLANE, "kcp") is None
    assert await world.get(kinds.KAMAJI_CONTROL_PLANE, "kcp") is None


# --- names


async def named(world: World, cluster: str, kcp: str) -> Manifest:
    await world.cluster(cluster, kcp=kcp)
    await world.control_plane(kcp)
    owner = await world.get(kinds.CLUSTER, cluster)
    assert owner is not None
    reference = {
        "apiVersion": kinds.CLUSTER.api_version,
        "kind": "Cluster",
        "name": cluster,
        "uid": owner["metadata"]["uid"],
    }
    # Without core's label: it takes 63 characters, and core could not write it.
    await world.change(kinds.KAMAJI_CONTROL_PLANE, kcp, {"metadata": {"ownerReferences": [reference]}})
    await world.reconcile(kcp)
    return await world.kcp(kcp)


async def test_names_of_63_characters_are_as_good_as_short_ones(world: World) -> None:
    cluster, kcp = "c" * 63, "k" * 63
    await named(world, cluster, kcp)
    await world.host(kcp)
    await world.reconcile(kcp)
    assert (await world.status(kcp))["initialization"] == {"controlPlaneInitialized": True}
    for each in ("kubeconfig", "ca", "proxy", "sa", "etcd"):
        secret = await world.secret(f"{cluster}-{each}")
        assert meta.labels_of(secret)[names.LABEL_CLUSTER_NAME] == cluster
    stands = await world.versions()
    await world.reconcile(kcp)
    assert await world.versions() == stands


@pytest.mark.parametrize(("cluster", "kcp"), [(253, 3), (1, 253)], ids=["of the Cluster", "of the control plane"])
async def test_a_name_of_253_characters_is_told_and_not_tried_for_ever(world: World, cluster: int, kcp: int) -> None:
    name = "k" * kcp
    await named(world, "c" * cluster, name)
    condition = await world.condition("TenantControlPlaneCreated", name)
    assert (condition["status"], condition["reason"]) == ("False", "RefusedByManagementCluster")
    assert "63" in condition["message"]
    stands = await world.versions()
    assert await world.reconcile(name) is None
    assert await world.versions() == stands
    await world.delete(kinds.KAMAJI_CONTROL_PLANE, name)
    await world.reconcile(name)
    assert await world.get(kinds.KAMAJI_CONTROL_PLANE, name) is None
