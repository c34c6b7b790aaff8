"""Upgrades with a client that must not notice: a minor up under a worker, targets that do not come up, kubelets in the way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from lab.bench.asking import asking
from provider.api import kinds, names
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.cluster.errors import Unreachable
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from tests.e2e.conftest import LINGERS, kubectl, lingering, tenant, tenant_session, until, until_condition

OLD, NEW, BROKEN = "v1.36.3", "v1.37.2", "v1.37.99"
QUICK = "40"  # seconds without progress after which an upgrade that is to fail is undone: a start takes a few
UNHURRIED = "300"  # for one that is to succeed, also on a slow machine
LATE = 900.0  # seconds for what goes over several starts


def versioned(version: str) -> dict[str, Any]:
    return {"version": version, "kubelet": {"cgroupfs": "cgroupfs"}}


async def born(management: Cluster, name: str, namespace: str, deadline: str, **spec: Any) -> Manifest:
    """A tenant of 1.36 that is Ready, with this deadline for its upgrades."""
    manifest = tenant(name, namespace, **({"controlPlane": lingering(2)} | spec))
    manifest["metadata"]["annotations"] = {names.ANNOTATION_UPGRADE_DEADLINE: deadline}
    await management.apply(manifest, manager="e2e")
    await until_condition(management, manifest, "Ready")
    return manifest


def asked(name: str, namespace: str, version: str, deadline: str = "") -> None:
    patch: dict[str, Any] = {"spec": {"kubernetes": {"version": version}}}
    if deadline:
        patch["metadata"] = {"annotations": {names.ANNOTATION_UPGRADE_DEADLINE: deadline}}
    kubectl("patch", "tcp", name, "-n", namespace, "--type=merge", "-p", json.dumps(patch))


async def told(management: Cluster, name: str, namespace: str) -> dict[str, Any]:
    """`status.kubernetesResources.version`."""
    found = await management.get(kinds.TENANT_CONTROL_PLANE, name, namespace)
    block: dict[str, Any] = (found or {})["status"]["kubernetesResources"]["version"]
    return block


async def until_told(management: Cluster, name: str, namespace: str, **block: str) -> None:
    async def look() -> bool:
        return await told(management, name, namespace) == block

    await until(look, f"{namespace}/{name} tells {block}", LATE)


async def admin(management: Cluster, name: str, namespace: str) -> bytes:
    secret = await management.get(kinds.SECRET, names.admin_kubeconfig_secret(name), namespace)
    return meta.decoded(secret)["admin.svc"]


async def versions_of_pods(management: Cluster, name: str, namespace: str) -> set[str]:
    """Of the API servers that run or end; not of those that have ended, whose pods are told of for a moment more."""
    labels = {names.LABEL_NAME: name, names.LABEL_COMPONENT: "deployment"}
    listed = await management.list(kinds.POD, namespace, labels=labels)
    pods = [each for each in listed if each["status"].get("phase") not in ("Succeeded", "Failed")]
    images = [c["image"] for each in pods for c in each["spec"]["containers"] if c["name"] == "kube-apiserver"]
    return {each.rpartition(":")[2] for each in images}


# With a worker


@dataclass
class Watched:
    """What nodes and Cluster API are told, seen again and again while the pods are replaced."""

    management: Cluster
    tenant: Cluster
    name: str
    namespace: str

    async def look(self) -> None:
        """Read in the order in which things must not run ahead: what comes last first."""
        coredns = await self._coredns()
        kubeadm = await self._kubeadm()
        told_to_capi = await self._versions()
        running = await versions_of_pods(self.management, self.name, self.namespace)
        if coredns == "v1.14.6":
            assert kubeadm == NEW, "CoreDNS is of the new minor before the nodes' configuration is"
        if kubeadm == NEW:
            assert running == {NEW}, "nodes are told the new version while the old one serves"
        if told_to_capi == [NEW]:
            assert running == {NEW}, "Cluster API is told the new version while the old one serves"
        if told_to_capi == [NEW]:
            assert kubeadm == NEW, "Cluster API is told the new version before a worker of it could join"

    async def _coredns(self) -> str:
        found = await self.tenant.get(kinds.DEPLOYMENT, "coredns", "kube-system")
        return str((found or {})["spec"]["template"]["spec"]["containers"][0]["image"]).rpartition(":")[2]

    async def _kubeadm(self) -> str:
        found = await self.tenant.get(kinds.CONFIG_MAP, "kubeadm-config", "kube-system")
        said = (found or {})["data"]["ClusterConfiguration"]
        return str(said.partition("kubernetesVersion: ")[2].split()[0])

    async def _versions(self) -> list[str]:
        found = await self.management.get(kinds.KAMAJI_CONTROL_PLANE, self.name, self.namespace)
        return [each["version"] for each in (found or {})["status"]["versions"]]


@asynccontextmanager
async def watching(watched: Watched) -> AsyncIterator[None]:
    """What a look finds wrong fails the block at its end."""
    over = asyncio.Event()

    async def look_on() -> None:
        while not over.is_set():
            with contextlib.suppress(Unreachable):  # of what is replaced: whether all are served, `asking` sees
                await watched.look()
            await asyncio.sleep(0.2)

    task = asyncio.create_task(look_on())
    try:
        yield
    finally:
        over.set()
        await asyncio.wait([task])
    await task


@pytest.fixture
def with_worker(namespace: str) -> Iterator[str]:
    """A Cluster of two replicas and one worker, gone afterwards."""
    name = "grows"
    counts = ["--control-plane-machine-count", "2", "--worker-machine-count", "1"]
    where = ["--infrastructure", "lab", "--kubernetes-version", OLD, "--target-namespace", namespace]
    command = ["clusterctl", "generate", "cluster", name, *where, *counts]
    made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    kubectl("apply", "-f", "-", stdin=made)
    lingers = {"spec": {"apiServer": {"extraArgs": [LINGERS]}}}
    kubectl("patch", "kamajicontrolplane", name, "-n", namespace, "--type=merge", "-p", json.dumps(lingers))
    yield name
    kubectl("delete", "cluster", name, "-n", namespace, "--timeout=300s")


async def kubelets(session: Cluster) -> list[tuple[str, str]]:
    """(Ready, version) of each node."""
    nodes = await session.list(kinds.NODE)
    ready = [(find(each["status"].get("conditions"), "Ready") or {}).get("status", "") for each in nodes]
    return list(zip(ready, [each["status"]["nodeInfo"]["kubeletVersion"] for each in nodes], strict=True))


@pytest.mark.alone
async def test_a_minor_up_under_a_worker_while_a_client_sees_no_error(
    management: Cluster, namespace: str, with_worker: str
) -> None:
    name = with_worker
    await until_told_somehow(management, name, namespace)
    wanted = partial(management.get, kinds.SECRET, f"{name}-kubeconfig", namespace)
    content = meta.decoded(await until(wanted, "Cluster API's kubeconfig is there"))["value"]
    session = await connect.from_kubeconfig(content)

    async def joined() -> bool:
        return await kubelets(session) == [("True", OLD)]

    await until(joined, "the worker is Ready", LATE)

    async def whole() -> bool:
        return await told(management, name, namespace) == {"version": OLD, "status": "Ready"}

    await until(whole, "both replicas serve", LATE)
    async with asking(content) as client, watching(Watched(management, session, name, namespace)):
        patch = json.dumps({"spec": {"version": NEW}})
        kubectl("patch", "kamajicontrolplane", name, "-n", namespace, "--type=merge", "-p", patch)
        await until_told(management, name, namespace, version=NEW, status="Ready")
        await asyncio.sleep(5)
    client.faultless()
    assert set(client.versions) == {OLD, NEW}

    async def add_ons() -> bool:
        proxy = await session.get(kinds.DAEMON_SET, "kube-proxy", "kube-system")
        image = (proxy or {})["spec"]["template"]["spec"]["containers"][0]["image"]
        status = (proxy or {}).get("status") or {}
        numbers = (status.get("updatedNumberScheduled"), status.get("numberReady"))
        return image == f"registry.k8s.io/kube-proxy:{NEW}" and numbers == (1, 1)

    await until(add_ons, "kube-proxy of the new version runs on the worker", LATE)
    await until(joined, "the worker is as it was")
    await session.close()


async def until_told_somehow(management: Cluster, name: str, namespace: str) -> None:
    wanted = meta.new(kinds.TENANT_CONTROL_PLANE, name, namespace)

    async def there() -> bool:
        return await management.get(kinds.TENANT_CONTROL_PLANE, name, namespace) is not None

    await until(there, "the TenantControlPlane is there")
    await until_condition(management, wanted, "Ready")


# Targets that do not come up


FLAG = "--concurrent-service-syncs"  # kube-controller-manager 1.36 knows it, 1.37 does not


@pytest.mark.alone
@pytest.mark.parametrize(
    ("target", "spec", "words"),
    [
        (BROKEN, {}, f"image registry.k8s.io/kube-apiserver:{BROKEN} cannot be pulled"),
        (NEW, {"extraArgs": {"controllerManager": [f"{FLAG}=1"]}}, f"it refuses the flag {FLAG}"),
    ],
    ids=["its image is missing", "it refuses a flag"],
)
async def test_a_target_that_does_not_come_up_is_undone_and_a_client_sees_no_error(
    management: Cluster, namespace: str, target: str, spec: dict[str, Any], words: str
) -> None:
    wanted = await born(management, "stays", namespace, QUICK, controlPlane=lingering(2, **spec))
    async with asking(await admin(management, "stays", namespace)) as client:
        asked("stays", namespace, target)
        await until_condition(management, wanted, "Upgraded", status="False", reason="Upgrading")
        found = await until_condition(
            management, wanted, "Upgraded", status="False", reason="UpgradeFailed", patience=LATE
        )
        await until_told(management, "stays", namespace, version=OLD, status="Ready")
        await asyncio.sleep(5)
    client.faultless()
    assert words in found["message"]
    assert f"set spec.kubernetes.version to {OLD}" in found["message"]
    assert set(client.versions) == {OLD} or target == NEW, "an API server of the new version may have served meanwhile"
    assert (await until_condition(management, wanted, "Ready"))["status"] == "True"

    asked("stays", namespace, OLD)
    await until_condition(management, wanted, "Upgraded")


@pytest.mark.nightly
async def test_undone_it_is_tried_again_when_the_spec_is_another(management: Cluster, namespace: str) -> None:
    wanted = await born(management, "again", namespace, QUICK, controlPlane=lingering(1))
    asked("again", namespace, BROKEN)
    await until_condition(management, wanted, "Upgraded", status="False", reason="UpgradeFailed", patience=LATE)
    asked("again", namespace, NEW, UNHURRIED)
    await until_told(management, "again", namespace, version=NEW, status="Ready")
    await until_condition(management, wanted, "Upgraded")


@pytest.mark.nightly
async def test_with_the_strategy_recreate_what_served_comes_back(management: Cluster, namespace: str) -> None:
    wanted = await born(management, "back", namespace, QUICK, controlPlane=lingering(1, strategy={"type": "Recreate"}))
    asked("back", namespace, BROKEN)
    await until_condition(management, wanted, "Ready", status="False")
    await until_condition(management, wanted, "Upgraded", status="False", reason="UpgradeFailed", patience=LATE)
    await until_condition(management, wanted, "Ready")
    await until_told(management, "back", namespace, version=OLD, status="Ready")


# Kubelets in the way


@pytest.mark.nightly
async def test_a_kubelet_that_is_too_old_holds_up_a_minor_upgrade_until_it_is_gone(
    management: Cluster, namespace: str
) -> None:
    wanted = await born(management, "held", namespace, UNHURRIED, controlPlane=lingering(1))
    session = await tenant_session(management, "held", namespace)
    await session.apply(meta.new(kinds.NODE, "ancient"), manager="e2e")
    unknown = ("architecture", "bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "machineID")
    info = {**dict.fromkeys((*unknown, "operatingSystem", "osImage", "systemUUID"), "x"), "kubeletVersion": "v1.33.13"}
    await session.merge(
        kinds.NODE, "ancient", None, {"status": {"nodeInfo": info}}, subresource="status", manager="e2e"
    )
    asked("held", namespace, NEW)
    found = await until_condition(management, wanted, "Upgraded", status="False", reason="KubeletsTooOld")
    assert "node ancient runs v1.33" in found["message"]
    assert await told(management, "held", namespace) == {"version": OLD, "status": "Ready"}
    assert await versions_of_pods(management, "held", namespace) == {OLD}
    await session.delete(kinds.NODE, "ancient")
    await until_told(management, "held", namespace, version=NEW, status="Ready")
    await session.close()


# Sleep and scale


def scaled(name: str, namespace: str, replicas: int) -> None:
    kubectl("scale", "tcp", name, "-n", namespace, f"--replicas={replicas}")


async def test_asleep_its_state_is_kept_and_it_wakes_with_the_version_that_served(
    management: Cluster, namespace: str
) -> None:
    wanted = await born(management, "sleepy", namespace, UNHURRIED, controlPlane=lingering(1))
    session = await tenant_session(management, "sleepy", namespace)
    await session.apply(meta.new(kinds.CONFIG_MAP, "kept", "default", data={"a": "b"}), manager="e2e")
    await session.close()

    scaled("sleepy", namespace, 0)
    await until_told(management, "sleepy", namespace, version=OLD, status="Sleeping")

    async def no_pods() -> bool:
        return not await versions_of_pods(management, "sleepy", namespace)

    await until(no_pods, "all pods have ended")
    asked("sleepy", namespace, NEW)
    await until_condition(management, wanted, "Upgraded", status="False", reason="Sleeping")
    await until_told(management, "sleepy", namespace, version=OLD, status="Sleeping")

    scaled("sleepy", namespace, 1)

    async def awake() -> bool:
        return await versions_of_pods(management, "sleepy", namespace) == {OLD}

    await until(awake, "it wakes with the version that served")
    await until_told(management, "sleepy", namespace, version=NEW, status="Ready")
    session = await tenant_session(management, "sleepy", namespace)
    found = await session.get(kinds.CONFIG_MAP, "kept", "default")
    assert found is not None and found["data"] == {"a": "b"}
    await session.close()


@pytest.mark.alone
@pytest.mark.keeps("better.phases")
async def test_scaled_up_and_down_it_serves_all_the_time_and_is_never_unknown(
    management: Cluster, namespace: str
) -> None:
    await born(management, "wide", namespace, UNHURRIED, controlPlane=lingering(1))
    words = set()
    async with asking(await admin(management, "wide", namespace)) as client:
        for replicas in (3, 1):
            scaled("wide", namespace, replicas)

            async def settled(count: int = replicas) -> bool:
                words.add((await told(management, "wide", namespace))["status"])
                found = await management.get(kinds.TENANT_CONTROL_PLANE, "wide", namespace)
                numbers = (found or {})["status"]["kubernetesResources"]["deployment"]
                return [numbers.get(each) for each in ("replicas", "readyReplicas", "updatedReplicas")] == [count] * 3

            await until(settled, f"{replicas} replicas serve", LATE)

            async def budgeted(wanted: bool = replicas > 1) -> bool:
                budget = await management.get(kinds.POD_DISRUPTION_BUDGET, "wide", namespace)
                return (budget is not None) == wanted

            await until(
                budgeted, f"a PodDisruptionBudget is there for several replicas alone, of which it has {replicas}"
            )
        await asyncio.sleep(5)
    client.faultless()
    assert words == {"Ready"}
