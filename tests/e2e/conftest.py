"""Fixtures for tests in the lab. They run where the management cluster's addresses resolve: `lab run -- pytest tests/e2e`.

Nothing is mocked: the provider runs as a pod with its own RBAC, tenants are pods, workers are machines.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from lab import state
from provider.api import kinds, names
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError, Unreachable
from provider.manifest import Manifest, meta
from tests import turns

VERSION = "v1.36.3"
PATIENCE = 300.0  # seconds; a bound against hanging for ever, not a claim about speed
HANGS = 660  # seconds after which kubectl is given up: longer than any --timeout, which says more


def pytest_collection_modifyitems() -> None:
    if "KUBECONFIG" not in os.environ:
        raise pytest.UsageError("tests/e2e need a management cluster: run `make e2e`, or set KUBECONFIG")


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    """kubectl against the management cluster; its output. AssertionError with its words when it fails."""
    done = subprocess.run(
        ["kubectl", *arguments], input=stdin, capture_output=True, text=True, timeout=HANGS, check=False
    )
    assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
    return done.stdout


@pytest.fixture
async def management() -> AsyncIterator[Cluster]:
    cluster = await connect.from_file(os.environ["KUBECONFIG"])
    yield cluster
    await cluster.close()


@pytest.fixture(scope="session")
def ending() -> Iterator[list[str]]:
    """Namespaces of tests that are over. That all of them go is seen at the end: each takes its time, and nobody waits."""
    over: list[str] = []
    yield over
    deadline = time.monotonic() + PATIENCE
    while over and (left := kubectl("get", "namespace", "--ignore-not-found", "-o", "name", *over)):
        assert time.monotonic() < deadline, f"what tests have left keeps {left.split()} from going"
        time.sleep(1)


@pytest.fixture(autouse=True)
def its_turn(request: pytest.FixtureRequest) -> Iterator[None]:
    """Beside a test that is to be alone none of the other lab runs."""
    alone = request.node.get_closest_marker("alone") is not None
    with turns.turn(state.cache() / "locks" / "turns", alone=alone):
        yield


@pytest.fixture
def namespace(request: pytest.FixtureRequest, ending: list[str]) -> Iterator[str]:
    """A namespace of the test's own. Its tenants are gone afterwards, and the rest of it is going."""
    name = f"e2e-{abs(hash(request.node.nodeid)) % 10**8}"
    kubectl("create", "namespace", name)
    yield name
    # First by themselves: a namespace that finds something in it looks again only after a quarter of a minute.
    kubectl("delete", "tenantcontrolplanes", "--all", "-n", name, "--wait=true", "--timeout=300s")
    kubectl("delete", "namespace", name, "--wait=false")
    ending.append(name)


def tenant(name: str, namespace: str, **spec: Any) -> Manifest:
    """A small TenantControlPlane: one replica, ClusterIP, both add-ons. `spec` is laid over it key by key."""
    base: dict[str, Any] = {
        "kubernetes": {"version": VERSION, "kubelet": {"cgroupfs": "cgroupfs"}},
        "controlPlane": {"service": {"serviceType": "ClusterIP"}, "deployment": {"replicas": 1}},
        "networkProfile": {},
        "addons": {"coreDNS": {}, "kubeProxy": {}},
    }
    for key, value in spec.items():
        base[key] = {**base[key], **value} if isinstance(value, dict) and key in base else value
    return meta.new(kinds.TENANT_CONTROL_PLANE, name, namespace, spec=base)


LINGERS = "--shutdown-delay-duration=12s"


def lingering(replicas: int = 1, **deployment: Any) -> dict[str, Any]:
    """`spec.controlPlane` of a tenant of whom nobody may miss a request: its pods serve on for long when they end.

    Two labs share two cores, and kube-proxy hears of an end late. Who is behind a slow load balancer sets the same flag.
    """
    extra = {"apiServer": [LINGERS], **deployment.pop("extraArgs", {})}
    said = {"replicas": replicas, "extraArgs": extra, **deployment}
    return {"service": {"serviceType": "ClusterIP"}, "deployment": said}


async def until(look: Callable[[], Awaitable[Any]], what: str, patience: float = PATIENCE) -> Any:
    """Look until it is true; the truth. AssertionError says what was waited for.

    Who does not answer is asked again: its pods may be replaced meanwhile. That somebody answers all the while, `asking` shows.
    """
    deadline, fault = asyncio.get_running_loop().time() + patience, ""
    while True:
        try:
            if seen := await look():
                return seen
            fault = ""
        except Unreachable as error:
            fault = f": {error}"
        assert asyncio.get_running_loop().time() < deadline, f"{what}: not within {patience:.0f} s{fault}"
        await asyncio.sleep(0.2)


async def condition(cluster: Cluster, name: str, namespace: str, kind: str) -> dict[str, Any]:
    """A condition of a TenantControlPlane; empty when it is not there."""
    found = await cluster.get(kinds.TENANT_CONTROL_PLANE, name, namespace)
    conditions = ((found or {}).get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each["type"] == kind), {})


async def until_condition(
    cluster: Cluster,
    manifest: Manifest,
    kind: str,
    *,
    status: str = "True",
    reason: str | None = None,
    patience: float = PATIENCE,
) -> dict[str, Any]:
    """Wait for a condition of a TenantControlPlane; it. On failure says what the conditions were."""
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]

    async def look() -> dict[str, Any] | None:
        found = await condition(cluster, name, namespace, kind)
        fits = found.get("status") == status and (reason is None or found.get("reason") == reason)
        return found if fits else None

    try:
        return await until(look, f"{kind}={status} of {namespace}/{name}", patience)
    except AssertionError as error:
        now = await cluster.get(kinds.TENANT_CONTROL_PLANE, name, namespace)
        raise AssertionError(f"{error}; status: {json.dumps((now or {}).get('status'), indent=1)}") from error


async def tenant_session(cluster: Cluster, name: str, namespace: str) -> Cluster:
    """A connection to a tenant as its admin, by the kubeconfig that a user would take (admin.svc).

    It answers: kube-proxy may lag with a Service that is new.
    """
    secret = await cluster.get(kinds.SECRET, names.admin_kubeconfig_secret(name), namespace)
    assert secret is not None, f"{namespace}/{name} has no Secret {names.admin_kubeconfig_secret(name)}"
    found = meta.decoded(secret)
    assert "admin.svc" in found, f"{namespace}/{name}: its kubeconfigs are {sorted(found)}, since {secret['metadata']}"
    session = await connect.from_kubeconfig(found["admin.svc"])

    async def answers() -> bool:
        try:
            return await session.text("/readyz") == "ok"
        except ApiError:
            return False

    await until(answers, f"{namespace}/{name} answers behind its Service")
    return session


async def steady(look: Callable[[], Awaitable[Any]], what: str, seconds: float) -> Any:
    """Look until the same has been seen for so many seconds; that."""
    loop = asyncio.get_running_loop()
    seen, since = await look(), loop.time()

    async def still() -> bool:
        nonlocal seen, since
        if (now := await look()) != seen:
            seen, since = now, loop.time()
        return loop.time() - since >= seconds

    await until(still, f"{what} stays the same for {seconds:.0f} s")
    return seen
