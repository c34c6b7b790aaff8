"""A GitOps tool has nothing to fight over: what it declared stands so, what we make is not its own, and health is kstatus.

kstatus is the one in the real helm, whose `--wait` is made of it.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import programs
from lab.servers import ApiServer
from provider.api import kinds
from tests.integration.hosted import Hosted

TOOL = "argocd-controller"
TRACKING = {"app.kubernetes.io/instance": "fleet", "kustomize.toolkit.fluxcd.io/name": "fleet"}
TRACKED = {"argocd.argoproj.io/tracking-id": "fleet:kamaji.clastix.io/TenantControlPlane:x/demo"}


def declared(tenant: Hosted, **spec: Any) -> dict[str, Any]:
    """As it lies in a repository."""
    base = {
        "kubernetes": {"version": "v1.36.3", "kubelet": {"cgroupfs": "systemd"}},
        "controlPlane": {"service": {"serviceType": "ClusterIP"}, "deployment": {"replicas": 1}},
        "networkProfile": {"port": tenant.port},
        "addons": {"coreDNS": {}, "kubeProxy": {}},
    }
    return {
        "apiVersion": "kamaji.clastix.io/v1alpha1",
        "kind": "TenantControlPlane",
        "metadata": {
            "name": tenant.name,
            "namespace": tenant.namespace,
            "labels": TRACKING,
            "annotations": TRACKED,
        },
        "spec": {**base, **spec},
    }


@pytest.fixture
async def synced(hosted: Hosted, api_server: ApiServer) -> Hosted:
    """A tenant that a tool has applied, and that serves."""
    sync(hosted, api_server)
    await hosted.look()
    await hosted.serve()
    await hosted.until_joinable()
    await hosted.look()
    return hosted


@pytest.fixture
async def hosted(management: Any, namespace: str, store: Any, tmp_path: Path) -> Any:
    found = Hosted(management, store, namespace, tmp_path / "tenant")
    yield found
    await found.stop()


def sync(tenant: Hosted, api_server: ApiServer, *options: str) -> bytes:
    file = tenant.folder / "declared.json"
    file.write_text(json.dumps(declared(tenant)))
    done = api_server.kubectl("apply", "--server-side", f"--field-manager={TOOL}", *options, "-f", str(file))
    return done.stdout


async def test_a_second_sync_changes_nothing_and_meets_no_conflict(synced: Hosted, api_server: ApiServer) -> None:
    before = (await synced.tcp())["metadata"]
    sync(synced, api_server)
    after = (await synced.tcp())["metadata"]
    assert (after["resourceVersion"], after["generation"]) == (before["resourceVersion"], before["generation"])
    file = synced.folder / "declared.json"
    difference = api_server.kubectl("diff", "--server-side", f"--field-manager={TOOL}", "-f", str(file), check=False)
    assert (difference.returncode, difference.stdout) == (0, b"")


async def test_nobody_but_the_tool_owns_a_field_of_the_spec(synced: Hosted) -> None:
    fields = {each["manager"]: each["fieldsV1"] for each in (await synced.tcp())["metadata"]["managedFields"]}
    assert "f:spec" in fields.pop(TOOL)
    assert fields, "ours are there"
    assert not [manager for manager, owned in fields.items() if "f:spec" in owned]


async def test_what_is_made_has_an_owner_and_no_mark_of_the_tools(synced: Hosted) -> None:
    made = [
        each
        for kind in (kinds.DEPLOYMENT, kinds.SERVICE, kinds.SECRET, kinds.CONFIG_MAP)
        for each in await synced.cluster.list(kind, synced.namespace)
    ]
    assert len(made) > 10
    for each in made:
        metadata = each["metadata"]
        assert [owner["name"] for owner in metadata["ownerReferences"]] == [synced.name]
        assert not TRACKING.keys() & metadata.get("labels", {}).keys()
        assert not TRACKED.keys() & metadata.get("annotations", {}).keys()


async def test_a_wait_by_kstatus_ends_when_workers_can_join_and_not_before(
    hosted: Hosted, api_server: ApiServer, tmp_path: Path
) -> None:
    chart = charted(tmp_path, declared(hosted))
    await helm(tmp_path, api_server, "install", "fleet", str(chart), "--namespace", hosted.namespace)
    await hosted.look()  # who has no status yet is well, says kstatus
    upgrade = ("upgrade", "fleet", str(chart), "--namespace", hosted.namespace, "--wait", "--timeout=300s")
    waits = asyncio.create_task(helm(tmp_path, api_server, *upgrade))
    try:
        await asyncio.sleep(5)
        assert not waits.done(), "it is not ready yet"
        await hosted.serve()
        await hosted.until_joinable()
        await hosted.look()
        async with asyncio.timeout(120):
            await waits
    finally:
        waits.cancel()


async def test_a_wait_by_kstatus_ends_at_once_where_nothing_goes_on_by_itself(
    hosted: Hosted, api_server: ApiServer, tmp_path: Path
) -> None:
    chart = charted(tmp_path, declared(hosted, controlPlane={"service": {"serviceType": "NodePort"}}))
    await helm(tmp_path, api_server, "install", "fleet", str(chart), "--namespace", hosted.namespace)
    await hosted.look()  # the port is none that a node may have
    stalled = await hosted.condition("Stalled")
    upgrade = ("upgrade", "fleet", str(chart), "--namespace", hosted.namespace, "--wait", "--timeout=300s")
    async with asyncio.timeout(90):
        with pytest.raises(AssertionError, match=re.escape(stalled["message"][:40])):
            await helm(tmp_path, api_server, *upgrade)


def charted(folder: Path, tenant: dict[str, Any]) -> Path:
    """A chart of one tenant."""
    chart = folder / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text(yaml.safe_dump({"apiVersion": "v2", "name": "fleet", "version": "0.1.0"}))
    (chart / "templates" / "tenant.yaml").write_text(json.dumps(tenant))
    return chart


async def helm(home: Path, server: ApiServer, *arguments: str) -> None:
    """Run it to its end; ended with the task."""
    command = [str(programs.path("helm")), *arguments, "--kubeconfig", str(server.folder / "kubeconfig")]
    environment, pipe = {"PATH": "/usr/bin:/bin", "HOME": str(home)}, asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)
    try:
        _, error = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, error.decode()
