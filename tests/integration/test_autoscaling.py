"""Requests that follow a control plane's load: read off real API servers, decided, and made so in pods without a restart."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from provider.api import kinds
from provider.cluster.errors import ApiError
from provider.hosting.reconcile.autoscaling import PAUSE, Autoscaler
from provider.manifest import Manifest, meta, quantity
from provider.manifest.condition import find
from tests.integration.hosted import MANAGER, Hosted
from tests.integration.in_force import refused
from tests.integration.metrics_api import metrics_served
from tests.integration.tenant_world import TenantWorld

API_SERVER = "kube-apiserver"
CPU = {"apiServer": {"cpu": {"max": "4"}}}


@pytest.fixture
def scaler(hosting: TenantWorld, tenant: Hosted) -> Autoscaler:
    """With the rights of config/rbac and no others, as the first after a start."""
    return Autoscaler(hosting.context, tenant.tenants, time.monotonic, shortest=0.0)


async def asked(tenant: Hosted, spec: Manifest) -> None:
    wanted = meta.new(kinds.TENANT_AUTOSCALER, tenant.name, tenant.namespace, spec=spec)
    await tenant.cluster.apply(wanted, manager=MANAGER)


async def told(tenant: Hosted) -> Manifest:
    return dict((await tenant.get(kinds.TENANT_AUTOSCALER))["status"])


async def reason(tenant: Hosted) -> str:
    return str((find((await told(tenant))["conditions"], "Following") or {})["reason"])


def requests(spec: Manifest, container: str = API_SERVER) -> dict[str, str]:
    found = next(each for each in spec["containers"] if each["name"] == container)
    return dict(found["resources"]["requests"])


async def of_pod(tenant: Hosted) -> dict[str, str]:
    return requests((await tenant.get(kinds.POD, f"{tenant.name}-0"))["spec"])


async def of_template(tenant: Hosted) -> dict[str, str]:
    return requests((await tenant.get(kinds.DEPLOYMENT))["spec"]["template"]["spec"])


@asynccontextmanager
async def loaded(tenant: Hosted) -> AsyncIterator[None]:
    """Somebody asks the tenant's API server, one question after the other."""
    session = await tenant.session()

    async def ask() -> None:
        while True:
            with suppress(ApiError):
                await session.list(kinds.CLUSTER_ROLE)

    asking = [asyncio.create_task(ask()) for _ in range(4)]
    try:
        yield
    finally:
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await session.close()


async def looked(tenant: Hosted, scaler: Autoscaler, times: int) -> None:
    for _ in range(times):
        assert await scaler(tenant.key) == PAUSE
        await asyncio.sleep(2)


async def running(tenant: Hosted, **of_each: Any) -> None:
    """What a kubelet says of the pod's containers."""
    pod = await tenant.get(kinds.POD, f"{tenant.name}-0")
    states = [
        {**each, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, **of_each}
        for each in pod["status"]["containerStatuses"]
    ]
    await tenant.said(kinds.POD, pod["metadata"]["name"], {"containerStatuses": states, "phase": "Running"})


@pytest.mark.keeps("better.vertical")
async def test_who_is_busy_asks_for_more_in_the_pods_that_run_and_no_pod_is_made_anew(
    tenant: Hosted, scaler: Autoscaler
) -> None:
    await asked(tenant, CPU)
    generation = (await tenant.get(kinds.DEPLOYMENT))["metadata"]["generation"]
    uid = (await tenant.get(kinds.POD, f"{tenant.name}-0"))["metadata"]["uid"]
    async with loaded(tenant):
        await looked(tenant, scaler, 4)
    found = (await told(tenant))["requests"]["apiServer"]["cpu"]
    assert quantity.milli(found) > 100
    assert await reason(tenant) == "InPlace"
    assert (await of_pod(tenant))["cpu"] == found
    await tenant.look(2)
    pod, deployment = await tenant.get(kinds.POD, f"{tenant.name}-0"), await tenant.get(kinds.DEPLOYMENT)
    assert (pod["metadata"]["uid"], deployment["metadata"]["generation"]) == (uid, generation)
    assert (await of_template(tenant))["cpu"] == "35m"


