"""Bad days of a tenant's store: it dies in the midst of a grant, is full, shows another authority, and clocks differ.

Each is told by one condition, opens nothing, loses nothing, and is over when its cause is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from etcd3aio.base import BaseService

from lab.servers import Authority, Etcd
from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.hosting.datastores.etcd.ranges import range_of
from provider.hosting.reconcile import datastore as store_pass
from provider.hosting.reconcile.upkeep import FULL_ROUND, Upkeep
from provider.manifest import Manifest, meta
from tests.integration.hosted import Hosted, context
from tests.integration.hosted import Store as Serving
from tests.integration.tenant_world import MANAGER, NAMESPACE, Store, TenantWorld
from tests.integration.test_usage import admin_conf, kubectl, large

GRANTS = ("Auth.RoleAdd", "Auth.RoleGrantPermission", "Auth.UserAdd", "Auth.UserGrantRole")


@contextmanager
def killed_after(grants: int, etcd: Etcd) -> Iterator[list[str]]:
    """The etcd is killed when it has taken so many of a grant's writes and is about to get the next."""
    taken: list[str] = []
    call = BaseService._rpc

    async def called(self: BaseService, stub: Any, asked: Any, *, operation: str, **options: Any) -> Any:
        if operation in GRANTS and len(taken) == grants:
            etcd.stop()
        answer = await call(self, stub, asked, operation=operation, **options)
        if operation in GRANTS:
            taken.append(operation)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseService, "_rpc", called)
        yield taken


async def exact(store: Store, tenant: Manifest) -> None:
    """A user with one role, which has one permission: the tenant's own range."""
    uid = str(tenant["metadata"]["uid"])
    async with await store.wire() as wire:
        assert list((await wire.auth.user_get(uid)).roles) == [uid]
        (only,) = (await wire.auth.role_get(uid)).perm
        own = range_of(uid)
        assert (only.key, only.range_end) == (own.start, own.end)


@pytest.mark.keeps("better.store-bad-days")
async def test_a_store_that_dies_in_the_midst_of_a_grant_opens_nothing_and_the_grant_is_finished_when_it_is_back(
    hosting: TenantWorld, frail: Store, namespace: str
) -> None:
    for grants in range(len(GRANTS)):
        tenant = await hosting.ask_for(f"grant-{grants}", namespace, frail)
        with killed_after(grants, frail.etcd) as taken:
            await hosting.passed(tenant)
        assert len(taken) == grants
        assert (await hosting.condition(tenant, "Ready"))[:2] == ("False", "DataStoreUnreachable")
        assert await hosting.look(kinds.DEPLOYMENT, tenant) is None
        frail.etcd.start()
        await hosting.passed(tenant)
        assert (await hosting.condition(tenant, "StorageReady"))[0] == "True"
        assert (await hosting.condition(tenant, "StorageIsolated"))[0] == "True"
        await exact(frail, tenant)


@pytest.fixture
async def resident(management: Cluster, namespace: str, tmp_path: Path) -> AsyncIterator[Hosted]:
    """A tenant that serves, in an etcd that is soon full."""
    store = await Serving.start(management, tmp_path / "small", f"small-{namespace}", quota=16 * 2**20)
    found = Hosted(management, store, namespace, tmp_path / "resident", "resident")
    await found.say()
    await found.look()
    await found.serve()
    await found.until_joinable()
    yield found
    await found.stop()
    store.stop()


async def unmet(tenant: Hosted) -> dict[str, str]:
    """Conditions of the tenant that do not hold, and why."""
    conditions = (await tenant.tcp())["status"]["conditions"]
    return {each["type"]: each["reason"] for each in conditions if each["status"] != "True"}


@pytest.mark.keeps("better.store-bad-days")
async def test_when_the_store_is_full_the_tenants_user_is_told_by_kubectl_and_may_read_and_delete_and_then_go_on(
    resident: Hosted,
) -> None:
    admin, conf, store = await resident.session(), await admin_conf(resident), resident.store
    before = await unmet(resident)
    with pytest.raises(ApiError, match="database space exceeded"):
        for number in range(50):
            await large(admin, f"filling-{number}", size=900_000)
    refused = kubectl(resident, conf, "create", "configmap", "one-more")
    assert (refused.returncode, "etcdserver: mvcc: database space exceeded" in refused.stderr.decode()) == (1, True)
    read = kubectl(resident, conf, "get", "configmap", "filling-0", "-o", "jsonpath={.metadata.name}")
    assert read.stdout == b"filling-0"

    await store.look()
    said = (await resident.cluster.get(kinds.DATA_STORE, store.name) or {})["status"]["conditions"]
    reasons = {each["type"]: each["reason"] for each in said if each["status"] != "True"}
    assert reasons == {"Ready": "Alarm", "HasSpace": "Full"}
    await resident.look()
    assert (await resident.condition("StorageReady"))["reason"] == "DataStoreNotReady"
    assert "its database is full" in (await resident.condition("StorageReady"))["message"]

    assert kubectl(resident, conf, "delete", "configmaps", "--all").returncode == 0
    upkeep = Upkeep(context(resident.cluster), lambda: 0.0)
    async with asyncio.timeout(60):
        while await upkeep(store.name) == FULL_ROUND:  # its pages become free a moment later
            await asyncio.sleep(0.2)
    assert kubectl(resident, conf, "create", "configmap", "one-more").returncode == 0
    await store.look()
    await resident.look()
    assert await unmet(resident) == before
    await admin.close()


