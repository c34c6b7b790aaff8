"""The status page by the way that its page of docs/ tells: switched on, a port forwarded by kubectl, a token of one's own.

What it shows to whom, and in a browser, is in tests/integration/test_status_page.py; here are the pod and the way to it.
"""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
import yaml

from docs.evidence import ROOT
from lab.deploy import DEPLOYMENT, NAMESPACE
from provider.cluster.client import Cluster
from tests import blocks
from tests.e2e.conftest import kubectl, tenant, until

PAGE = ROOT / "docs" / "status-page.md"
ON, WAY = (each.commands.splitlines() for each in blocks.of(PAGE))
VIEWER = next(yaml.safe_load(text) for language, _, text in blocks.fences(PAGE) if language == "yaml")
OFF = ("set", "env", DEPLOYMENT, "KAMAJI_STATUS_PAGE_PORT-")
URL = "http://localhost:8082"
SLEEPS = {"controlPlane": {"service": {"serviceType": "ClusterIP"}, "deployment": {"replicas": 0}}}


def typed(line: str) -> subprocess.Popen[bytes]:
    """As the page has it, in a clone."""
    return subprocess.Popen(["sh", "-c", f"exec {line}"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def rolled_out() -> None:
    kubectl("-n", NAMESPACE, "rollout", "status", DEPLOYMENT, "--timeout=300s")


@pytest.fixture
def switched_on() -> Iterator[None]:
    for line in ON:
        assert typed(line).wait(120) == 0, line
    rolled_out()
    yield
    kubectl("-n", NAMESPACE, *OFF)
    rolled_out()
    kubectl("delete", "-f", str(ROOT / "config" / "statuspage" / "rbac.yaml"))


@pytest.fixture
def token(namespace: str) -> Iterator[str]:
    """Of a ServiceAccount that may see what the page of docs/ says is enough for all of it."""
    kubectl("-n", namespace, "create", "serviceaccount", "viewer")
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(VIEWER))
    role = VIEWER["metadata"]["name"]
    kubectl("create", "clusterrolebinding", namespace, f"--clusterrole={role}", f"--serviceaccount={namespace}:viewer")
    (line,) = [each for each in WAY if "create token" in each]
    said, _ = typed(line.partition("#")[0].replace("team-a", namespace)).communicate(timeout=120)
    yield said.decode().strip()
    kubectl("delete", f"clusterrolebinding/{namespace}", f"clusterrole/{role}")


@pytest.fixture
def forwarded(switched_on: None) -> Iterator[None]:
    (line,) = [each for each in WAY if "port-forward" in each]
    process = typed(line.removesuffix("&"))
    yield
    process.terminate()
    process.wait(60)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as found:
        yield found


async def test_by_a_forwarded_port_who_has_a_token_sees_his_tenant_and_who_has_none_sees_nothing(
    management: Cluster, namespace: str, token: str, forwarded: None, session: aiohttp.ClientSession
) -> None:
    await management.apply(tenant("shown", namespace, **SLEEPS), manager="e2e")

    async def asked(path: str, **headers: str) -> tuple[int, Any]:
        async with session.get(f"{URL}{path}", headers=headers) as answer:
            return answer.status, await (answer.json() if answer.content_type == "application/json" else answer.text())

    async def there() -> Any:
        try:
            status, page = await asked("/")
        except aiohttp.ClientError:
            return None
        return page if status == 200 else None

    assert "<title>" in await until(there, "the page is there behind kubectl port-forward")
    assert (await asked("/api/fleet"))[0] == 401

    async def seen() -> bool:
        status, said = await asked("/api/fleet", Authorization=f"Bearer {token}")
        shown = [(each["namespace"], each["name"]) for each in said.get("tenants", ())]
        return status == 200 and (namespace, "shown") in shown

    await until(seen, "the tenant is on the page")
    status, said = await asked(f"/api/tenants/{namespace}/shown", Authorization=f"Bearer {token}")
    assert (status, said["row"]["name"], said["hidden"]) == (200, "shown", [])
    assert (await asked("/api/stores", Authorization=f"Bearer {token}"))[0] == 200