@pytest.mark.nightly
async def test_who_has_not_the_breath_to_say_what_it_takes_is_given_more(tenant: Hosted, scaler: Autoscaler) -> None:
    await asked(tenant, CPU)
    await looked(tenant, scaler, 1)
    scaler.patience = 1.0
    assert tenant.process is not None and tenant.process.process is not None
    tenant.process.process.send_signal(signal.SIGSTOP)
    try:
        await looked(tenant, scaler, 3)
    finally:
        tenant.process.process.send_signal(signal.SIGCONT)
    found = (await told(tenant))["requests"]["apiServer"]["cpu"]
    assert 100 < quantity.milli(found) < 1000
    assert (await of_pod(tenant))["cpu"] == found


@pytest.mark.nightly
async def test_pods_that_are_made_anew_start_with_what_was_decided_and_bounds_of_today_hold(
    tenant: Hosted, scaler: Autoscaler
) -> None:
    await asked(tenant, {"apiServer": {"cpu": {"min": "400m", "max": "4"}}})
    await looked(tenant, scaler, 1)
    assert ((await of_pod(tenant))["cpu"], (await of_template(tenant))["cpu"]) == ("400m", "35m")
    await tenant.say(controlPlane={"deployment": {"replicas": 1, "nodeSelector": {"disk": "fast"}}})
    await tenant.look()
    assert (await of_template(tenant))["cpu"] == "400m"
    await asked(tenant, {"apiServer": {"cpu": {"max": "200m"}}})
    await looked(tenant, scaler, 1)
    assert (await of_pod(tenant))["cpu"] == "200m"
    assert await reason(tenant) == "AtMost"


@pytest.mark.nightly
async def test_where_a_kubelet_cannot_resize_pods_are_made_anew(tenant: Hosted, scaler: Autoscaler) -> None:
    await running(tenant)
    await asked(tenant, {"apiServer": {"cpu": {"min": "400m", "max": "4"}}})
    await looked(tenant, scaler, 1)
    assert await reason(tenant) == "ByRollout"
    await tenant.look()
    assert ((await of_pod(tenant))["cpu"], (await of_template(tenant))["cpu"]) == ("35m", "400m")
    await tenant.cluster.delete(kinds.POD, f"{tenant.name}-0", tenant.namespace)
    await tenant.tell(await tenant.get(kinds.DEPLOYMENT))
    await running(tenant, resources={})
    generation = (await tenant.get(kinds.DEPLOYMENT))["metadata"]["generation"]
    await looked(tenant, scaler, 1)
    await tenant.look(2)
    assert await reason(tenant) == "InPlace"
    assert (await tenant.get(kinds.DEPLOYMENT))["metadata"]["generation"] == generation


@pytest.mark.nightly
async def test_what_an_api_server_says_against_it_is_told_and_it_is_tried_again(
    tenant: Hosted, scaler: Autoscaler
) -> None:
    limits = {"limits": [{"type": "Container", "max": {"cpu": "100m"}}]}
    limit = {**meta.new(kinds.SECRET, "narrow", tenant.namespace, spec=limits), "kind": "LimitRange"}
    made = await tenant.cluster.apply(limit, manager=MANAGER)
    much = {"name": "c", "image": "i", "resources": {"requests": {"cpu": "400m"}}}
    probe = meta.new(kinds.POD, "probe", tenant.namespace, spec={"containers": [much]})
    await refused(lambda: tenant.cluster.apply(probe, manager=MANAGER, dry_run=True))
    await asked(tenant, {"apiServer": {"cpu": {"min": "400m", "max": "4"}}})
    await looked(tenant, scaler, 1)
    assert await reason(tenant) == "ResizeRefused"
    assert (await of_pod(tenant))["cpu"] == "35m"
    await tenant.cluster.delete(await tenant.cluster.kind_of(made), "narrow", tenant.namespace)
    async with asyncio.timeout(120):
        while await reason(tenant) != "InPlace":
            await looked(tenant, scaler, 1)
    assert (await of_pod(tenant))["cpu"] == "400m"


