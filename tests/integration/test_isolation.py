"""The self-test of tenants' isolation against a real etcd: it sees what is let through, it hurts nobody, and who is told."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from etcd3aio._protobuf import AlarmRequest
from etcd3aio.auth import PermissionType
from etcd3aio.maintenance import AlarmType
from prometheus_client import REGISTRY

from lab.servers import ApiServer, Authority, Etcd
from provider import __main__ as command
from provider.api import kinds
from provider.hosting.datastores.errors import Alarmed
from provider.hosting.datastores.etcd import versions
from provider.hosting.reconcile import datastore as store_pass
from provider.hosting.reconcile import isolation
from provider.hosting.reconcile.storage import PROOF_AGE
from provider.manifest.condition import find
from tests.integration.lent_etcd import Lent, keyspace
from tests.integration.tenant_world import Store, TenantWorld, key

QUESTIONS = {
    *("grant", "range", "txn", "nested txn", "prev kv", "delete range", "watch from key"),
    *("lease", "alarm", "members", "compact", "auth off", "snapshot", "defragment"),
}
VICTIM = b"/victim/key"
VERSIONS = ("etcd", "etcd-3.7")  # the minor that stores begin with, and the one that they are upgraded to


@asynccontextmanager
async def etcd_with(folder: Path, *, auth: bool = True, quota: int = 0, program: str = "etcd") -> AsyncIterator[Lent]:
    """An etcd of the test's own, which was tried once, with two tenants; one of them has a key."""
    authority = Authority()
    lent = Lent(Etcd(folder, authority=authority, quota=quota, program=program).start(), authority)
    try:
        async with lent.store() as store:
            if auth:
                await store.enable_auth()
            if not quota:
                await store.probe()
            for each in ("victim", "intruder"):
                await store.ensure(keyspace(each))
        yield lent
    finally:
        lent.etcd.stop()


async def state(root: Any) -> tuple[Any, ...]:
    """All that a question could have changed."""
    auth = await root.auth.auth_status()
    keys = await root.kv.get(b"\0", b"\0")
    members = sorted(each.ID for each in (await root.cluster.member_list()).members)
    alarms = sorted(each.alarm for each in (await root.maintenance.alarms()).alarms)
    leases = sorted(each.ID for each in (await root.lease.leases()).leases)
    users = sorted((await root.auth.user_list()).users)
    return auth.enabled, keys.header.revision, [each.key for each in keys.kvs], members, alarms, leases, users


@pytest.mark.keeps("better.isolation-tried")
@pytest.mark.parametrize("program", VERSIONS)
async def test_a_tenants_certificate_is_refused_every_single_thing(tmp_path: Path, program: str) -> None:
    async with etcd_with(tmp_path, program=program) as lent:
        async with lent.store("intruder") as tenant:
            answers = await tenant.asked(keyspace("intruder"))
        assert {each.question for each in answers} == QUESTIONS
        assert [each for each in answers if each.reached] == []


@pytest.mark.parametrize("program", VERSIONS)
async def test_root_is_refused_nothing_so_each_question_can_fail(tmp_path: Path, program: str) -> None:
    async with etcd_with(tmp_path, program=program) as lent:
        async with await lent.wire() as root:
            await root.kv.put(VICTIM, b"value")
            before = await state(root)
            async with lent.store() as store:
                answers = await store.asked(keyspace("intruder"))
            assert {each.question for each in answers if not each.reached} == {"grant"}
            enabled, revision, keys, members, alarms, leases, users = await state(root)
        # The provider's own lease is what it gives away; with it goes its own key, and nothing else.
        assert leases == []
        assert (enabled, members, alarms, users) == (before[0], *before[3:5], before[6])
        assert [each for each in before[2] if each not in keys] == [b"x.kamaji.clastix.io/probe"]
        assert revision == before[1] + 1


@pytest.mark.keeps("better.isolation-tried")
@pytest.mark.parametrize("program", VERSIONS)
async def test_while_the_store_is_full_everything_is_refused_as_well(tmp_path: Path, program: str) -> None:
    async with etcd_with(tmp_path, quota=1, program=program) as lent, await lent.wire() as root:
        with pytest.raises(grpc.aio.AioRpcError, match="space exceeded"):
            await root.kv.put(VICTIM, b"value")
        async with lent.store() as store:
            assert (await store.health()).alarms == {"NOSPACE"}
        async with lent.store("intruder") as tenant:
            answers = await tenant.asked(keyspace("intruder"))
        assert {each.question for each in answers} == QUESTIONS
        assert [each for each in answers if each.reached] == []
        async with lent.store() as store:
            assert (await store.health()).alarms == {"NOSPACE"}


