"""A12, A13 and A14: deletion in the order of the contract, pausing, and what a move leaves behind."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.manifest import meta
from tests.conformance.world import World

HELD = {"metadata": {"finalizers": [names.FINALIZER_TENANT]}}
WAITS = 5.0


async def hold(world: World) -> None:
    """As the hosting room does while it has data of the tenant."""
    await world.change(kinds.TENANT_CONTROL_PLANE, "kcp", HELD)


async def let_go(world: World) -> None:
    await world.change(kinds.TENANT_CONTROL_PLANE, "kcp", {"metadata": {"finalizers": None}})


async def is_there(world: World, kind: Kind, name: str = "kcp") -> bool:
    return await world.get(kind, name) is not None


async def is_ending(world: World, kind: Kind, name: str = "kcp") -> bool:
    found = await world.get(kind, name)
    assert found is not None
    return "deletionTimestamp" in found["metadata"]


# --- A12: order


async def test_a12_the_control_plane_stays_until_its_tenant_is_gone(world: World) -> None:
    await world.born()
    await hold(world)
    await world.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    for _ in range(2):
        assert await world.reconcile() == WAITS
        assert await is_ending(world, kinds.TENANT_CONTROL_PLANE)
        condition = await world.condition("Deleting")
        assert (condition["status"], condition["reason"]) == ("True", "WaitingForTenantControlPlane")
        assert condition["message"] == f"waiting for TenantControlPlane {world.namespace}/kcp to be gone"
    stands = await world.versions()
    await world.reconcile()
    assert await world.versions() == stands
    await let_go(world)
    assert not await is_there(world, kinds.TENANT_CONTROL_PLANE)
    assert await world.reconcile() is None
    assert not await is_there(world, kinds.KAMAJI_CONTROL_PLANE)
    assert await world.reconcile() is None


async def test_a12_on_the_way_out_available_and_numbers_follow_the_tenant(world: World) -> None:
    await world.born()
    await hold(world)
    await world.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    await world.reconcile()
    assert (await world.condition("Available"))["status"] == "True"
    await world.host(ready=False, numbers=(0, 0, 0))
    await world.reconcile()
    assert (await world.condition("Available"))["status"] == "False"
    status = await world.status()
    assert (status["replicas"], status["initialization"]) == (0, {"controlPlaneInitialized": True})


async def test_a12_while_only_the_cluster_is_being_deleted_the_api_server_stays(world: World) -> None:
    await world.born()
    await world.change(kinds.CLUSTER, "c", {"metadata": {"finalizers": ["cluster.cluster.x-k8s.io"]}})
    await world.delete(kinds.CLUSTER, "c")
    assert await is_ending(world, kinds.CLUSTER, "c")
    stands = await world.versions()
    await world.reconcile()
    assert await world.versions() == stands
    world.kubectl("scale", "ktcp/kcp", "--replicas=3")  # and what it is told is still done
    await world.reconcile()
    assert (await world.tcp())["spec"]["controlPlane"]["deployment"]["replicas"] == 3


async def test_a12_a_tenant_that_is_gone_already_is_not_waited_for(world: World) -> None:
    await world.born()
    await world.delete(kinds.TENANT_CONTROL_PLANE, "kcp")
    await world.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    assert await world.reconcile() is None
    assert not await is_there(world, kinds.KAMAJI_CONTROL_PLANE)


async def test_a12_without_its_cluster_a_control_plane_still_ends_in_order(world: World) -> None:
    await world.born()
    await hold(world)
    await world.delete(kinds.CLUSTER, "c")
    assert await world.reconcile() is None
    assert not await is_ending(world, kinds.TENANT_CONTROL_PLANE)  # nobody asked for that
    await world.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    assert await world.reconcile() == WAITS
    assert await is_ending(world, kinds.TENANT_CONTROL_PLANE)
    await let_go(world)
    await world.reconcile()
    assert not await is_there(world, kinds.KAMAJI_CONTROL_PLANE)


async def test_a12_a_control_plane_that_was_never_born_goes_at_once(world: World) -> None:
    await world.cluster()
    await world.control_plane()
    await world.adopt()
    await world.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    assert await world.reconcile() is None
    assert not await is_there(world, kinds.KAMAJI_CONTROL_PLANE)


async def test_a12_a_finalizer_that_is_lost_comes_back(world: World) -> None:
    await world.born()
    await world.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", {"metadata": {"finalizers": ["somebody.else/s"]}})
    await world.reconcile()
    finalizers = (await world.kcp())["metadata"]["finalizers"]
    assert finalizers == ["somebody.else/s", names.FINALIZER_CONTROL_PLANE]
    await world.delete(kinds.TENANT_CONTROL_PLANE, "kcp")
    await world.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    await world.reconcile()
    assert (await world.kcp())["metadata"]["finalizers"] == ["somebody.else/s"]


async def test_a12_a_tenant_that_lost_its_owner_is_ended_all_the_same(world: World) -> None:
    await world.born()
    await world.change(kinds.TENANT_CONTROL_PLANE, "kcp", {"metadata": {"ownerReferences": None}})
    await world.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    assert await world.reconcile() == WAITS
    assert not await is_there(world, kinds.TENANT_CONTROL_PLANE)


async def test_a12_a_control_plane_that_its_cluster_no_longer_names_ends_what_it_made(world: World) -> None:
    await world.born()
    await world.cluster(kcp="next")
    await world.reconcile()
    assert (await world.condition("Available"))["reason"] == "NotTheControlPlaneOfItsCluster"
    assert not await is_ending(world, kinds.TENANT_CONTROL_PLANE)
    await world.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    await world.reconcile()
    assert not await is_there(world, kinds.TENANT_CONTROL_PLANE)


# --- A13: pausing

BY_CLUSTER, BY_ANNOTATION = "by the Cluster", "by the annotation"
WHY = {
    BY_CLUSTER: "Cluster spec.paused is set to true",
    BY_ANNOTATION: "KamajiControlPlane has the cluster.x-k8s.io/paused annotation",
}


async def pause(world: World, how: str) -> None:
    if how == BY_CLUSTER:
        await world.change(kinds.CLUSTER, "c", {"spec": {"paused": True}})
    else:
        await world.annotate(kinds.KAMAJI_CONTROL_PLANE, "kcp", names.ANNOTATION_CAPI_PAUSED, "")


async def go_on(world: World, how: str) -> None:
    if how == BY_CLUSTER:
        await world.change(kinds.CLUSTER, "c", {"spec": {"paused": False}})
    else:
        await world.annotate(kinds.KAMAJI_CONTROL_PLANE, "kcp", names.ANNOTATION_CAPI_PAUSED, None)


async def paused(world: World) -> tuple[Any, ...]:
    found = await world.condition("Paused")
    return tuple(found.get(each) for each in ("status", "reason", "message"))


async def is_paused_there(world: World) -> bool:
    return names.ANNOTATION_PAUSED in meta.annotations_of(await world.tcp())


@pytest.mark.parametrize("how", [BY_CLUSTER, BY_ANNOTATION])
async def test_a13_while_paused_nothing_moves_here_and_there_and_then_it_goes_on(world: World, how: str) -> None:
    await world.born()
    assert await paused(world) == ("False", "NotPaused", "")
    await pause(world, how)
    before = await world.status()
    await world.reconcile()
    assert await paused(world) == ("True", "Paused", WHY[how])
    assert (await world.condition("Paused"))["observedGeneration"] == (await world.kcp())["metadata"]["generation"]
    assert await is_paused_there(world)
    others = [each for each in (await world.status())["conditions"] if each["type"] != "Paused"]
    assert others == [each for each in before["conditions"] if each["type"] != "Paused"]

    stands = await world.versions()
    await world.reconcile()
    assert await world.versions() == stands
    await world.delete(kinds.SECRET, "c-ca")
    world.kubectl("scale", "ktcp/kcp", "--replicas=3")
    await world.reconcile()
    assert not await is_there(world, kinds.SECRET, "c-ca")
    assert (await world.tcp())["spec"]["controlPlane"]["deployment"]["replicas"] == 2

    await go_on(world, how)
    await world.reconcile()
    assert await paused(world) == ("False", "NotPaused", "")
    assert not await is_paused_there(world)
    assert await is_there(world, kinds.SECRET, "c-ca")
    assert (await world.tcp())["spec"]["controlPlane"]["deployment"]["replicas"] == 3


@pytest.mark.parametrize("how", [BY_CLUSTER, BY_ANNOTATION])
async def test_a13_paused_before_there_is_anything_it_says_so_and_makes_nothing(world: World, how: str) -> None:
    await world.cluster()
    await world.control_plane()
    await world.adopt()
    await pause(world, how)
    await world.reconcile()
    assert await paused(world) == ("True", "Paused", WHY[how])
    assert set(await world.status()) <= {"conditions", "externalManagedControlPlane"}  # the latter is a default
    assert not await is_there(world, kinds.TENANT_CONTROL_PLANE)
    assert "finalizers" not in (await world.kcp())["metadata"]
    await go_on(world, how)
    await world.reconcile()
    assert await is_there(world, kinds.TENANT_CONTROL_PLANE)


async def test_a13_both_reasons_are_told(world: World) -> None:
    await world.born()
    await pause(world, BY_CLUSTER)
    await pause(world, BY_ANNOTATION)
    await world.reconcile()
    assert (await paused(world))[2] == f"{WHY[BY_CLUSTER]}, {WHY[BY_ANNOTATION]}"
    await go_on(world, BY_CLUSTER)
    await world.reconcile()
    assert await paused(world) == ("True", "Paused", WHY[BY_ANNOTATION])
    assert await is_paused_there(world)


@pytest.mark.parametrize("how", [BY_CLUSTER, BY_ANNOTATION])
async def test_a13_a_deletion_is_paused_as_well(world: World, how: str) -> None:
    await world.born()
    await pause(world, how)
    await world.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    await world.reconcile()
    assert not await is_ending(world, kinds.TENANT_CONTROL_PLANE)
    assert await is_there(world, kinds.KAMAJI_CONTROL_PLANE)
    await go_on(world, how)
    await world.reconcile()
    assert not await is_there(world, kinds.TENANT_CONTROL_PLANE)
    await world.reconcile()
    assert not await is_there(world, kinds.KAMAJI_CONTROL_PLANE)


async def test_a13_paused_and_without_its_cluster_it_stays(world: World) -> None:
    await world.born()
    await pause(world, BY_ANNOTATION)
    await world.delete(kinds.CLUSTER, "c")
    await world.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    await world.reconcile()
    assert not await is_ending(world, kinds.TENANT_CONTROL_PLANE)
    assert await is_there(world, kinds.KAMAJI_CONTROL_PLANE)


@pytest.mark.parametrize("value", ["", "true"])
async def test_a13_a_tenant_that_the_user_paused_himself_stays_so(world: World, value: str) -> None:
    await world.born()
    await world.annotate(kinds.TENANT_CONTROL_PLANE, "kcp", names.ANNOTATION_PAUSED, value)
    await pause(world, BY_CLUSTER)
    await world.reconcile()
    await go_on(world, BY_CLUSTER)
    await world.reconcile()
    assert meta.annotations_of(await world.tcp())[names.ANNOTATION_PAUSED] == value


async def test_a13_a_tenant_can_be_paused_alone_through_its_control_plane(world: World) -> None:
    await world.born()
    await world.annotate(kinds.KAMAJI_CONTROL_PLANE, "kcp", names.ANNOTATION_PAUSED, "")
    await world.reconcile()
    assert await is_paused_there(world)
    await world.annotate(kinds.KAMAJI_CONTROL_PLANE, "kcp", names.ANNOTATION_PAUSED, None)
    await world.reconcile()
    assert not await is_paused_there(world)


# --- A14: moving to another management cluster


async def moved(world: World) -> None:
    """As clusterctl does with each object that it has made anew elsewhere: mark, then delete, then strip finalizers."""
    await world.annotate(kinds.KAMAJI_CONTROL_PLANE, "kcp", names.ANNOTATION_DELETE_FOR_MOVE, "")
    await world.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")


async def test_a14_what_was_moved_away_ends_without_its_tenants_data(world: World) -> None:
    await world.born()
    await hold(world)
    await moved(world)
    assert await world.reconcile() is None
    assert not await is_there(world, kinds.KAMAJI_CONTROL_PLANE)
    assert not await is_ending(world, kinds.TENANT_CONTROL_PLANE)
    # Should garbage collection end it, the hosting room knows that its data live on elsewhere.
    assert names.ANNOTATION_DELETE_FOR_MOVE in meta.annotations_of(await world.tcp())
    assert await is_there(world, kinds.SECRET, "kcp-ca")


async def test_a14_while_the_cluster_is_paused_for_the_move_nothing_is_done_at_all(world: World) -> None:
    await world.born()
    await pause(world, BY_CLUSTER)
    await world.reconcile()
    await moved(world)
    await world.reconcile()
    assert (await world.condition("Deleting"))["status"] == "False"
    assert names.ANNOTATION_DELETE_FOR_MOVE not in meta.annotations_of(await world.tcp())
    await world.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", {"metadata": {"finalizers": None}})
    await world.reconcile()
    assert not await is_there(world, kinds.KAMAJI_CONTROL_PLANE)
    assert not await is_ending(world, kinds.TENANT_CONTROL_PLANE)


async def test_a14_what_was_moved_away_after_its_cluster_leaves_the_tenant_too(world: World) -> None:
    await world.born()
    await world.delete(kinds.CLUSTER, "c")
    await moved(world)
    await world.reconcile()
    assert not await is_there(world, kinds.KAMAJI_CONTROL_PLANE)
    assert not await is_ending(world, kinds.TENANT_CONTROL_PLANE)


async def test_a14_what_arrives_is_found_again_from_its_spec_and_the_world(world: World) -> None:
    """clusterctl makes objects anew, with new uids and owners, without status and without the managers of fields."""
    await world.born()
    await pause(world, BY_CLUSTER)
    await world.reconcile()
    kcp, tcp = await world.kcp(), await world.tcp()
    secrets = await world.everybody.list(kinds.SECRET, world.namespace)
    assert {"c-kubeconfig", "c-ca", "c-sa", "kcp-ca"} <= {each["metadata"]["name"] for each in secrets}
    for kind, name in ((kinds.KAMAJI_CONTROL_PLANE, "kcp"), (kinds.TENANT_CONTROL_PLANE, "kcp")):
        await world.change(kind, name, {"metadata": {"finalizers": None}})
        await world.delete(kind, name)
    for secret in secrets:
        await world.delete(kinds.SECRET, secret["metadata"]["name"])

    arrived = {each["metadata"]["uid"]: each for each in [await world.get(kinds.CLUSTER, "c")] if each}
    for each in (kcp, tcp, *secrets):
        body = {key: value for key, value in each.items() if key != "status"}
        owners = [{**old, "uid": arrived[old["uid"]]["metadata"]["uid"]} for old in each["metadata"]["ownerReferences"]]
        kept = {
            key: each["metadata"][key]
            for key in ("name", "namespace", "labels", "annotations")
            if key in each["metadata"]
        }
        made = await world.everybody.create({**body, "metadata": {**kept, "ownerReferences": owners}})
        arrived[each["metadata"]["uid"]] = made
    world.restart()
    await world.reconcile()
    assert await paused(world) == ("True", "Paused", WHY[BY_CLUSTER])
    await go_on(world, BY_CLUSTER)
    await world.reconcile()
    assert not await is_paused_there(world)
    await world.host()
    await world.reconcile()
    assert (await world.status())["initialization"] == {"controlPlaneInitialized": True}
    assert (await world.tcp())["spec"] == tcp["spec"]
    for name in ("c-kubeconfig", "c-ca"):
        (owner,) = (await world.secret(name))["metadata"]["ownerReferences"]
        assert owner["uid"] == (await world.kcp())["metadata"]["uid"]
    stands = await world.versions()
    await world.reconcile()
    assert await world.versions() == stands
