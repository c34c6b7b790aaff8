"""Events on KamajiControlPlanes: what changed, once, in words that say what to do. And why a roll-out does not get on."""

from __future__ import annotations

from provider.api import kinds
from tests.conformance.world import World


async def told(world: World, name: str = "kcp") -> list[tuple[str, str]]:
    """Type and reason of the control plane's Events, in the order in which they came."""
    found = await world.everybody.list(kinds.EVENT, world.namespace)
    of = [
        each
        for each in found
        if each["regarding"]["kind"] == "KamajiControlPlane" and each["regarding"]["name"] == name
    ]
    return [(each["type"], each["reason"]) for each in sorted(of, key=lambda each: str(each["eventTime"]))]


async def test_the_life_of_a_control_plane_is_told_in_events_and_a_quiet_pass_tells_nothing(world: World) -> None:
    await world.born()
    born = await told(world)
    assert ("Normal", "Initialized") in born
    assert ("Normal", "Available") in born
    await world.reconcile()
    assert await told(world) == born
    await world.host(ready=False, phase="NotReady", numbers=(2, 2, 0))
    await world.reconcile()
    await world.change(kinds.CLUSTER, "c", {"spec": {"paused": True}})
    await world.reconcile()
    await world.change(kinds.CLUSTER, "c", {"spec": {"paused": False}})
    await world.host()
    await world.reconcile()
    await world.change(kinds.TENANT_CONTROL_PLANE, "kcp", {"metadata": {"finalizers": ["example.com/held"]}})
    await world.delete(kinds.KAMAJI_CONTROL_PLANE, "kcp")
    await world.reconcile()
    rest = (await told(world))[len(born) :]
    assert rest[:2] == [("Warning", "Unavailable"), ("Normal", "Paused")]
    assert set(rest[2:4]) == {("Normal", "Available"), ("Normal", "Resumed")}
    assert rest[4:] == [("Normal", "Deleting")]
    notes = {each["reason"]: each["note"] for each in await world.everybody.list(kinds.EVENT, world.namespace)}
    assert notes["Unavailable"] == "PodsStarting: waiting for the first pod"
    await world.change(kinds.TENANT_CONTROL_PLANE, "kcp", {"metadata": {"finalizers": None}})


async def test_a_refusal_is_told_once_with_what_to_do(world: World) -> None:
    await world.born()
    await world.change(kinds.KAMAJI_CONTROL_PLANE, "kcp", {"spec": {"version": "v1.40.0"}})
    for _ in range(3):
        await world.reconcile()
    assert (await told(world)).count(("Warning", "RefusedByManagementCluster")) == 1


async def test_why_an_upgrade_does_not_get_on_stands_on_rolling_out(world: World) -> None:
    await world.born()
    await world.host()
    tcp = await world.tcp()
    waits = {
        "type": "Upgraded",
        "status": "False",
        "reason": "KubeletsTooOld",
        "message": "node w1 runs v1.32.0: upgrade it first",
        "lastTransitionTime": "2026-11-24T12:00:00Z",
    }
    conditions = [*tcp["status"]["conditions"], waits]
    await world.change(kinds.TENANT_CONTROL_PLANE, "kcp", {"status": {"conditions": conditions}}, "status")
    await world.reconcile()
    found = await world.condition("RollingOut")
    assert (found["status"], found["reason"], found["message"]) == ("True", waits["reason"], waits["message"])
    assert ("Warning", "KubeletsTooOld") in await told(world)
    await world.host()
    await world.reconcile()
    found = await world.condition("RollingOut")
    assert (found["status"], found["reason"], found["message"]) == ("False", "NotRollingOut", "")
    assert ("Normal", "RolledOut") in await told(world)
