"""Status, conditions for tools that wait, and Events, as a real API server has them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.servers import ApiServer
from provider.api import kinds, names
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.cluster.events import Recorder
from provider.hosting.view import View
from provider.manifest import checksum, meta
from provider.manifest.condition import find
from provider.manifest.happening import CONTROLLER, Happening
from tests.integration import in_force
from tests.integration.hosted import Hosted, Store

RBAC = Path(__file__).parents[2] / "config/rbac/hosting.yaml"


@pytest.fixture
async def tenant(management: Cluster, namespace: str, store: Store, tmp_path: Path) -> AsyncIterator[Hosted]:
    found = Hosted(management, store, namespace, tmp_path / "tenant")
    yield found
    await found.stop()


async def events(tenant: Hosted) -> list[tuple[str, str]]:
    found = await tenant.cluster.list(kinds.EVENT, tenant.namespace)
    ours = [each for each in found if each["reportingController"] == CONTROLLER]
    return [(each["type"], each["reason"]) for each in sorted(ours, key=lambda each: str(each["eventTime"]))]


def waits(api_server: ApiServer, tenant: Hosted, condition: str, seconds: int = 60) -> bool:
    """Whether kubectl's wait ends within so many seconds."""
    done = api_server.kubectl(
        *("wait", f"--for=condition={condition}", f"--timeout={seconds}s", "-n", tenant.namespace),
        *("tenantcontrolplane", tenant.name),
        check=False,
    )
    return done.returncode == 0


