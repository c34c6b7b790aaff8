"""An upgrade that does not get on, before the real Deployment controller: its word ends it, and what served never ends.

The pass's own steps (decide, build, apply) are taken in turn against a real API server; a hand says what kubelets would.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from lab.servers import ApiServer, ControllerManager, Etcd
from provider.api import kinds, names
from provider.cluster import connect
from provider.cluster.apply import Applier
from provider.cluster.client import Cluster
from provider.hosting import upgrade, versions
from provider.hosting.observe import upgrade as observe
from provider.hosting.upgrade.skew import Kubelet
from provider.hosting.view import Rollout, Seen, View, key_of
from provider.manifest import Manifest, meta
from tests.golden import world
from tests.integration.real_controllers import pods_get_ready, until

OLD, NEW = "v1.36.3", "v1.37.99"
NAMESPACE, NAME = "tenants", "demo"  # as the tenant of tests.golden.world is called
DEADLINE = {names.ANNOTATION_UPGRADE_DEADLINE: "3"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, plain_etcd: Etcd) -> Iterator[ApiServer]:
    started = ApiServer(tmp_path_factory.mktemp("upgrade"), plain_etcd, prefix="/upgrade").start()
    started.kubectl("create", "namespace", NAMESPACE)
    controllers = ControllerManager(started, "deployment-controller,replicaset-controller").start()
    yield started
    controllers.stop()
    started.stop()


@pytest.fixture
async def cluster(server: ApiServer) -> AsyncIterator[Cluster]:
    connection = await connect.from_kubeconfig(server.kubeconfig())
    yield connection
    ended = ("deployments,replicasets,pods", "--all", f"--namespace={NAMESPACE}", "--grace-period=0")

    async def gone() -> bool:  # a controller may have made another pod before it saw that its owner went
        server.kubectl("delete", *ended)
        await asyncio.sleep(0.5)
        return not await connection.list(kinds.POD, NAMESPACE)

    await until(gone, "nothing is left of the test")
    await connection.close()


@dataclass
class Turns:
    """The tenant's passes, as far as they are about its Deployment."""

    cluster: Cluster
    strategy: dict[str, Any]
    installed: str = ""

    def __post_init__(self) -> None:
        self.applier = Applier(self.cluster, names.HOSTING_MANAGER)

    async def seen(self, version: str, **spec: Any) -> View:
        deployment = {"replicas": 2, "strategy": self.strategy, **spec}
        raw = world.tenant(
            kubernetes={"version": version}, controlPlane={"deployment": deployment}, annotations=DEADLINE
        )
        if self.installed:
            raw["status"] = {"kubernetesResources": {"version": {"version": self.installed, "status": "Ready"}}}
        objects = [
            each
            for kind in (kinds.DEPLOYMENT, kinds.POD)
            for each in await self.cluster.list(kind, NAMESPACE, labels={names.LABEL_NAME: NAME})
        ]
        return replace(world.view(raw), seen=Seen({key_of(each): each for each in objects}))

    async def turn(self, version: str, **spec: Any) -> Rollout | None:
        """One pass."""
        view = await self.seen(version, **spec)
        sets = await observe.replica_sets(self.cluster, view) if upgrade.question(view) == "replica sets" else []
        rollout = upgrade.decided(view, [Kubelet("worker", OLD)], sets)
        made = world.walk(replace(view, rollout=rollout)).one(kinds.DEPLOYMENT, NAME)
        labels = {names.LABEL_PROJECT: names.PROJECT, names.LABEL_NAME: NAME}
        await self.applier.apply(labels, "deployment", [made], view.seen.objects)
        return rollout

    async def serves(self, version: str) -> list[str]:
        """Wait until two pods of the version are ready and nothing else is there; their uids."""

        async def look() -> list[str] | None:
            view = await self.seen(version)
            await pods_get_ready(self.cluster, NAMESPACE, lambda each: versions.run_by(view, each["spec"]) == version)
            status = (view.deployment or {}).get("status") or {}
            numbers = [status.get(each) for each in ("replicas", "readyReplicas", "updatedReplicas")]
            return uids(view) if numbers == [2, 2, 2] and versions.served(view) == version else None

        found = await until(look, f"{version} serves")
        self.installed = version
        return list(found)

    async def gives_up(self, version: str, **spec: Any) -> Rollout:
        """Take passes until the upgrade is undone."""

        async def look() -> Rollout | None:
            rollout = await self.turn(version, **spec)
            return rollout if rollout and rollout.reason == "UpgradeFailed" else None

        found: Rollout = await until(look, f"{version} is given up")
        return found


