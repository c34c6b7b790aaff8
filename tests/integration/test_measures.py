"""What is scraped of a tenant whose API server is real: its state, its birth, whether it answers; nothing once it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY, generate_latest

from provider.api import kinds
from provider.telemetry import table
from tests.integration.hosted import VERSION, Hosted


def told(tenant: Hosted, name: str, **labels: str) -> float | None:
    who = {"tcp_namespace": tenant.namespace, "tcp_name": tenant.name}
    return REGISTRY.get_sample_value(name, {**who, **labels})


def scraped(tenant: Hosted) -> list[str]:
    """Lines of the exposition that name it."""
    return [line for line in generate_latest().decode().splitlines() if f'"{tenant.namespace}"' in line]


async def until(true: Callable[[], bool], seconds: float = 120) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.05)


async def test_a_tenant_that_serves_is_ready_answers_and_has_told_its_birth(tenant: Hosted) -> None:
    await tenant.look()
    assert told(tenant, "kamaji_tenant_ready") == 1
    assert told(tenant, "kamaji_tenant_control_plane_status", status="Ready", ready="true") == 1
    assert told(tenant, "kamaji_tenant_api_up") == 1
    (info,) = [line for line in scraped(tenant) if line.startswith(table.TENANT_INFO.name)]
    assert f'kubernetes_version="{VERSION}"' in info and f'datastore_name="{tenant.store.name}"' in info
    born = [told(tenant, table.TENANT_BIRTH.name, phase=each) for each in table.PHASES]
    assert all(each is not None and 0 <= each < 300 for each in born)
    ends = [line for line in scraped(tenant) if line.startswith(table.CERTIFICATE_END.name)]
    assert len(ends) > 5


async def test_the_watches_tell_that_an_api_server_is_away_and_back_without_a_pass(tenant: Hosted) -> None:
    await tenant.look()
    assert tenant.watch.watches(tenant.key)
    assert tenant.process is not None
    tenant.process.stop()
    await until(lambda: told(tenant, "kamaji_tenant_api_up") == 0)
    await tenant.serve()
    await until(lambda: told(tenant, "kamaji_tenant_api_up") == 1)


async def test_a_pass_tells_it_too_and_how_long_it_took(tenant: Hosted) -> None:
    def asked(outcome: str) -> float:
        return REGISTRY.get_sample_value("kamaji_tenant_api_seconds_count", {"outcome": outcome}) or 0.0

    before = asked("unanswered")
    assert tenant.process is not None
    tenant.process.stop()
    await tenant.look()
    assert told(tenant, "kamaji_tenant_api_up") == 0
    assert asked("unanswered") == before + 1


async def test_one_that_sleeps_has_no_availability_and_one_that_is_deleted_no_series(tenant: Hosted) -> None:
    await tenant.look()
    await tenant.say(controlPlane={"deployment": {"replicas": 0}})
    await tenant.look()
    deployment = await tenant.get(kinds.DEPLOYMENT)
    await tenant.tell(deployment, ready=False)
    await tenant.look()
    assert told(tenant, "kamaji_tenant_api_up") is None
    assert told(tenant, "kamaji_tenant_ready") == 0
    assert told(tenant, "kamaji_tenant_hindrance", reason="Sleeping") == 1
    await tenant.cluster.delete(kinds.TENANT_CONTROL_PLANE, tenant.name, tenant.namespace)
    await tenant.look(passes=2)
    assert scraped(tenant) == []


@pytest.mark.parametrize("secret", ["password", "PRIVATE KEY"])
async def test_what_is_scraped_holds_no_secret(tenant: Hosted, secret: str) -> None:
    await tenant.look()
    assert scraped(tenant)
    assert secret not in generate_latest().decode()