@pytest.mark.keeps("better.isolation-tried")
@pytest.mark.parametrize("program", VERSIONS)
async def test_while_members_hold_different_data_everything_is_refused_as_well(tmp_path: Path, program: str) -> None:
    async with etcd_with(tmp_path, program=program) as lent, await lent.wire() as root:
        await root.kv.put(VICTIM, b"value")
        await raised(root, AlarmType.CORRUPT)
        async with lent.store() as store:
            assert (await store.health()).alarms == {"CORRUPT"}
            with pytest.raises(Alarmed, match="CORRUPT"):
                await store.tried()
            reached = {each.question for each in await store.asked(keyspace("intruder")) if each.reached}
        assert reached >= {"alarm", "members", "auth off", "snapshot", "defragment"}, "of root it is let through"
        async with lent.store("intruder") as tenant:
            answers = await tenant.asked(keyspace("intruder"))
        assert {each.question for each in answers} == QUESTIONS
        assert [each for each in answers if each.reached] == []
        async with lent.store() as store:
            assert (await store.health()).alarms == {"CORRUPT"}


async def raised(root: Any, alarm: AlarmType) -> None:
    """As a member does that finds itself full, or other than its peers."""
    asked = AlarmRequest(action=AlarmRequest.ACTIVATE, memberID=0, alarm=int(alarm))
    await root.maintenance._rpc(root.maintenance._stub.Alarm, asked, operation="Maintenance.Alarm")


async def test_with_auth_off_it_is_found_and_no_harm_is_done(tmp_path: Path) -> None:
    async with etcd_with(tmp_path, auth=False) as lent, await lent.wire() as root:
        await root.kv.put(VICTIM, b"value")
        async with lent.store("intruder") as tenant:
            reached = {each.question for each in await tenant.asked(keyspace("intruder")) if each.reached}
        assert reached >= {"range", "txn", "delete range", "watch from key", "snapshot", "auth off"}
        assert (await root.auth.auth_status()).enabled is False
        assert (await root.kv.get(VICTIM)).kvs[0].value == b"value"


# Who is told, and when it is asked again


@pytest.fixture
async def store(hosting: TenantWorld, namespace: str, tmp_path: Path) -> AsyncIterator[Store]:
    authority = Authority()
    etcd = Etcd(tmp_path / "store", authority=authority).start()
    yield await hosting.offer(f"store-{namespace}", etcd, authority)
    etcd.stop()


