"""Bad days with Cluster API's own core and the garbage collector: what one of us restores, the other has to leave alone."""

from __future__ import annotations

from typing import Any

from lab.infrastructure import kinds as lab_kinds
from provider.api import kinds, names
from provider.manifest import meta
from tests.conformance import core
from tests.conformance.core import until
from tests.conformance.test_bad_days import CHILDREN
from tests.conformance.world import World

ALL = (*CHILDREN, (kinds.KAMAJI_CONTROL_PLANE, "kcp"))


async def held(world: World) -> dict[str, Any]:
    """Owners, finalizers and core's label of everything that hangs on the Cluster."""
    found = {name: (await world.get(kind, name) or {})["metadata"] for kind, name in ALL}
    return {
        name: (
            each.get("ownerReferences"),
            each.get("finalizers"),
            (each.get("labels") or {}).get(names.LABEL_CLUSTER_NAME),
        )
        for name, each in found.items()
    }


async def test_a15_all_owners_and_finalizers_that_were_stripped_while_paused_come_back_and_core_finds_its_cluster_as_before(
    with_core: World,
) -> None:
    await core.born(with_core)
    await core.says(with_core, "Available")
    before = await held(with_core)
    await with_core.change(kinds.CLUSTER, "c", {"spec": {"paused": True}})
    await core.says(with_core, "Paused")
    for kind, name in ALL:
        await with_core.change(kind, name, {"metadata": {"ownerReferences": None, "finalizers": None}})
    await with_core.reconcile()
    assert all(owners is None and finalizers is None for owners, finalizers, _ in (await held(with_core)).values())
    with_core.restart()
    await with_core.change(kinds.CLUSTER, "c", {"spec": {"paused": False}})

    async def restored() -> bool:
        await with_core.reconcile()
        return await held(with_core) == before

    try:
        await until(restored, "everything as it was")
    except AssertionError as error:
        raise AssertionError(f"{error}: {before} and {await held(with_core)}") from error
    await core.says(with_core, "Available")


async def test_a2_of_two_control_planes_that_a_cluster_owns_core_and_we_serve_the_one_that_it_names(
    with_core: World,
) -> None:
    await core.born(with_core)
    await with_core.control_plane("other")
    await with_core.adopt("other")
    kubeconfig = await with_core.secret("c-kubeconfig")
    await with_core.reconcile("other")
    condition = await with_core.condition("Available", "other")
    assert (condition["status"], condition["reason"]) == ("False", "NotTheControlPlaneOfItsCluster")
    assert await with_core.get(kinds.TENANT_CONTROL_PLANE, "other") is None
    assert await with_core.secret("c-kubeconfig") == kubeconfig
    await core.says(with_core, "Available")
    told = (await core.cluster(with_core))["status"]["controlPlane"]
    assert told["replicas"] == 2
    await with_core.delete(kinds.KAMAJI_CONTROL_PLANE, "other")
    await with_core.reconcile("other")
    assert await with_core.get(kinds.KAMAJI_CONTROL_PLANE, "other") is None
    assert meta.decoded(await with_core.secret("c-kubeconfig")) == meta.decoded(kubeconfig)


async def test_a3_names_of_63_characters_are_good_enough_for_core(with_core: World) -> None:
    cluster, kcp = "c" * 63, "k" * 63
    await core.provisioned(with_core, cluster)
    infrastructure = {"apiGroup": lab_kinds.GROUP, "kind": "LabCluster", "name": cluster}
    await with_core.cluster(cluster, kcp=kcp, infrastructureRef=infrastructure)
    await with_core.control_plane(kcp)
    await core.asked(with_core, kcp)
    await with_core.host(kcp)

    async def available() -> bool:
        await with_core.reconcile(kcp)
        found = await with_core.get(kinds.CLUSTER, cluster)
        conditions = (found or {}).get("status", {}).get("conditions", ())
        return any((each["type"], each["status"]) == ("Available", "True") for each in conditions)

    try:
        await until(available, "the Cluster is available")
    except AssertionError as error:
        raise AssertionError(f"{error}: {(await core.cluster(with_core, cluster))['status']}") from error
    assert meta.labels_of(await with_core.kcp(kcp))[names.LABEL_CLUSTER_NAME] == cluster
