"""What a tenant takes up in its store: sampled, told when it is worth it, and limited in words that its user reads."""

from __future__ import annotations

import asyncio
import subprocess
import time

import pytest
from prometheus_client import REGISTRY

from lab import programs
from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.desired.writepermissions import OBJECT
from provider.hosting.reconcile.sampling import CALM, HASTE, UNREADY, Sampler
from provider.manifest import meta
from tests.integration.hosted import Hosted, context
from tests.integration.test_write_permissions import config_map, in_force

MANAGER = "tests"


async def sampled(tenant: Hosted, window: float = 0.2) -> float | None:
    """One sample, as the first after a start."""
    return await Sampler(context(tenant.cluster), lambda: 0.0, window=window)(tenant.store.name)


async def usage(tenant: Hosted) -> dict[str, int]:
    return dict((await tenant.tcp())["status"]["storage"].get("usage") or {})


async def limited(tenant: Hosted, **limits: str | None) -> None:
    annotations = {f"x.kamaji.clastix.io/storage-{each}-limit": size for each, size in limits.items()}
    patch = {"metadata": {"annotations": annotations}}
    await tenant.cluster.merge(kinds.TENANT_CONTROL_PLANE, tenant.name, tenant.namespace, patch, manager=MANAGER)


def metric(tenant: Hosted, what: str) -> float | None:
    labels = {"tcp_namespace": tenant.namespace, "tcp_name": tenant.name, "datastore_name": tenant.store.name}
    return REGISTRY.get_sample_value(f"kamaji_tenant_storage_{what}", labels)


async def at_rest(root: EtcdStore, schema: str) -> int:
    """How many keys the tenant has once its API server, which has only just started, makes no more of them."""
    before, since = -1, time.monotonic()
    async with asyncio.timeout(120):
        while time.monotonic() - since < 3:
            if (now := await root.count(schema)) != before:
                before, since = now, time.monotonic()
            await asyncio.sleep(0.2)
    return before


async def large(admin: Cluster, name: str, size: int = 600_000) -> None:
    await admin.create(config_map(name, content="x" * size))


@pytest.mark.keeps("better.usage")
async def test_what_a_tenant_takes_up_is_told_when_it_moved_far_and_not_before(tenant: Hosted) -> None:
    async with tenant.store.opened() as root:
        schema = (await tenant.tcp())["status"]["storage"]["setup"]["schema"]
        before = await at_rest(root, schema)
        assert await sampled(tenant) == CALM
        first = await usage(tenant)
        assert first["keys"] == before
        assert first["bytes"] > 10_000
        assert metric(tenant, "keys") == first["keys"]
        version = (await tenant.tcp())["metadata"]["resourceVersion"]
        admin = await tenant.session()
        await large(admin, "some")
        assert await sampled(tenant) == CALM
        assert (await tenant.tcp())["metadata"]["resourceVersion"] == version
        assert (metric(tenant, "bytes") or 0) > first["bytes"] + 500_000
        for number in range(4):
            await large(admin, f"more-{number}")
        await sampled(tenant)
        assert (await usage(tenant))["bytes"] > first["bytes"] + 2_000_000
        await tenant.look()
        assert (await usage(tenant))["bytes"] > first["bytes"] + 2_000_000, "a pass leaves it as it is"
        await admin.close()


@pytest.mark.keeps("better.usage")
async def test_writes_are_counted_while_they_are_made_and_each_tenants_are_its_own(tenant: Hosted) -> None:
    admin, done = await tenant.session(), asyncio.Event()
    await admin.create(config_map("busy", a="0"))

    async def write() -> int:
        written = 0
        while not done.is_set():
            written += 1
            patch = {"data": {"a": str(written)}}
            await admin.merge(kinds.CONFIG_MAP, "busy", "default", patch, manager="probe")
        return written

    writer = asyncio.create_task(write())
    async with tenant.store.opened() as root:
        found = await root.written(2.0)
    done.set()
    written = await writer
    schema = (await tenant.tcp())["status"]["storage"]["setup"]["schema"]
    assert 0 < found[schema] <= written + 30
    assert set(found) <= {schema}
    await admin.close()