@pytest.mark.keeps("better.isolation-tried")
async def test_what_was_asked_is_a_condition_of_the_tenant_and_a_breach_is_one_too(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    tenant = await hosting.ask_for("asked", namespace, store)
    async with hosting.started() as tenant_pass:
        await tenant_pass(key(tenant))
        status, reason, message = await hosting.condition(tenant, "StorageIsolated")
        assert (status, reason) == ("True", "Refused")
        assert all(each in message for each in QUESTIONS)
        before = await hosting.versions(tenant)
        await tenant_pass(key(tenant))
        assert await hosting.versions(tenant) == before

        async with await store.wire() as root:
            await root.auth.auth_disable()
        hosting.later = PROOF_AGE + timedelta(seconds=1)
        await tenant_pass(key(tenant))
        status, reason, message = await hosting.condition(tenant, "StorageIsolated")
        assert (status, reason) == ("False", "IsolationBroken")
        assert "is the store's auth off?" in message

        async with store.root() as root:
            await root.enable_auth()
        await tenant_pass(key(tenant))
        assert (await hosting.condition(tenant, "StorageIsolated"))[0] == "True"

        store.etcd.stop()
        await store_pass.datastore(hosting.context, store.name)
        await tenant_pass(key(tenant))
        assert (await hosting.condition(tenant, "StorageIsolated"))[:2] == ("Unknown", "DataStoreNotReady")


@pytest.mark.keeps("better.isolation-tried")
async def test_a_grant_that_somebody_widened_is_narrowed_counted_and_told(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    tenant = await hosting.ask_for("widened", namespace, store)
    uid = tenant["metadata"]["uid"]
    await hosting.passed(tenant)
    async with await store.wire() as root:
        await root.auth.role_grant_permission(uid, b"/", b"0", perm_type=PermissionType.READ)
        await hosting.passed(tenant)
        assert len((await root.auth.role_get(uid)).perm) == 1
    assert (await hosting.condition(tenant, "StorageIsolated"))[0] == "True"
    labels = {"datastore_name": store.name}
    assert REGISTRY.get_sample_value("kamaji_datastore_grant_drift_total", labels) == 1
    events = await hosting.admin.list(kinds.EVENT, namespace)
    assert [each["type"] for each in events if each["reason"] == "GrantRepaired"] == ["Warning"]


@pytest.mark.keeps("better.isolation-tried")
@pytest.mark.parametrize("word", ["version", "clusterID", "lastRestored"])
async def test_after_an_upgrade_or_a_restore_of_the_store_it_is_asked_again_at_once(
    hosting: TenantWorld, store: Store, namespace: str, word: str
) -> None:
    tenant = await hosting.ask_for("again", namespace, store)
    async with hosting.started() as tenant_pass:
        await tenant_pass(key(tenant))
        hosting.dialled.clear()
        await tenant_pass(key(tenant))
        assert hosting.dialled == []
        other = {"version": "3.7.9", "clusterID": "abc", "lastRestored": "2026-01-01T00:00:00Z"}[word]
        await hosting.admin.merge(
            kinds.DATA_STORE, store.name, None, {"status": {word: other}}, subresource="status", manager="tests"
        )
        await tenant_pass(key(tenant))
        assert tenant["metadata"]["uid"] in hosting.dialled


async def test_a_store_whose_volume_is_put_back_says_when_and_a_restart_says_nothing(
    hosting: TenantWorld, store: Store, tmp_path: Path
) -> None:
    context, data = hosting.context, store.etcd.folder / "data"

    async def looked() -> dict[str, Any]:
        await store_pass.datastore(context, store.name)
        return dict((await hosting.admin.get(kinds.DATA_STORE, store.name) or {})["status"])

    store.etcd.stop()
    shutil.copytree(data, tmp_path / "older")
    store.etcd.start()
    assert (await looked())["version"].startswith("3.")
    async with await store.wire() as root:
        for number in range(20):
            await root.kv.put(f"/later/{number}", b"")
    assert "lastRestored" not in await looked()
    store.etcd.stop()
    store.etcd.start()
    assert "lastRestored" not in await looked()
    store.etcd.stop()
    shutil.rmtree(data)
    shutil.copytree(tmp_path / "older", data)
    store.etcd.start()
    assert (await looked())["lastRestored"]


async def test_an_etcd_whose_version_has_known_holes_lets_nobody_new_in_and_says_what_to_run(
    hosting: TenantWorld, store: Store, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a release of ours that knows of one hole more: the etcd is the same as before, what is safe is not."""
    settled = await hosting.ask_for("settled", namespace, store)
    await hosting.passed(settled)
    monkeypatch.setattr(versions, "SAFE", {(3, 6): 999})
    await store_pass.datastore(hosting.context, store.name)
    found = (await hosting.admin.get(kinds.DATA_STORE, store.name) or {})["status"]
    ready = find(found["conditions"], "Ready") or {}
    assert (found["ready"], ready["status"], ready["reason"]) == (False, "False", "IsolationUnsafe")
    assert "has known ways for one tenant to reach another's keys: run " in ready["message"]

    late = await hosting.ask_for("late", namespace, store)
    async with hosting.started() as tenant_pass:
        await tenant_pass(key(late))
        status, reason, message = await hosting.condition(late, "StorageReady")
        assert (status, reason) == ("False", "DataStoreNotReady")
        assert ready["message"] in message
        assert await hosting.keyspace(late) == {}
        assert await hosting.look(kinds.DEPLOYMENT, late) is None
        async with await store.wire() as root:
            assert sorted((await root.auth.user_list()).users) == sorted(["root", settled["metadata"]["uid"]])
            assert sorted((await root.auth.role_list()).roles) == sorted(["root", settled["metadata"]["uid"]])
        await tenant_pass(key(settled))
        assert await hosting.look(kinds.DEPLOYMENT, settled) is not None, "who is in it is not torn down"

        monkeypatch.undo()
        await store_pass.datastore(hosting.context, store.name)
        await tenant_pass(key(late))
        assert (await hosting.condition(late, "StorageReady"))[0] == "True"


async def test_the_table_says_of_every_tenant_what_it_was_refused(
    hosting: TenantWorld, store: Store, namespace: str, api_server: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    tenants = [await hosting.ask_for(each, namespace, store) for each in ("one", "two")]
    names = [f"{namespace}/{each}" for each in ("one", "two")]
    for each in tenants:
        await hosting.passed(each)
    rows = await isolation.table(hosting.context, names)
    assert [row.tenant for row in rows] == names
    assert all(row.isolated for row in rows)

    async with await store.wire() as root:
        await root.auth.role_add("wide")
        await root.auth.role_grant_permission("wide", b"\0", b"\0", perm_type=PermissionType.READWRITE)
        await root.auth.user_grant_role(tenants[0]["metadata"]["uid"], "wide")
    await assert_told(hosting, names)

    file = api_server.folder / "isolation.kubeconfig"
    file.write_bytes(api_server.kubeconfig())
    status = await run(["isolation", "--kubeconfig", str(file), "-o", "json", *names])
    said = json.loads(capsys.readouterr().out)
    assert status == 1
    assert [each["isolated"] for each in said] == [False, True]
    store.etcd.stop()
    assert await run(["isolation", "--kubeconfig", str(file), names[1]]) == 3
    assert "not asked" in capsys.readouterr().out


async def assert_told(hosting: TenantWorld, names: list[str]) -> None:
    rows = await isolation.table(hosting.context, names)
    assert [row.isolated for row in rows] == [False, True]
    reached = {each.question for each in rows[0].answers if each.reached}
    assert reached == {"grant", "range", "txn", "nested txn", "prev kv", "delete range", "watch from key", "lease"}
    first, *lines = isolation.text(rows).splitlines()
    assert first == "etcd"
    assert "nested txn" in lines[0]
    assert "ALLOWED" in lines[1]
    assert "ALLOWED" not in lines[2]


async def run(arguments: list[str]) -> int:
    """The command has a loop of its own."""
    return await asyncio.to_thread(command.main, arguments)
