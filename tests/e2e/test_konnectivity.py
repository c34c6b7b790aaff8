"""The tunnel: a control plane that cannot route to a worker reaches it through konnectivity, and not without."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.manifest import Manifest, meta
from tests.e2e import served
from tests.e2e.conftest import condition, tenant, tenant_session, until, until_condition
from tests.e2e.walled import Worker

ON: dict[str, Any] = {"server": {"port": 8132}}
AGENT = "konnectivity-agent"
SYSTEM = "kube-system"
AGENTS = "konnectivity-server-leases"


@dataclass(frozen=True)
class Remote:
    """A tenant with a worker behind a wall, and a pod on it."""

    management: Cluster
    session: Cluster
    name: str
    namespace: str
    worker: Worker
    kubeconfig: Path

    def kubectl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """As the tenant's administrator."""
        command = ["kubectl", f"--kubeconfig={self.kubeconfig}", "--request-timeout=10s", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    async def works(self, *arguments: str) -> str | None:
        """The output of a command that succeeds."""
        try:
            done = await asyncio.to_thread(self.kubectl, *arguments)
        except subprocess.TimeoutExpired:
            return None
        return done.stdout if done.returncode == 0 else None

    async def addon(self, block: dict[str, Any] | None) -> None:
        """Switch it on or off, or change it."""
        patch = {"spec": {"addons": {"konnectivity": block}}}
        await self.management.merge(
            kinds.TENANT_CONTROL_PLANE, self.name, self.namespace, patch, manager="e2e-konnectivity"
        )

    async def until_reason(self, reason: str) -> None:
        """KonnectivityReady says so."""

        async def look() -> bool:
            return (await condition(self.management, self.name, self.namespace, "KonnectivityReady")).get(
                "reason"
            ) == reason

        try:
            await until(look, f"KonnectivityReady says {reason}")
        except AssertionError as error:
            now = await condition(self.management, self.name, self.namespace, "KonnectivityReady")
            raise AssertionError(f"{error}; it says {now}") from error

    async def until_ready(self) -> None:
        """The tenant is, whatever its tunnel does."""
        await until_condition(self.management, tenant(self.name, self.namespace), "Ready")

    async def pods(self) -> list[Manifest]:
        """Control-plane pods."""
        labels = {names.LABEL_NAME: self.name, names.LABEL_COMPONENT: "deployment"}
        found = await self.management.list(kinds.POD, self.namespace, labels=labels)
        return [each for each in found if not each["metadata"].get("deletionTimestamp")]


@pytest.fixture
async def remote(
    management: Cluster, namespace: str, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Remote]:
    """With as many replicas as the test says; with konnectivity from its birth when it says any, without it otherwise."""
    replicas = getattr(request, "param", None)
    place = {"service": {"serviceType": "LoadBalancer"}, "deployment": {"replicas": replicas or 1}}
    addons = {"konnectivity": ON} if replicas else {}
    manifest = tenant("remote", namespace, controlPlane=place, addons=addons)
    await management.apply(manifest, manager="e2e")
    await until_condition(management, manifest, "Ready")
    if replicas:
        await until_condition(management, manifest, "KonnectivityReady", reason="NoNodes")
    found = await management.get(kinds.TENANT_CONTROL_PLANE, "remote", namespace)
    assert found is not None
    secret = await management.get(kinds.SECRET, names.admin_kubeconfig_secret("remote"), namespace)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_bytes(meta.decoded(secret)["admin.conf"])
    session = await tenant_session(management, "remote", namespace)
    worker = Worker.called(f"walled-{namespace.removeprefix('e2e-')}")
    try:
        await worker.join(session, found["status"]["controlPlaneEndpoint"])
        for each in served.manifests():
            await session.apply(each, manager="e2e")

        async def runs() -> bool:
            pod = await session.get(kinds.POD, served.NAME, served.NAMESPACE) or {}
            states = (pod.get("status") or {}).get("containerStatuses") or ()
            return bool(states) and all(each["ready"] for each in states)

        await until(runs, "the pod on the worker runs")
        yield Remote(management, session, "remote", namespace, worker, kubeconfig)
    finally:
        await session.close()
        await worker.end()


@contextmanager
def forwarded(remote: Remote) -> Iterator[int]:
    """A local port that leads to the pod's."""
    command = ["kubectl", f"--kubeconfig={remote.kubeconfig}", "port-forward", f"pod/{served.NAME}", f":{served.PORT}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as forward:
        try:
            line = forward.stdout.readline() if forward.stdout else ""
            assert "->" in line, f"port-forward: {line}"
            yield int(line.split("->")[0].rpartition(":")[2])
        finally:
            forward.terminate()


def asked_through_port_forward(remote: Remote) -> str:
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    with (
        forwarded(remote) as port,
        urllib.request.urlopen(f"https://127.0.0.1:{port}/", timeout=20, context=anyone) as response,
    ):
        return str(response.read().decode())


async def denied(remote: Remote) -> str:
    """What comes of a ConfigMap that the webhook denies; empty when it is let in."""
    try:
        await remote.session.create(served.marked("denied"))
    except ApiError as error:
        return str(error)
    return ""


async def left_inside(session: Cluster) -> list[str]:
    """What there is of the tunnel inside the tenant."""
    wanted = [
        (kinds.SERVICE_ACCOUNT, AGENT, SYSTEM),
        (kinds.DAEMON_SET, AGENT, SYSTEM),
        (kinds.DEPLOYMENT, AGENT, SYSTEM),
        (kinds.CLUSTER_ROLE_BINDING, "system:konnectivity-server", None),
        *(
            (kind, name, SYSTEM)
            for kind in (kinds.ROLE, kinds.ROLE_BINDING)
            for name in ("konnectivity-server", AGENTS)
        ),
    ]
    found = [f"{kind.kind} {name}" for kind, name, where in wanted if await session.get(kind, name, where)]
    leases = await session.list(kinds.LEASE, SYSTEM, labels={"k8s-app": "konnectivity-server"})
    pods = await session.list(kinds.POD, SYSTEM, labels={"k8s-app": AGENT})
    return found + [f"{each['kind']} {each['metadata']['name']}" for each in [*leases, *pods]]


async def left_here(remote: Remote) -> list[str]:
    """What there is of the tunnel in the management cluster."""
    labels = {names.LABEL_NAME: remote.name}
    kinds_here = (kinds.SECRET, kinds.CONFIG_MAP)
    lists = [await remote.management.list(kind, remote.namespace, labels=labels) for kind in kinds_here]
    found = [
        each["metadata"]["name"] for group in lists for each in group if "konnectivity" in each["metadata"]["name"]
    ]
    service = await remote.management.get(kinds.SERVICE, remote.name, remote.namespace)
    deployment = await remote.management.get(kinds.DEPLOYMENT, remote.name, remote.namespace)
    assert service and deployment
    found += [each["name"] for each in service["spec"]["ports"] if each["name"] == "konnectivity-server"]
    pod = deployment["spec"]["template"]["spec"]
    found += [each["name"] for each in (*pod["volumes"], *pod["containers"]) if "konnectivity" in each["name"]]
    return found + [flag for each in pod["containers"] for flag in each["args"] if "egress-selector" in flag]


@pytest.mark.keeps("better.tunnel-off")
async def test_a_worker_that_cannot_be_reached_is_reached_through_the_tunnel_and_not_without(remote: Remote) -> None:
    assert not await remote.worker.is_reached()
    assert await remote.works("logs", served.NAME, "-c", "api") is None
    assert "failed calling webhook" in await denied(remote)

    await remote.addon(ON)
    await remote.until_reason("TunnelWorks")

    async def logged() -> bool:
        return await remote.works("logs", served.NAME, "-c", "webhook") is not None

    # Whichever API server is asked: one from before the tunnel may be in the Service for a moment.
    await until(logged, "logs")

    async def ran() -> bool:
        return "netexec" in (await remote.works("exec", served.NAME, "-c", "api", "--", "/agnhost", "--help") or "")

    await until(ran, "a command runs in the pod")

    async def forwarded_to() -> bool:
        try:
            return served.GROUP in await asyncio.to_thread(asked_through_port_forward, remote)
        except (AssertionError, OSError):
            return False

    await until(forwarded_to, "the pod answers at a forwarded port")

    async def aggregated() -> bool:
        return served.GROUP in (await remote.works("get", "--raw", f"/apis/{served.GROUP}/v1") or "")

    await until(aggregated, "the aggregated API answers")

    async def judged() -> bool:
        return served.DENIAL in await denied(remote)

    # A kept connection may still lead to an API server from before the tunnel, until that has ended.
    await until(judged, "the webhook is asked")

    status = (await remote.management.get(kinds.TENANT_CONTROL_PLANE, "remote", remote.namespace) or {})["status"]
    block = status["addons"]["konnectivity"]
    assert block["enabled"] is True and block["agent"]["mode"] == "DaemonSet"
    assert block["service"]["port"] == 8132 and block["certificate"]["secretName"] == "remote-konnectivity-certificate"

    await remote.worker.cut(8132)
    for pod in await remote.session.list(kinds.POD, SYSTEM, labels={"k8s-app": AGENT}):
        await remote.session.delete(kinds.POD, pod["metadata"]["name"], SYSTEM)
    await remote.until_reason("AgentsNotConnected")
    await remote.until_ready()
    await remote.worker.mend()
    await remote.until_reason("TunnelWorks")

    await remote.addon(None)

    async def over() -> bool:
        return not await left_here(remote) and not await left_inside(remote.session)

    try:
        await until(over, "nothing of the tunnel is left")
    except AssertionError as error:
        raise AssertionError(f"{error}: {await left_here(remote)}, {await left_inside(remote.session)}") from error

    async def said() -> bool:
        """What the status says comes last."""
        status = (await remote.management.get(kinds.TENANT_CONTROL_PLANE, "remote", remote.namespace) or {})["status"]
        ready = await condition(remote.management, "remote", remote.namespace, "KonnectivityReady")
        return not ready and status["addons"]["konnectivity"] == {"enabled": False}

    await until(said, "the status tells of no tunnel any more")
    await remote.until_ready()

    async def answers() -> bool:
        try:
            return await remote.session.text("/readyz") == "ok"
        except ApiError:  # of one that is ending, over a connection that was kept
            return False

    await until(answers, "the tenant answers without it")
    assert await remote.works("logs", served.NAME, "-c", "api") is None


@pytest.mark.nightly
@pytest.mark.keeps("better.tunnel-off", "better.scaling-tunnel")
@pytest.mark.parametrize("remote", [2], indirect=True)
async def test_agents_follow_every_api_server_without_a_rollout_and_are_put_right_in_both_modes(remote: Remote) -> None:
    await remote.until_reason("TunnelWorks")

    async def two() -> set[str] | None:
        found = {each["metadata"]["name"] for each in await remote.pods()}
        return found if len(found) == 2 else None

    before = await until(two, "there are two pods")
    scale = {"spec": {"controlPlane": {"deployment": {"replicas": 3}}}}
    await remote.management.merge(
        kinds.TENANT_CONTROL_PLANE, remote.name, remote.namespace, scale, manager="e2e-konnectivity"
    )

    async def leased() -> bool:
        leases = await remote.session.list(kinds.LEASE, SYSTEM, labels={"k8s-app": "konnectivity-server"})
        return len(leases) == 3

    await until(leased, "three proxy servers have published themselves")
    await remote.until_reason("TunnelWorks")
    assert before < {each["metadata"]["name"] for each in await remote.pods()}

    async def through_all() -> bool:
        return all([await remote.works("logs", served.NAME, "-c", "webhook") is not None for _ in range(12)])

    await until(through_all, "a dozen requests in turn, whichever API server they go to")

    for mode, kind, other in (
        ("DaemonSet", kinds.DAEMON_SET, kinds.DEPLOYMENT),
        ("Deployment", kinds.DEPLOYMENT, kinds.DAEMON_SET),
    ):
        agents = {"mode": mode, "hostNetwork": mode == "Deployment"}
        await remote.addon({**ON, "agent": agents | ({"replicas": 1} if mode == "Deployment" else {})})

        async def made(former: str = "", kind: kinds.Kind = kind, other: kinds.Kind = other) -> str:
            found = await remote.session.get(kind, AGENT, SYSTEM)
            uid = str(found["metadata"]["uid"]) if found else ""
            return "" if uid == former or await remote.session.get(other, AGENT, SYSTEM) else uid

        uid: str = await until(made, f"agents as {mode} only")
        await remote.until_reason("TunnelWorks")
        await remote.session.delete(kind, AGENT, SYSTEM)
        await until(partial(made, uid), f"the deleted {mode} is back")
        await remote.until_reason("TunnelWorks")
        await until(through_all, f"requests in turn with agents as {mode}")