@pytest.mark.keeps("better.usage")
async def test_above_the_soft_limit_it_is_warned_and_may_write(tenant: Hosted) -> None:
    await limited(tenant, soft="1Mi", hard="100Mi")
    await tenant.look()
    assert (await tenant.condition("StorageWithinLimits"))["reason"] == "NotMeasured"
    await sampled(tenant)
    await tenant.look()
    assert (await tenant.condition("StorageWithinLimits"))["status"] == "True"
    admin = await tenant.session()
    for number in range(2):
        await large(admin, f"soft-{number}")
    assert await sampled(tenant) == CALM
    await tenant.look()
    found = await tenant.condition("StorageWithinLimits")
    assert (found["status"], found["reason"]) == ("False", "SoftLimitReached")
    assert "soft limit of 1Mi" in found["message"]
    assert (await tenant.condition("Ready"))["status"] == "True"
    await admin.create(config_map("still"))
    assert await admin.get(kinds.ADMISSION_POLICY, OBJECT) is None
    events = await tenant.cluster.list(kinds.EVENT, tenant.namespace)
    assert [each["type"] for each in events if each["reason"] == "SoftLimitReached"] == ["Warning"]
    await admin.close()


@pytest.mark.keeps("better.usage")
async def test_above_the_hard_limit_objects_are_read_and_deleted_and_kubectl_says_why(tenant: Hosted) -> None:
    admin = await tenant.session()
    for number in range(4):
        await large(admin, f"hard-{number}")
    held = config_map("held")
    held["metadata"]["finalizers"] = ["example.com/held"]
    await admin.create(held)
    await limited(tenant, hard="2Mi")
    now = [0.0]
    sampler = Sampler(context(tenant.cluster), lambda: now[0], window=0.1)
    assert await sampler(tenant.store.name) == HASTE
    await tenant.look()
    assert (await tenant.condition("StorageWithinLimits"))["reason"] == "HardLimitReached"
    await in_force(admin, "new")

    told = kubectl(tenant, await admin_conf(tenant), "create", "configmap", "refused")
    assert told.returncode != 0
    said = told.stderr.decode()
    assert "takes up all of the 2Mi that it may" in said
    assert "storage-hard-limit of TenantControlPlane demo" in said
    with pytest.raises(ApiError, match="takes up all of the 2Mi"):
        await admin.merge(kinds.CONFIG_MAP, "hard-0", "default", {"data": {"a": "b"}}, manager="probe")
    assert await admin.get(kinds.CONFIG_MAP, "hard-0", "default") is not None
    await admin.delete(kinds.CONFIG_MAP, "held", "default")
    await admin.merge(kinds.CONFIG_MAP, "held", "default", {"metadata": {"finalizers": None}}, manager="probe")
    assert await admin.get(kinds.CONFIG_MAP, "held", "default") is None
    asked = kubectl(tenant, await admin_conf(tenant), "auth", "can-i", "create", "pods")
    assert asked.stdout.decode().strip() == "yes"

    for number in range(4):
        assert await admin.delete(kinds.CONFIG_MAP, f"hard-{number}", "default")
    now[0] = HASTE
    assert await sampler(tenant.store.name) == CALM - HASTE
    await tenant.look()
    assert (await tenant.condition("StorageWithinLimits"))["status"] == "True"
    assert await admin.get(kinds.ADMISSION_POLICY, OBJECT) is None
    await admin.close()


async def throttled(tenant: Hosted, record: dict[str, str | None] | None) -> None:
    """As the upkeep of a full store records it, and a pass goes by it."""
    status = {"storage": {"throttled": record}}
    await tenant.said(kinds.TENANT_CONTROL_PLANE, tenant.name, status)
    await tenant.look()