def uids(view: View) -> list[str]:
    return sorted(each["metadata"]["uid"] for each in view.pods)


@pytest.fixture(params=["RollingUpdate", "Recreate"])
def turns(cluster: Cluster, request: pytest.FixtureRequest) -> Turns:
    return Turns(cluster, {"type": request.param})


async def sets_of(cluster: Cluster) -> list[Manifest]:
    return await cluster.list(kinds.REPLICA_SET, NAMESPACE)


async def test_a_version_that_does_not_get_ready_is_undone_and_what_served_is_what_serves(turns: Turns) -> None:
    assert await turns.turn(OLD) is None
    before = await turns.serves(OLD)

    found = await turns.gives_up(NEW, extraArgs={"apiServer": ["--only-the-new-one-knows-it=1"]})
    assert found.message.startswith(f"{NEW} was given up after 3 s without progress")
    after = await turns.serves(OLD)
    if turns.strategy["type"] == "RollingUpdate":
        assert after == before, "the pods that served have ended"
    made = await sets_of(turns.cluster)
    assert len(made) == 2, "the old template was not made again to the letter"


async def test_undone_it_stays_quiet_until_the_spec_changes(turns: Turns) -> None:
    await turns.turn(OLD)
    await turns.serves(OLD)
    first = await turns.gives_up(NEW)
    await turns.serves(OLD)

    settled = (await turns.seen(NEW)).deployment
    again = await turns.turn(NEW)
    assert again is not None
    assert (again.message, again.record) == (first.message, first.record)
    now = (await turns.seen(NEW)).deployment
    assert settled is not None and now is not None
    assert now["metadata"]["resourceVersion"] == settled["metadata"]["resourceVersion"]

    retried = await turns.turn(NEW, extraArgs={"scheduler": ["--v=2"]})
    assert retried is not None and retried.reason == "Upgrading"
    live = (await turns.seen(NEW)).deployment
    assert names.ANNOTATION_UPGRADE_FAILED not in meta.annotations_of(live or {})
    assert await turns.turn(OLD) is None, "back at the installed version all is as it was"
    await turns.serves(OLD)


async def test_a_version_that_gets_ready_is_not_given_up(turns: Turns) -> None:
    await turns.turn(OLD)
    await turns.serves(OLD)
    rollout = await turns.turn("v1.37.2")
    assert rollout is not None and rollout.reason == "Upgrading"
    await turns.serves("v1.37.2")
    assert await turns.turn("v1.37.2") is None


async def test_the_kubelets_of_a_tenant_are_read(cluster: Cluster) -> None:
    assert await observe.kubelets(cluster) == []
    for name, version in (("a", "v1.35.4"), ("b", "v1.36.3")):
        await cluster.apply(meta.new(kinds.NODE, name), manager="kubelet")
        said = {"status": {"nodeInfo": node_info(version)}}
        await cluster.merge(kinds.NODE, name, None, said, subresource="status", manager="kubelet")
    assert await observe.kubelets(cluster) == [Kubelet("a", "v1.35.4"), Kubelet("b", "v1.36.3")]


def node_info(version: str) -> dict[str, str]:
    unknown = dict.fromkeys(
        ("architecture", "bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion"), "x"
    )
    return {
        **unknown,
        "kubeletVersion": version,
        "machineID": "x",
        "operatingSystem": "linux",
        "osImage": "x",
        "systemUUID": "x",
    }