async def test_a_restart_of_ours_writes_nothing_and_says_nothing_new(
    tenant: Hosted, hosting: TenantWorld, scaler: Autoscaler
) -> None:
    await asked(tenant, {"apiServer": {"cpu": {"max": "4"}, "memory": {"min": "2Gi", "max": "4Gi"}}})
    await looked(tenant, scaler, 3)
    before = await tenant.get(kinds.TENANT_AUTOSCALER)
    again = replace(scaler, tenants=type(tenant.tenants)(), _records={})
    assert await again(tenant.key) == 0.0, "there is no connection yet: it looks again"
    again.tenants = tenant.tenants
    await looked(tenant, again, 2)
    after = await tenant.get(kinds.TENANT_AUTOSCALER)
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def test_it_says_when_there_is_no_tenant_or_no_pod_and_ends_with_its_object(
    tenant: Hosted, scaler: Autoscaler
) -> None:
    stray = meta.new(kinds.TENANT_AUTOSCALER, "stray", tenant.namespace, spec=CPU)
    await tenant.cluster.apply(stray, manager=MANAGER)
    assert await scaler((tenant.namespace, "stray")) == PAUSE
    found = await tenant.cluster.get(kinds.TENANT_AUTOSCALER, "stray", tenant.namespace)
    assert found is not None
    assert found["status"]["conditions"][0]["reason"] == "TenantNotFound"
    await tenant.cluster.delete(kinds.TENANT_AUTOSCALER, "stray", tenant.namespace)
    assert await scaler((tenant.namespace, "stray")) is None
    await asked(tenant, CPU)
    await tenant.say(controlPlane={"deployment": {"replicas": 0}})
    assert await scaler(tenant.key) == PAUSE
    assert await reason(tenant) == "TenantAsleep"


async def test_with_a_metrics_server_all_containers_are_followed_and_without_one_that_is_said(
    tenant: Hosted, scaler: Autoscaler
) -> None:
    await asked(tenant, {**CPU, "controllerManager": {"cpu": {"max": "2"}}, "scheduler": {"memory": {"max": "1Gi"}}})
    await looked(tenant, scaler, 2)
    assert await reason(tenant) == "LoadUnknown"
    async with metrics_served(tenant.cluster):
        taken = {
            API_SERVER: {"cpu": "10m", "memory": "150Mi"},
            "kube-controller-manager": {"cpu": "300123456n", "memory": "80Mi"},
            "kube-scheduler": {"cpu": "1m", "memory": "90000Ki"},
        }
        for number, share in enumerate(("0", "1m")):
            said = meta.new(kinds.POD_METRICS, f"{tenant.name}-{number}", tenant.namespace)
            said["metadata"]["labels"] = {"kamaji.clastix.io/name": tenant.name}
            usage = taken if number else {each: {"cpu": share} for each in taken}
            said["containers"] = [{"name": name, "usage": each} for name, each in usage.items()]
            await tenant.cluster.apply(said, manager=MANAGER)
        await looked(tenant, scaler, 3)
        found = (await told(tenant))["requests"]
        assert found["apiServer"]["cpu"] == "35m"
        assert 500 <= quantity.milli(found["controllerManager"]["cpu"]) <= 520
        assert quantity.whole(found["scheduler"]["memory"]) >= 90000 * 1024 / 0.6
        assert await reason(tenant) == "InPlace"
        pod = await tenant.get(kinds.POD, f"{tenant.name}-0")
        assert requests(pod["spec"], "kube-controller-manager")["cpu"] == found["controllerManager"]["cpu"]