async def test_who_is_held_back_reads_and_then_deletes_too_and_kubectl_says_why(tenant: Hosted) -> None:
    admin = await tenant.session()
    await admin.create(config_map("there"))
    moments = {"since": "2026-01-01T00:00:00Z", "until": "2999-01-01T00:00:00Z", "closedUntil": "2999-01-01T00:00:00Z"}
    await throttled(tenant, {"dataStore": tenant.store.name, "reason": "it wrote most", **moments})
    for change in (admin.create(config_map("closed")), admin.delete(kinds.CONFIG_MAP, "there", "default")):
        with pytest.raises(ApiError, match="permission denied"):
            await change
    assert await admin.get(kinds.CONFIG_MAP, "there", "default") is not None
    assert (await tenant.condition("StorageWithinLimits"))["reason"] == "HeldBack"
    assert (await tenant.condition("StorageIsolated"))["status"] == "True"

    await throttled(tenant, {"closedUntil": None})
    await in_force(admin, "new")
    told = kubectl(tenant, await admin_conf(tenant), "create", "configmap", "refused")
    assert told.returncode != 0
    assert "the store it shares with others was full" in told.stderr.decode()
    assert await admin.delete(kinds.CONFIG_MAP, "there", "default")
    assert (await tenant.condition("Ready"))["status"] == "True"

    await throttled(tenant, None)
    assert await admin.get(kinds.ADMISSION_POLICY, OBJECT) is None
    events = await tenant.cluster.list(kinds.EVENT, tenant.namespace)
    ours = [each["reason"] for each in events if each["reason"] in ("HeldBack", "GrantRepaired")]
    assert ours == ["HeldBack"]
    await admin.close()


async def test_a_limit_that_is_none_is_refused_and_nothing_is_limited(tenant: Hosted) -> None:
    await sampled(tenant)
    for limits in ({"hard": "much"}, {"hard": "0"}, {"soft": "2Gi", "hard": "1Gi"}):
        await limited(tenant, **{"soft": None, **limits})
        await tenant.look()
        found = await tenant.condition("Accepted")
        assert (found["status"], found["reason"]) == ("False", "AnnotationInvalid")
        assert "storage-" in found["message"]


async def test_the_metrics_of_a_tenant_go_with_it_and_a_store_that_is_away_is_asked_later(tenant: Hosted) -> None:
    now = [0.0]
    sampler = Sampler(context(tenant.cluster), lambda: now[0], window=0.1)
    assert await sampler(tenant.store.name) == CALM
    now[0] = 10.0
    assert await sampler(tenant.store.name) == CALM - 10.0, "events do not make samples come earlier"
    assert metric(tenant, "bytes")
    await tenant.cluster.delete(kinds.TENANT_CONTROL_PLANE, tenant.name, tenant.namespace)
    await tenant.look()
    await tenant.cluster.delete(kinds.POD, f"{tenant.name}-0", tenant.namespace)
    await tenant.look()
    now[0] += CALM
    assert await sampler(tenant.store.name) == CALM
    assert metric(tenant, "bytes") is None
    tenant.store.stop()
    now[0] += CALM
    assert await sampler(tenant.store.name) == UNREADY


async def admin_conf(tenant: Hosted) -> bytes:
    return meta.decoded(await tenant.get(kinds.SECRET, names.admin_kubeconfig_secret(tenant.name)))["admin.conf"]


def kubectl(tenant: Hosted, kubeconfig: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """As the tenant's user, with the server found on loopback."""
    (tenant.folder / "kubeconfig").write_bytes(kubeconfig)
    where = [f"--server=https://127.0.0.1:{tenant.port}"]
    where.append(f"--tls-server-name={names.service_host(tenant.name, tenant.namespace)}")
    command = [programs.path("kubectl"), "--kubeconfig", tenant.folder / "kubeconfig", *where, *arguments]
    return subprocess.run(command, capture_output=True, check=False)