@pytest.mark.keeps("better.store-bad-days")
async def test_a_store_whose_authority_was_replaced_is_told_and_its_tenants_go_on_once_the_datastore_says_which(
    hosting: TenantWorld, frail: Store, namespace: str
) -> None:
    tenant = await hosting.ask_for("trusting", namespace, frail)
    uid, secret = tenant["metadata"]["uid"], names.datastore_certificate_secret("trusting")
    await hosting.passed(tenant)
    async with await frail.wire() as wire:
        await wire.kv.put(f"/{uid}/kept".encode(), b"")
    before = await hosting.secret(tenant, secret)

    frail.etcd.stop()
    frail.etcd.authority = other = Authority()
    frail.etcd.start()
    await store_pass.datastore(hosting.context, frail.name)
    found = await hosting.admin.get(kinds.DATA_STORE, frail.name)
    assert found is not None
    reasons = {each["type"]: each["reason"] for each in found["status"]["conditions"]}
    assert reasons["Ready"] == "Untrusted"
    await hosting.passed(tenant)
    assert (await hosting.condition(tenant, "StorageReady"))[:2] == ("False", "DataStoreNotReady")
    assert await hosting.secret(tenant, secret) == before

    now = replace(frail, authority=other)
    for name, pair in ((f"{frail.name}-ca", other.pair), (f"{frail.name}-root", now.pair)):
        data = meta.secret_data({"crt": pair.certificate, "key": pair.key})
        await hosting.admin.apply(meta.new(kinds.SECRET, name, NAMESPACE, data=data), manager=MANAGER)
    await store_pass.datastore(hosting.context, frail.name)
    await hosting.passed(tenant)
    assert (await hosting.condition(tenant, "StorageIsolated"))[0] == "True"
    assert await hosting.secret(tenant, secret) != before
    async with now.root() as opened:
        assert await opened.count(uid) == 1


@pytest.mark.keeps("better.store-bad-days")
async def test_while_our_clock_is_ahead_a_birth_waits_and_says_that_clocks_may_differ_and_goes_on_without_what_was_made_ahead(
    hosting: TenantWorld, frail: Store, namespace: str
) -> None:
    hosting.later = timedelta(hours=1)
    tenant = await hosting.ask_for("early", namespace, frail)
    await hosting.passed(tenant)
    status, reason, message = await hosting.condition(tenant, "Ready")
    assert (status, reason) == ("False", "DataStoreUnreachable")
    assert "clock" in message
    assert await hosting.look(kinds.DEPLOYMENT, tenant) is None
    hosting.later = timedelta()
    await hosting.passed(tenant)
    assert (await hosting.condition(tenant, "StorageIsolated"))[0] == "True"
    status, reason, message = await hosting.condition(tenant, "Ready")
    assert (status, reason) == ("False", "AuthorityNotYetValid"), "what was made ahead is not used before its time"
    assert "clocks" in message
    for secret in (names.ca_secret("early"), names.front_proxy_ca_secret("early")):  # nobody has joined by them yet
        await hosting.admin.delete(kinds.SECRET, secret, namespace)
    await hosting.passed(tenant)
    await hosting.passed(tenant)
    assert await hosting.look(kinds.DEPLOYMENT, tenant) is not None


async def test_while_our_clock_is_behind_all_goes_on(hosting: TenantWorld, frail: Store, namespace: str) -> None:
    hosting.later = -timedelta(days=2)
    tenant = await hosting.ask_for("late", namespace, frail)
    await hosting.passed(tenant)
    assert (await hosting.condition(tenant, "StorageIsolated"))[0] == "True"
    hosting.later = timedelta()
    before = await hosting.secret(tenant, names.datastore_certificate_secret("late"))
    await hosting.passed(tenant)
    assert await hosting.secret(tenant, names.datastore_certificate_secret("late")) == before


async def test_a_clock_that_was_a_year_ahead_for_a_moment_costs_no_authority_and_no_key(
    hosting: TenantWorld, frail: Store, namespace: str
) -> None:
    tenant = await hosting.ask_for("jumped", namespace, frail)
    uid = tenant["metadata"]["uid"]
    await hosting.passed(tenant)
    async with await frail.wire() as wire:
        await wire.kv.put(f"/{uid}/kept".encode(), b"")
    authority = await hosting.secret(tenant, names.ca_secret("jumped"))
    hosting.later = timedelta(days=365)
    await hosting.passed(tenant)
    hosting.later = timedelta()
    await hosting.passed(tenant)
    assert (await hosting.condition(tenant, "StorageIsolated"))[0] == "True"
    assert await hosting.secret(tenant, names.ca_secret("jumped")) == authority
    async with frail.root() as opened:
        assert await opened.count(uid) == 1
