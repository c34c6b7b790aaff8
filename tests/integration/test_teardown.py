"""Pause, and deletion that ends: before a real API server and a real etcd, on good days and when something is in the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.cluster.queue import KeyedQueue
from provider.hosting.reconcile import datastore as store_pass
from provider.hosting.reconcile import erasure, teardown
from provider.manifest import Manifest, meta
from tests.integration.fixtures import COUNTER
from tests.integration.hosted import Hosted, Store, context
from tests.integration.in_force import let_through, refused

CHILDREN = (kinds.SECRET, kinds.CONFIG_MAP, kinds.SERVICE, kinds.DEPLOYMENT)


@pytest.fixture
async def store(management: Cluster, tmp_path: Path) -> AsyncIterator[Store]:
    found = await Store.start(management, tmp_path / "etcd", f"ending-{next(COUNTER)}")
    yield found
    found.stop()


@pytest.fixture
async def tenant(management: Cluster, namespace: str, store: Store, tmp_path: Path) -> AsyncIterator[Hosted]:
    """With a keyspace and all its objects; no pods, for nobody schedules."""
    found = await made(management, namespace, store, tmp_path, "demo")
    yield found
    await found.stop()


async def made(management: Cluster, namespace: str, store: Store, folder: Path, name: str, **spec: Any) -> Hosted:
    found = Hosted(management, store, namespace, folder / name, name)
    await found.say(dataStore=store.name, **spec)
    await found.look()
    assert (await found.condition("StorageReady"))["status"] == "True"
    return found


async def patched(tenant: Hosted, metadata: dict[str, Any]) -> None:
    await tenant.cluster.merge(
        kinds.TENANT_CONTROL_PLANE, tenant.name, tenant.namespace, {"metadata": metadata}, manager="tests"
    )


async def deleted(tenant: Hosted) -> None:
    assert await tenant.cluster.delete(kinds.TENANT_CONTROL_PLANE, tenant.name, tenant.namespace)


async def gone(tenant: Hosted) -> bool:
    return await tenant.cluster.get(kinds.TENANT_CONTROL_PLANE, tenant.name, tenant.namespace) is None


async def children(tenant: Hosted) -> list[Manifest]:
    lists = [
        await tenant.cluster.list(kind, tenant.namespace, labels={names.LABEL_NAME: tenant.name}) for kind in CHILDREN
    ]
    return [each for group in lists for each in group]


async def keyspace(tenant: Hosted) -> tuple[str, str]:
    setup = (await tenant.tcp())["status"]["storage"]["setup"]
    return setup["schema"], setup["user"]


async def assert_erased(store: Store, schema: str, user: str) -> None:
    async with store.opened() as opened:
        assert user not in await opened.users()
        assert schema not in await opened.roles()
        assert await opened.count(schema) == 0


async def put(store: Store, key: str) -> None:
    async with store.opened() as opened:
        await opened.wire.kv.put(key.encode(), b"x")


async def test_a_paused_tenant_says_so_and_nothing_of_it_moves(tenant: Hosted) -> None:
    await patched(tenant, {"annotations": {names.ANNOTATION_PAUSED: "whatever"}})
    await tenant.say(dataStore=tenant.store.name, kubernetes={"version": "v1.36.4", "kubelet": {}})
    before = {each["metadata"]["uid"]: each["metadata"]["resourceVersion"] for each in await children(tenant)}
    assert await tenant.look() is None
    found = await tenant.condition("Paused")
    assert (found["status"], found["reason"]) == ("True", "Paused")
    assert names.ANNOTATION_PAUSED in found["message"]
    assert before == {each["metadata"]["uid"]: each["metadata"]["resourceVersion"] for each in await children(tenant)}
    said = await tenant.tcp()
    await tenant.look()
    assert await tenant.tcp() == said

    await patched(tenant, {"annotations": {names.ANNOTATION_PAUSED: None}})
    await tenant.look()
    assert "Paused" not in [each["type"] for each in (await tenant.tcp())["status"]["conditions"]]


@pytest.mark.keeps("better.deletion")
async def test_a_paused_tenant_can_be_deleted(tenant: Hosted, store: Store) -> None:
    schema, user = await keyspace(tenant)
    await put(store, f"/{schema}/a")
    await patched(tenant, {"annotations": {names.ANNOTATION_PAUSED: ""}})
    await tenant.look()
    await deleted(tenant)
    await tenant.look()
    assert await gone(tenant)
    await assert_erased(store, schema, user)


async def test_the_end_needs_no_secret_and_no_service_of_the_tenant(tenant: Hosted, store: Store) -> None:
    schema, user = await keyspace(tenant)
    await put(store, f"/{schema}/a")
    for each in await children(tenant):
        await tenant.cluster.delete(kinds.of(each), each["metadata"]["name"], tenant.namespace)
    await deleted(tenant)
    await tenant.look()
    assert await gone(tenant)
    await assert_erased(store, schema, user)


async def test_the_erasure_is_told_before_the_finalizer_goes(tenant: Hosted) -> None:
    held = (await tenant.tcp())["metadata"]["finalizers"]
    await patched(tenant, {"finalizers": [*held, "example.com/held"]})
    await deleted(tenant)
    await tenant.look()
    now = (await tenant.tcp())["metadata"]
    assert now["finalizers"] == ["example.com/held"]
    events = await tenant.cluster.list(kinds.EVENT, tenant.namespace)
    (told,) = [each["metadata"] for each in events if each["reason"] == "KeyspaceErased"]
    assert int(told["resourceVersion"]) < int(now["resourceVersion"]), "the order of writes to the management cluster"
    await patched(tenant, {"finalizers": None})
    assert await gone(tenant)


@pytest.mark.keeps("better.take-over")
async def test_upstreams_finalizers_are_understood_and_taken_off(tenant: Hosted, store: Store) -> None:
    schema, user = await keyspace(tenant)
    await patched(tenant, {"finalizers": [names.FINALIZER_TENANT, names.FINALIZER_SOOT]})
    secret = names.datastore_config_secret(tenant.name)
    held = {"metadata": {"finalizers": [names.FINALIZER_DATASTORE_SECRET]}}
    await tenant.cluster.merge(kinds.SECRET, secret, tenant.namespace, held, manager="tests")
    await tenant.cluster.delete(kinds.SECRET, secret, tenant.namespace)
    assert await tenant.cluster.get(kinds.SECRET, secret, tenant.namespace) is not None
    await deleted(tenant)
    await tenant.look()
    assert await gone(tenant)
    assert await tenant.cluster.get(kinds.SECRET, secret, tenant.namespace) is None
    await assert_erased(store, schema, user)


@pytest.mark.keeps("better.leftovers")
async def test_a_secret_that_a_tenant_taken_away_by_force_left_held_is_let_go(tenant: Hosted) -> None:
    secret = names.datastore_config_secret(tenant.name)
    held = {"metadata": {"finalizers": [names.FINALIZER_DATASTORE_SECRET]}}
    await tenant.cluster.merge(kinds.SECRET, secret, tenant.namespace, held, manager="tests")
    await patched(tenant, {"finalizers": []})
    await deleted(tenant)
    assert await gone(tenant)
    await tenant.look()
    assert await tenant.cluster.get(kinds.SECRET, secret, tenant.namespace) is not None  # nobody deleted it yet
    await tenant.cluster.delete(kinds.SECRET, secret, tenant.namespace)
    await tenant.look()
    assert await tenant.cluster.get(kinds.SECRET, secret, tenant.namespace) is None


async def blocked(tenant: Hosted, reason: str, *words: str) -> None:
    found = await tenant.condition("Ready")
    assert (found["status"], found["reason"]) == ("False", reason), found
    for word in words:
        assert word in found["message"]


@pytest.mark.keeps("better.deletion")
async def test_a_store_that_is_gone_is_named_and_the_end_goes_on_when_it_is_back(tenant: Hosted, store: Store) -> None:
    schema, user = await keyspace(tenant)
    await put(store, f"/{schema}/a")
    raw = await tenant.cluster.get(kinds.DATA_STORE, store.name)
    assert raw is not None
    await tenant.cluster.merge(kinds.DATA_STORE, store.name, None, {"metadata": {"finalizers": []}}, manager="tests")
    await tenant.cluster.delete(kinds.DATA_STORE, store.name)
    await deleted(tenant)
    assert await tenant.look() == teardown.STORE_CHECK
    await blocked(tenant, "DataStoreGone", store.name, "create it again", names.FINALIZER_TENANT)
    await tenant.cluster.apply(meta.new(kinds.DATA_STORE, store.name, spec=raw["spec"]), manager="tests")
    await tenant.look()
    assert await gone(tenant)
    await assert_erased(store, schema, user)


async def test_a_dead_store_holds_up_its_own_tenant_only(
    management: Cluster, namespace: str, store: Store, tenant: Hosted, tmp_path: Path
) -> None:
    dead = await Store.start(management, tmp_path / "dead", f"dead-{next(COUNTER)}")
    stuck = await made(management, namespace, dead, tmp_path, "stuck")
    schema, user = await keyspace(tenant)
    dead.stop()
    await deleted(stuck)
    await deleted(tenant)
    queue: KeyedQueue[tuple[str, str]] = KeyedQueue("tenant")
    passes = {stuck.key: stuck.run, tenant.key: tenant.run}

    async def one(key: tuple[str, str]) -> float | None:
        return await passes[key](key)

    queue.add(stuck.key)
    queue.add(tenant.key)
    worker = asyncio.create_task(queue.run(one, workers=1))
    async with asyncio.timeout(erasure.STORE_PATIENCE + 60):
        while not await gone(tenant):
            await asyncio.sleep(0.1)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    await assert_erased(store, schema, user)
    await blocked(stuck, "ErasurePending", dead.name, "nobody answers")

    await dead.look()
    async with asyncio.timeout(erasure.STORE_PATIENCE / 2):  # its own pass has told that nobody answers: no try is made
        await stuck.look()
    await blocked(stuck, "ErasurePending", dead.name, "nobody answers", names.FINALIZER_TENANT)
    dead.etcd.start()
    await dead.look()
    await stuck.look()
    assert await gone(stuck)
    dead.stop()


async def test_a_terminating_namespace_does_not_hold_what_is_in_it(tenant: Hosted, store: Store) -> None:
    schema, user = await keyspace(tenant)
    await tenant.cluster.delete(kinds.NAMESPACE, tenant.namespace)
    for each in await children(tenant):  # as the namespace controller does
        await tenant.cluster.delete(kinds.of(each), each["metadata"]["name"], tenant.namespace)
    await deleted(tenant)
    await tenant.look()
    assert await gone(tenant)
    await assert_erased(store, schema, user)


async def test_keys_that_another_tenant_has_as_well_are_not_dropped_under_it(
    management: Cluster, namespace: str, store: Store, tenant: Hosted, tmp_path: Path
) -> None:
    schema, user = await keyspace(tenant)
    await put(store, f"/{schema}/a")
    twin = Hosted(management, store, namespace, tmp_path / "twin", "twin")
    await twin.say()
    setup = (await tenant.tcp())["status"]["storage"]
    await twin.said(kinds.TENANT_CONTROL_PLANE, "twin", {"storage": setup})
    await patched(twin, {"finalizers": [names.FINALIZER_TENANT]})
    await deleted(tenant)
    await tenant.look()
    await blocked(tenant, "KeyspaceShared", schema, f"{namespace}/twin", "delete that one too")
    async with store.opened() as opened:
        assert await opened.count(schema) == 1
    await deleted(twin)
    await tenant.look()
    await twin.look()
    assert await gone(tenant) and await gone(twin)
    await assert_erased(store, schema, user)


async def test_pods_that_do_not_end_are_named_and_waited_for_with_patience(
    tenant: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = await tenant.get(kinds.DEPLOYMENT)
    await tenant.tell(deployment)
    await deleted(tenant)
    assert await tenant.look() == teardown.PODS_CHECK
    await blocked(tenant, "PodsEnding", "demo-0 on no node")
    monkeypatch.setattr(teardown, "PODS_PATIENCE", 0.0)
    await asyncio.sleep(1)
    await tenant.look()
    assert await gone(tenant)


async def test_what_the_management_cluster_refuses_is_told(tenant: Hosted) -> None:
    name = f"keep-{tenant.namespace}"
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["DELETE"], "resources": ["deployments"]}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": f"request.namespace != '{tenant.namespace}'", "message": "never on Fridays"}],
    }
    await tenant.cluster.apply(meta.new(kinds.ADMISSION_POLICY, name, spec=spec), manager="tests")
    binding = {"policyName": name, "validationActions": ["Deny"]}
    await tenant.cluster.apply(meta.new(kinds.ADMISSION_POLICY_BINDING, name, spec=binding), manager="tests")
    await refused(lambda: gone_and_back(tenant))
    await deleted(tenant)
    await tenant.look()
    await blocked(tenant, "DeletionRefused", f"Deployment {tenant.namespace}/demo", "never on Fridays")
    await tenant.cluster.delete(kinds.ADMISSION_POLICY_BINDING, name)
    await tenant.cluster.delete(kinds.ADMISSION_POLICY, name)
    await let_through(lambda: gone_and_back(tenant))
    await tenant.look()
    assert await gone(tenant)


async def gone_and_back(tenant: Hosted) -> None:
    """A Deployment of nobody's is made and deleted."""
    labels = {"nobody": "s"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod}
    await tenant.cluster.apply(meta.new(kinds.DEPLOYMENT, "probe", tenant.namespace, spec=spec), manager="tests")
    await tenant.cluster.delete(kinds.DEPLOYMENT, "probe", tenant.namespace)


async def test_who_else_holds_the_object_is_named(tenant: Hosted) -> None:
    await patched(tenant, {"finalizers": [names.FINALIZER_TENANT, "example.com/backup"]})
    await deleted(tenant)
    await tenant.look(passes=2)
    await blocked(tenant, "HeldByOthers", "example.com/backup", "not ours")
    await patched(tenant, {"finalizers": []})
    assert await gone(tenant)


async def test_a_paused_store_goes_once_it_is_unused(tenant: Hosted, store: Store) -> None:
    paused = {"metadata": {"annotations": {names.ANNOTATION_PAUSED: ""}}}
    await tenant.cluster.merge(kinds.DATA_STORE, store.name, None, paused, manager="tests")
    await tenant.cluster.delete(kinds.DATA_STORE, store.name)
    world = context(tenant.cluster)
    await store_pass.datastore(world, store.name)
    assert await tenant.cluster.get(kinds.DATA_STORE, store.name) is not None
    await deleted(tenant)
    await tenant.look()
    assert await gone(tenant)
    await store_pass.datastore(world, store.name)
    assert await tenant.cluster.get(kinds.DATA_STORE, store.name) is None
