"""Members of a pool's etcd, real ones with data in them: lost and replaced, all down and back, more of them, rolled."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from provider.api import kinds
from provider.hosting.desired.pool import roster, snapshot
from provider.hosting.reconcile import pool as pool_pass
from tests.integration.pool_fleet import (
    KEYS,
    PATIENCE,
    a_quorum_serves,
    asked,
    begun,
    is_whole,
    lead,
    leader_of,
    snapshots,
    until_counted,
)
from tests.integration.pool_pods import MANAGER, Pods
from tests.integration.pool_world import NAMESPACE, World


@pytest.mark.fields("DataStorePool", "spec.members")
async def test_three_members_are_begun_with_auth_on_and_a_budget(
    world: World, tmp_path: Path, running: list[Pods]
) -> None:
    fleet = await begun(world, "three", tmp_path, running)
    assert len(await fleet.voters()) == 3
    async with fleet.store() as store:
        assert (await store.health()).auth_enabled
    assert (await world.get(kinds.DATA_STORE, "three"))["status"]["ready"] is True
    budget = await world.get(kinds.POD_DISRUPTION_BUDGET, "three-etcd")
    assert budget["spec"]["maxUnavailable"] == 1
    for member in fleet.pods.members:  # each takes a stranger for what it is
        assert fleet.pods.members[member].answers("livez")


async def test_while_all_is_well_a_pass_writes_nothing(world: World, tmp_path: Path, running: list[Pods]) -> None:
    await begun(world, "still", tmp_path, running)
    before = await world.versions("still")
    await pool_pass.pool(world.context, "still")
    assert await world.versions("still") == before


async def test_a_member_that_comes_back_is_not_replaced(world: World, tmp_path: Path, running: list[Pods]) -> None:
    fleet = await begun(world, "back", tmp_path, running)
    before = {each.id for each in await fleet.voters()}
    fleet.pods.hold("back-etcd-1")
    for _ in range(4):
        await fleet.step()
    await until_counted(fleet)
    message = await fleet.until_told("MembersReady", "False", "MemberDown")
    assert "back-etcd-1 does not answer" in message
    fleet.pods.held.clear()
    await fleet.ready(3)
    assert {each.id for each in await fleet.voters()} == before


async def test_a_member_whose_volume_is_lost_is_taken_out_and_let_in_anew_with_everything(
    world: World, tmp_path: Path, running: list[Pods]
) -> None:
    fleet = await begun(world, "burnt", tmp_path, running)
    before = {each.host.partition(".")[0]: each.id for each in await fleet.voters()}
    claims = {each: (roster.claim_of(await world.view("burnt"), each) or {})["metadata"]["uid"] for each in before}
    await fleet.pods.lose_volume("burnt-etcd-2")
    await fleet.pods.settle()  # the controller makes pod and claim anew
    await fleet.ready(3)
    after = {each.host.partition(".")[0]: each.id for each in await fleet.voters()}
    assert after.keys() == before.keys()
    assert {name for name, each in after.items() if each != before[name]} == {"burnt-etcd-2"}
    assert (roster.claim_of(await world.view("burnt"), "burnt-etcd-2") or {})["metadata"]["uid"] != claims[
        "burnt-etcd-2"
    ]
    for each in (
        "burnt-etcd-0",
        "burnt-etcd-1",
    ):  # the one that is new has all of it, and with one other makes a quorum
        fleet.pods.hold(each)
        await until_counted(fleet)
        fleet.pods.held.clear()
        await fleet.ready(3)


async def test_a_new_member_gets_its_vote_whichever_of_the_others_leads(
    world: World, tmp_path: Path, running: list[Pods]
) -> None:
    """The Service leads to one that is not the leader, and with auth on that one cannot pass the question on."""
    fleet = await begun(world, "follows", tmp_path, running)
    await lead(fleet, "follows-etcd-1")
    assert await leader_of(fleet) == "follows-etcd-1"
    await fleet.pods.lose_volume("follows-etcd-2")
    await fleet.pods.settle()
    await fleet.ready(3)


@pytest.mark.nightly
async def test_when_two_of_three_are_lost_then_nothing_is_taken_out_and_what_is_left_stays(
    world: World, tmp_path: Path, running: list[Pods]
) -> None:
    fleet = await begun(world, "fatal", tmp_path, running)
    for each in ("fatal-etcd-1", "fatal-etcd-2"):
        await fleet.pods.lose_volume(each)
    before = await world.get(kinds.CONFIG_MAP, "fatal-etcd")
    for _ in range(4):
        await fleet.step()
    assert (await world.get(kinds.CONFIG_MAP, "fatal-etcd"))["data"] == before["data"]
    assert (await fleet.condition("Ready"))[0] == "False"
    assert any((fleet.pods.members["fatal-etcd-0"].data / "data").rglob("db"))
    async with asyncio.timeout(PATIENCE):
        for each in ("fatal-etcd-1", "fatal-etcd-2"):
            while not any(word in fleet.pods.members[each].log() for word in ("unequal", "could not retrieve")):
                await fleet.step()


async def test_all_members_down_at_once_come_back_with_everything(
    world: World, tmp_path: Path, running: list[Pods]
) -> None:
    fleet = await begun(world, "night", tmp_path, running)
    before = {each.id for each in await fleet.voters()}
    for each in list(fleet.pods.members):
        fleet.pods.hold(each)
    for _ in range(3):
        await fleet.step()
    assert (await fleet.condition("Ready"))[0] == "False"
    fleet.pods.held.clear()
    await fleet.ready(3)
    assert await fleet.count() == KEYS
    assert {each.id for each in await fleet.voters()} == before


@pytest.mark.nightly
async def test_a_single_member_becomes_three_and_then_five_and_keeps_its_data(
    world: World, tmp_path: Path, running: list[Pods]
) -> None:
    fleet = await begun(world, "grows", tmp_path, running, members=1)
    for members in (3, 5):
        spec = {"spec": {"members": members}}
        await world.cluster.merge(kinds.DATA_STORE_POOL, "grows", None, spec, manager=MANAGER)
        await fleet.ready(members)
        assert await fleet.count() == KEYS
    assert len(await fleet.voters()) == 5
    fleet.pods.hold("grows-etcd-0")
    fleet.pods.hold("grows-etcd-1")
    await until_counted(fleet)


@pytest.mark.parametrize("which", ["etcd-ca", "etcd-peer-ca"])
async def test_when_an_authority_is_lost_then_all_start_again_at_once_for_old_and_new_do_not_know_each_other(
    world: World, tmp_path: Path, running: list[Pods], which: str
) -> None:
    name = f"trust-{len(which)}"
    fleet, secret = await begun(world, name, tmp_path, running), f"{name}-{which}"
    before = (await world.view(name)).secret(secret)
    await world.cluster.delete(kinds.SECRET, secret, NAMESPACE)
    await fleet.until(lambda view: view.secret(secret) not in ({}, before))
    await fleet.ready(3)
    assert await fleet.count() == KEYS


async def test_another_version_comes_after_a_snapshot_to_one_member_at_a_time_the_leader_last_and_somebody_always_serves(
    world: World, tmp_path: Path, running: list[Pods]
) -> None:
    """There is one etcd to run, so what rolls is real and what it becomes is the same."""
    fleet = await begun(world, "rolls", tmp_path, running)
    pods = [f"rolls-etcd-{number}" for number in range(3)]
    before = {each: (await world.get(kinds.POD, each))["metadata"]["uid"] for each in pods}
    leader, order = await leader_of(fleet), []
    await asked(fleet, version="3.6.15")
    async with asyncio.timeout(PATIENCE):
        while len(order) < 3:
            await fleet.step()
            now = {each: await world.cluster.get(kinds.POD, each, NAMESPACE) for each in pods}
            new = [each for each, pod in now.items() if pod and pod["metadata"]["uid"] != before[each]]
            assert len(set(new) - set(order)) <= 1, "one at a time"
            assert not new or snapshots(fleet), "not before the snapshot"
            order += sorted(set(new) - set(order))
            await a_quorum_serves(fleet)
    await fleet.ready(3)
    assert order[-1] == leader
    assert await fleet.count() == KEYS
    assert [is_whole(each) for each in snapshots(fleet)] == [True]


async def test_while_a_member_is_down_no_upgrade_begins_and_none_goes_on(
    world: World, tmp_path: Path, running: list[Pods]
) -> None:
    fleet = await begun(world, "stops", tmp_path, running)
    fleet.pods.hold("stops-etcd-1")
    await fleet.step()
    await asked(fleet, version="3.6.15")
    for _ in range(3):
        await fleet.step()
    wait = (
        "etcd stays at 3.6.16 until a snapshot is written to a member's volume, which begins when stops-etcd-1 answers"
    )
    await fleet.until_told("Updated", "False", "WaitingForMembers", wait)
    assert snapshots(fleet) == []
    fleet.pods.held.clear()
    await fleet.until(lambda view: snapshot.told(view) == "3.6.15")
    fleet.pods.held.update(fleet.pods.members)  # as if the new version did not start: whoever is deleted stays down
    async with asyncio.timeout(PATIENCE):
        while [each.runs for each in fleet.pods.members.values()].count(True) == 3:
            await fleet.step()
    for _ in range(6):
        await fleet.step()
    assert [each.runs for each in fleet.pods.members.values()].count(True) == 2
    fleet.pods.held.clear()
    await fleet.ready(3)
    assert await fleet.count() == KEYS


async def test_when_the_snapshot_fails_then_nothing_is_upgraded_and_the_condition_names_the_job(
    world: World, tmp_path: Path, running: list[Pods]
) -> None:
    fleet = await begun(world, "unsaved", tmp_path, running, members=1)
    (fleet.pods.members["unsaved-etcd-0"].data / "snapshots").write_text("where the folder should be")
    await asked(fleet, version="3.6.15")
    message = await fleet.until_told("Updated", "False", "SnapshotFailed")
    (job,) = await world.cluster.list(kinds.JOB, NAMESPACE, labels={"x.kamaji.clastix.io/store": "unsaved"})
    assert f"Job {NAMESPACE}/{job['metadata']['name']} failed" in message
    assert snapshot.told(await world.view("unsaved")) == "3.6.16"

    (fleet.pods.members["unsaved-etcd-0"].data / "snapshots").unlink()
    await world.cluster.delete(kinds.JOB, job["metadata"]["name"], NAMESPACE)
    await fleet.until(lambda view: snapshot.told(view) == "3.6.15")
    await fleet.ready(1)
