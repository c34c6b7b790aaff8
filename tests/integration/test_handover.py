"""What serves of a tenant that Cluster API moves stays here until it serves at its new place, and not a minute longer.

Garbage collection is the tests': it deletes what a TenantControlPlane owned once that is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from lab.servers import Authority, Etcd
from provider.api import kinds, names
from provider.hosting.reconcile import handover
from provider.manifest import Manifest, meta
from tests.integration.tenant_world import MANAGER, Store, TenantWorld

NAME = "roams"
SERVING = handover.HELD


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    found = Etcd(tmp_path_factory.mktemp("etcd"), authority=Authority()).start()
    yield found
    found.stop()


@pytest.fixture
async def store(hosting: TenantWorld, etcd: Etcd) -> Store:
    assert etcd.authority is not None
    return await hosting.offer("roams-in", etcd, etcd.authority)


async def made(hosting: TenantWorld, namespace: str, store: Store, *, owned: bool = True) -> Manifest:
    """A tenant with all that serves, asked for by a KamajiControlPlane where it is `owned`."""
    tenant = await hosting.ask_for(NAME, namespace, store)
    if owned:
        owner = {"apiVersion": kinds.KAMAJI_CONTROL_PLANE.api_version, "kind": "KamajiControlPlane"}
        reference = {**owner, "name": NAME, "uid": "of-the-control-plane"}
        await changed(hosting, tenant, {"metadata": {"ownerReferences": [reference]}})
    await hosting.passed(tenant)
    assert None not in [await hosting.look(kind, tenant) for kind in SERVING]
    return tenant


async def changed(hosting: TenantWorld, tenant: Manifest, patch: Manifest) -> None:
    where = (tenant["metadata"]["name"], tenant["metadata"]["namespace"])
    await hosting.admin.merge(kinds.TENANT_CONTROL_PLANE, *where, patch, manager=MANAGER)


async def paused(hosting: TenantWorld, tenant: Manifest, *, so: bool = True) -> None:
    await changed(hosting, tenant, {"metadata": {"annotations": {names.ANNOTATION_PAUSED: "" if so else None}}})
    await hosting.passed(tenant)


async def taken_away(hosting: TenantWorld, tenant: Manifest) -> None:
    """As clusterctl does it, and then garbage collection."""
    marked = {"annotations": {names.ANNOTATION_PAUSED: None, names.ANNOTATION_DELETE_FOR_MOVE: ""}}
    await changed(hosting, tenant, {"metadata": marked})
    where = (tenant["metadata"]["name"], tenant["metadata"]["namespace"])
    await hosting.admin.delete(kinds.TENANT_CONTROL_PLANE, *where)
    await changed(hosting, tenant, {"metadata": {"finalizers": None}})
    await collected(hosting, tenant)


async def collected(hosting: TenantWorld, tenant: Manifest) -> None:
    for kind in SERVING:
        await hosting.admin.delete(kind, NAME, tenant["metadata"]["namespace"])


async def stand(hosting: TenantWorld, tenant: Manifest) -> list[bool]:
    return [await hosting.look(kind, tenant) is not None for kind in SERVING]


async def held(hosting: TenantWorld, tenant: Manifest) -> list[bool]:
    found = [await hosting.look(kind, tenant) or {"metadata": {}} for kind in SERVING]
    return [names.FINALIZER_HANDOVER in (each["metadata"].get("finalizers") or ()) for each in found]


ALL, NONE = [True] * len(SERVING), [False] * len(SERVING)


async def test_what_serves_outlives_a_tenant_that_was_moved_by_a_minute(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    tenant = await made(hosting, namespace, store)
    await paused(hosting, tenant)
    await taken_away(hosting, tenant)
    again = await hosting.passed(tenant)
    assert await stand(hosting, tenant) == ALL
    assert again is not None and handover.SECONDS / 2 < again <= handover.SECONDS
    hosting.later = timedelta(seconds=handover.SECONDS + 1)
    assert await hosting.passed(tenant) is None
    assert await stand(hosting, tenant) == NONE


async def test_a_pause_that_ends_here_leaves_nothing_held_and_writes_nothing_twice(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    tenant = await made(hosting, namespace, store)
    await paused(hosting, tenant)
    assert await held(hosting, tenant) == ALL
    stands = await hosting.versions(tenant)
    await hosting.passed(tenant)
    assert await hosting.versions(tenant) == stands
    await paused(hosting, tenant, so=False)
    assert await held(hosting, tenant) == NONE


async def test_a_tenant_that_comes_back_meanwhile_gets_its_own(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    tenant = await made(hosting, namespace, store)
    before = {kind: (await hosting.look(kind, tenant) or {})["metadata"]["uid"] for kind in SERVING}
    await paused(hosting, tenant)
    await taken_away(hosting, tenant)
    for secret in await hosting.admin.list(kinds.SECRET, namespace, labels={names.LABEL_NAME: NAME}):
        await hosting.admin.delete(kinds.SECRET, secret["metadata"]["name"], namespace)
    again = await hosting.ask_for(NAME, namespace, store)
    await hosting.passed(again)
    for kind in SERVING:
        found = await hosting.look(kind, again)
        assert found is not None
        assert found["metadata"]["uid"] != before[kind]
        assert meta.is_controlled(found, again)


async def test_a_deletion_that_is_no_move_waits_for_nothing(hosting: TenantWorld, store: Store, namespace: str) -> None:
    tenant = await made(hosting, namespace, store)
    await paused(hosting, tenant)
    await hosting.admin.delete(kinds.TENANT_CONTROL_PLANE, NAME, namespace)
    await hosting.passed(tenant)
    await collected(hosting, tenant)
    assert await stand(hosting, tenant) == NONE


async def test_who_is_nobody_of_cluster_apis_is_paused_and_nothing_more(
    hosting: TenantWorld, store: Store, namespace: str
) -> None:
    tenant = await made(hosting, namespace, store, owned=False)
    await paused(hosting, tenant)
    assert await held(hosting, tenant) == NONE


async def test_what_was_orphaned_on_purpose_is_let_go(hosting: TenantWorld, store: Store, namespace: str) -> None:
    tenant = await made(hosting, namespace, store)
    await paused(hosting, tenant)
    await hosting.admin.delete(kinds.TENANT_CONTROL_PLANE, NAME, namespace, propagation="Orphan")
    await changed(hosting, tenant, {"metadata": {"finalizers": None}})
    assert await hosting.passed(tenant) == handover.OWNERLESS, "garbage collection has not been here yet"
    for kind in SERVING:
        await hosting.admin.merge(kind, NAME, namespace, {"metadata": {"ownerReferences": None}}, manager=MANAGER)
    assert await hosting.passed(tenant) is None
    assert await held(hosting, tenant) == NONE
    assert await stand(hosting, tenant) == ALL
