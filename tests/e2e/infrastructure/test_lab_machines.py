"""LabMachines: made, joined, refused, interrupted, gone. Against real core, real kubeadm and the lab's own machines."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lab.infrastructure import kinds as lab_kinds
from provider.api import kinds
from tests.e2e.conftest import steady, until
from tests.e2e.infrastructure.conftest import Joined


async def node(joined: Joined, name: str) -> dict[str, Any]:
    return await joined.management.get(kinds.NODE, name) or {}


async def ready(joined: Joined, name: str) -> bool:
    conditions = ((await node(joined, name)).get("status") or {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


async def test_when_a_machine_has_its_bootstrap_data_it_joins_and_core_finds_its_node(joined: Joined) -> None:
    await joined.machine("worker-a")
    await joined.until_reason("worker-a", "Running")
    found = await joined.lab_machine("worker-a")
    assert found is not None
    assert found["spec"]["providerID"] == f"lab://{joined.lab.name}/worker-a"
    assert found["status"]["initialization"] == {"provisioned": True}
    assert {"type": "InternalIP", "address": joined.lab.machine("worker-a").address} in found["status"]["addresses"]

    async def node_ready() -> bool:
        return await ready(joined, "worker-a")

    async def matched() -> bool:
        machine = await joined.management.get(lab_kinds.MACHINE, "worker-a", joined.namespace)
        return ((machine or {}).get("status") or {}).get("nodeRef", {}).get("name") == "worker-a"

    await until(node_ready, "the node is Ready, with its pod network")
    await until(matched, "core has found the Node by its providerID")
    await joined.remove("worker-a")
    assert not joined.lab.machine("worker-a").exists()
    assert "worker-a" not in joined.lab.network().allocated()


async def test_when_two_machines_have_joined_each_has_a_route_to_the_others_pods(joined: Joined) -> None:
    for name in ("worker-b", "worker-c"):
        await joined.machine(name)
    for name in ("worker-b", "worker-c"):
        await joined.until_reason(name, "Running")

    async def routed() -> bool:
        subnets = {each: (await node(joined, each)).get("spec", {}).get("podCIDR") for each in ("worker-b", "worker-c")}
        tables = {
            each: joined.lab.machine(each).exec(["ip", "route"]).stdout.decode() for each in ("worker-b", "worker-c")
        }
        b, c = (joined.lab.machine(each).address for each in ("worker-b", "worker-c"))
        return all(subnets.values()) and (
            f"{subnets['worker-c']} via {c}" in tables["worker-b"]
            and f"{subnets['worker-b']} via {b}" in tables["worker-c"]
        )

    await until(routed, "each machine has a route to the other's podCIDR")


@pytest.mark.nightly
async def test_when_bootstrap_data_asks_for_more_than_a_lab_machine_does_no_machine_is_made(joined: Joined) -> None:
    await joined.machine("worker-d", "#cloud-config\nusers: [{name: eve}]\n")
    condition = await joined.until_reason("worker-d", "BootstrapDataRefused")
    assert "users" in condition["message"]
    assert not joined.lab.machine("worker-d").exists()


async def test_when_a_file_is_not_for_the_machines_own_disk_it_is_refused(joined: Joined) -> None:
    await joined.machine("worker-e", "#cloud-config\nwrite_files: [{path: /etc/passwd, content: x}]\n")
    condition = await joined.until_reason("worker-e", "BootstrapDataRefused")
    assert "/etc/passwd" in condition["message"]


@pytest.mark.nightly
async def test_when_the_bootstrap_fails_its_last_words_are_told_and_no_token(joined: Joined) -> None:
    words = f"echo no way in with {joined.token}; exit 3"
    await joined.machine("worker-f", f"#cloud-config\nruncmd: ['{words}']\n")
    condition = await joined.until_reason("worker-f", "BootstrapFailed")
    assert "no way in with (token)" in condition["message"]


@pytest.mark.nightly
async def test_when_a_machine_of_that_name_is_someone_elses_it_is_left_alone(joined: Joined) -> None:
    foreign = joined.lab.machine("worker-g")
    await asyncio.to_thread(foreign.create)
    try:
        await joined.machine("worker-g")
        await joined.until_reason("worker-g", "NameTaken")
        await joined.remove("worker-g")
        assert foreign.running()
    finally:
        await asyncio.to_thread(foreign.delete)


@pytest.mark.nightly
async def test_when_a_machine_is_deleted_before_it_was_ready_nothing_of_it_is_left(joined: Joined) -> None:
    await joined.machine("worker-h", "#cloud-config\nruncmd: ['sleep 600']\n")
    await joined.until_reason("worker-h", "Bootstrapping")
    await joined.remove("worker-h")
    assert not joined.lab.machine("worker-h").exists()
    assert not (joined.lab.root / "labmachines" / "worker-h").exists()


async def test_when_the_cluster_is_paused_its_machines_wait_and_then_go_on(joined: Joined) -> None:
    async def pause(paused: bool) -> None:
        patch = {"spec": {"paused": paused}}
        await joined.management.merge(lab_kinds.CLUSTER, "self", joined.namespace, patch, manager="e2e")

    await joined.machine("worker-i", "#cloud-config\nruncmd: ['sleep 600']\n")
    await joined.until_reason("worker-i", "Bootstrapping")
    await pause(True)

    async def says(status: str) -> bool:
        return (await joined.condition("worker-i", "Paused")).get("status") == status

    await until(lambda: says("True"), "the LabMachine says Paused")
    await joined.management.delete(lab_kinds.LAB_MACHINE, "worker-i", joined.namespace)
    await asyncio.sleep(2)
    assert joined.lab.machine("worker-i").exists()
    await pause(False)

    async def gone() -> bool:
        return await joined.lab_machine("worker-i") is None

    await until(gone, "the deletion goes on when the pause is over")
    assert not joined.lab.machine("worker-i").exists()


async def test_when_all_is_as_it_should_be_nothing_is_written(joined: Joined) -> None:
    await joined.machine("worker-j")
    await joined.until_reason("worker-j", "Running")

    async def version() -> str:
        found = await joined.lab_machine("worker-j")
        assert found is not None
        return str(found["metadata"]["resourceVersion"])

    before = await steady(version, "the LabMachine", 5)
    await asyncio.sleep(40)  # longer than the provider's own round
    assert await version() == before