async def test_a_pass_that_is_cancelled_in_the_midst_of_a_birth_does_not_say_that_all_is_well(
    tenant: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the provider is ended, or leads no more."""
    there = asyncio.Event()

    async def waits_for_ever(_: View) -> View:
        there.set()
        await asyncio.Event().wait()
        raise AssertionError

    await tenant.say()
    monkeypatch.setattr(tenant.run.storage, "prepared", waits_for_ever)
    task = asyncio.create_task(tenant.look())
    async with asyncio.timeout(60):
        await there.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    told = ((await tenant.tcp()).get("status") or {}).get("conditions") or []
    assert [each["type"] for each in told if each["status"] == "True"] == []


@pytest.mark.keeps("better.phases")
async def test_a_life_in_conditions_and_events(tenant: Hosted, store: Store, api_server: ApiServer) -> None:
    await tenant.say()
    await tenant.look()
    assert (await tenant.condition("Reconciling"))["reason"] in ("WaitingForPart", "PodsStarting", "ApiServerStarting")
    assert not waits(api_server, tenant, "Ready", 2)
    await tenant.serve()
    await tenant.until_joinable()
    assert waits(api_server, tenant, "Ready")
    told = await events(tenant)
    assert told == [("Normal", "KeyspaceClaimed"), ("Normal", "Ready")]
    conditions = {each["type"] for each in (await tenant.tcp())["status"]["conditions"]}
    assert not conditions & {"Stalled", "Reconciling", "Paused", "WritePermissionsReady", "StorageReleased"}

    await tenant.look(passes=5)
    assert await events(tenant) == told  # a pass that changes nothing tells nothing

    await tenant.say(kubernetes={"version": "v1.37.2", "kubelet": {}})
    await tenant.look()
    assert (await tenant.condition("Reconciling"))["reason"] == "RollingOut"
    assert ("Normal", "Upgrading") in await events(tenant)

    secret = names.scheduler_kubeconfig_secret(tenant.name)
    rotate = {"metadata": {"annotations": {names.ANNOTATION_ROTATE: ""}}}
    await tenant.cluster.merge(kinds.SECRET, secret, tenant.namespace, rotate, manager="tests")
    await tenant.look()
    assert (await events(tenant))[-1] == ("Normal", "CertificatesRenewed")

    await tenant.cluster.delete(kinds.POD, f"{tenant.name}-0", tenant.namespace)
    await tenant.cluster.delete(kinds.TENANT_CONTROL_PLANE, tenant.name, tenant.namespace)
    await tenant.look()
    assert (await events(tenant))[-1] == ("Normal", "KeyspaceErased")


@pytest.mark.keeps("better.phases")
async def test_refused_input_stalls_and_is_told_once(tenant: Hosted, api_server: ApiServer) -> None:
    deployment = {"replicas": 1, "extraArgs": {"apiServer": ["--secure-port=1"]}}
    await tenant.say(controlPlane={"service": {"serviceType": "ClusterIP"}, "deployment": deployment})
    await tenant.look(passes=3)
    found = await tenant.condition("Stalled")
    assert (found["status"], found["reason"]) == ("True", "FlagManaged")
    assert waits(api_server, tenant, "Stalled")
    assert (await events(tenant)).count(("Warning", "FlagManaged")) == 1
    deployment = {"replicas": 1}
    await tenant.say(controlPlane={"service": {"serviceType": "ClusterIP"}, "deployment": deployment})
    await tenant.look()
    assert find((await tenant.tcp())["status"]["conditions"], "Stalled") is None


async def test_pause_and_its_end_are_told(tenant: Hosted) -> None:
    await tenant.say()
    await tenant.look()
    for value, reason in ((names.PROJECT, "Paused"), (None, "Resumed")):
        patch = {"metadata": {"annotations": {names.ANNOTATION_PAUSED: value}}}
        await tenant.cluster.merge(kinds.TENANT_CONTROL_PLANE, tenant.name, tenant.namespace, patch, manager="tests")
        await tenant.look(passes=2)
        assert (await events(tenant))[-1] == ("Normal", reason)
    assert len(await events(tenant)) == 3


async def test_pods_that_change_to_another_authority_have_upstreams_word(tenant: Hosted) -> None:
    await tenant.say()
    await tenant.look()
    await tenant.serve()
    await tenant.until_joinable()
    assert await tenant.phase() == "Ready"
    rotate = {"metadata": {"annotations": {names.ANNOTATION_ROTATE: ""}}}
    await tenant.cluster.merge(kinds.SECRET, names.ca_secret(tenant.name), tenant.namespace, rotate, manager="tests")
    await tenant.look()
    assert ("Warning", "AuthorityReplaced") in await events(tenant)
    assert await tenant.phase() == "CertificateAuthorityRotating"


async def test_blocks_are_upstreams_and_stand_while_nothing_changes(tenant: Hosted, store: Store) -> None:
    await tenant.say()
    await tenant.look()
    await tenant.serve()
    await tenant.until_joinable()
    await tenant.look()
    status = (await tenant.tcp())["status"]
    config = meta.decoded(await tenant.get(kinds.SECRET, names.datastore_config_secret(tenant.name)))
    uid = (await tenant.tcp())["metadata"]["uid"]
    setup = status["storage"]["setup"]
    assert setup == {"schema": uid, "user": uid, "checksum": checksum.of(config), "lastUpdate": setup["lastUpdate"]}
    assert status["storage"]["dataStoreName"] == store.name and status["storage"]["driver"] == "etcd"
    for group, keys in {
        "certificates": ("ca", "apiServer", "apiServerKubeletClient", "frontProxyCA", "frontProxyClient", "sa"),
        "kubeconfig": ("admin", "controllerManager", "scheduler"),
    }.items():
        for key in keys:
            block = status[group][key]
            data = meta.decoded(await tenant.get(kinds.SECRET, block["secretName"]))
            assert block["checksum"] == checksum.of(data) and block["lastUpdate"]
    assert {"name", "namespace", "selector", "lastUpdate"} <= status["kubernetesResources"]["deployment"].keys()
    assert {"name", "namespace", "port"} <= status["kubernetesResources"]["service"].keys()
    assert status["kubeadmPhase"]["bootstrapToken"]["checksum"]
    assert status["observedGeneration"] == (await tenant.tcp())["metadata"]["generation"]
    await tenant.look(passes=3)
    assert (await tenant.tcp())["status"] == status


async def test_what_we_may_is_enough_to_tell(tenant: Hosted, api_server: ApiServer) -> None:
    (role,) = [each for each in yaml.safe_load_all(RBAC.read_text()) if each["metadata"]["name"] == "kamaji-hosting"]
    await tenant.cluster.apply(role, manager="tests")
    subject = {"kind": "User", "name": "teller", "apiGroup": "rbac.authorization.k8s.io"}
    reference = {"kind": "ClusterRole", "name": role["metadata"]["name"], "apiGroup": "rbac.authorization.k8s.io"}
    binding: dict[str, Any] = meta.new(
        kinds.CLUSTER_ROLE_BINDING, "tests-teller", roleRef=reference, subjects=[subject]
    )
    await tenant.cluster.apply(binding, manager="tests")
    await in_force.rights(tenant.cluster, role, "teller")
    await tenant.say()
    teller = await connect.from_kubeconfig(api_server.kubeconfig("teller", "nobodies"))
    await Recorder(teller, "pod").record(await tenant.tcp(), [Happening("Ready", "x")])
    assert await events(tenant) == [("Normal", "Ready")]
    store = await tenant.cluster.get(kinds.DATA_STORE, tenant.store.name)
    assert store is not None
    await Recorder(teller, "pod").record(store, [Happening("NotReady", "x", warning=True)])
    found = await tenant.cluster.list(kinds.EVENT, "default")
    assert [each for each in found if each["regarding"].get("uid") == store["metadata"]["uid"]]
    await teller.close()
