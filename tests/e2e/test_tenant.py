"""A TenantControlPlane becomes a control plane that works, stays quiet, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import aiohttp
import pytest

from lab.datastore import default_store
from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.manifest import Manifest, meta
from tests.e2e.conftest import kubectl, steady, tenant, tenant_session, until, until_condition

CONTROLLER_MANAGER, SCHEDULER = 10257, 10259  # the ports their probes ask


async def created(cluster: Cluster, manifest: Manifest) -> Manifest:
    return await cluster.apply(manifest, manager="e2e")


async def resource_versions(cluster: Cluster, name: str, namespace: str) -> dict[str, str]:
    owned = (kinds.SECRET, kinds.CONFIG_MAP, kinds.SERVICE, kinds.DEPLOYMENT)
    lists = [await cluster.list(kind, namespace, labels={names.LABEL_NAME: name}) for kind in owned]
    tcp = await cluster.get(kinds.TENANT_CONTROL_PLANE, name, namespace)
    assert tcp is not None
    found = {f"{each['kind']}/{each['metadata']['name']}": each for group in lists for each in group}
    return {key: each["metadata"]["resourceVersion"] for key, each in {**found, "tcp": tcp}.items()}


@pytest.fixture(scope="module")
def one(ending: list[str]) -> Iterator[str]:
    """The namespace of a tenant called so, for all who look at it and put right what they change."""
    name = "e2e-tenant"
    kubectl("create", "namespace", name)
    kubectl("apply", "-f", "-", stdin=json.dumps(tenant("one", name)))
    yield name
    kubectl("delete", "tenantcontrolplanes", "--all", "-n", name, "--wait=true", "--timeout=300s")
    kubectl("delete", "namespace", name, "--wait=false")
    ending.append(name)


@pytest.fixture
async def ready(management: Cluster, one: str) -> str:
    """Its namespace, once it is Ready."""
    await until_condition(management, tenant("one", one), "Ready")
    return one


async def test_a_tenant_becomes_ready_and_its_kubeconfig_works(management: Cluster, ready: str) -> None:
    session = await tenant_session(management, "one", ready)
    assert '"gitVersion": "v1.36.3"' in await session.text("/version")
    info = await session.get(kinds.CONFIG_MAP, "cluster-info", "kube-public")
    assert info is not None and "kubeconfig" in info["data"]
    await session.close()


@pytest.mark.keeps("better.metrics-ports")
async def test_who_reaches_the_pods_without_a_token_of_the_tenant_hears_only_that_they_are_healthy(
    management: Cluster, ready: str
) -> None:
    (pod,) = await management.list(kinds.POD, ready, labels={names.LABEL_NAME: "one"})
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as anybody:

        async def answer(port: int, path: str) -> int:
            async with anybody.get(f"https://{pod['status']['podIP']}:{port}{path}") as said:
                return said.status

        for port in (CONTROLLER_MANAGER, SCHEDULER):
            assert await answer(port, "/healthz") == 200
            for path in ("/metrics", "/configz", "/flagz", "/statusz", "/debug/pprof/"):
                assert await answer(port, path) in (401, 403), path


async def test_a_worker_could_join_because_the_cluster_info_is_signed_for_its_token(
    management: Cluster, ready: str
) -> None:
    session = await tenant_session(management, "one", ready)
    token = meta.new(
        kinds.SECRET,
        "bootstrap-token-abcdef",
        "kube-system",
        type="bootstrap.kubernetes.io/token",
        stringData={
            "token-id": "abcdef",
            "token-secret": "0123456789abcdef",
            "usage-bootstrap-signing": "true",
            "usage-bootstrap-authentication": "true",
            "auth-extra-groups": names.NODE_TOKEN_GROUP,
        },
    )
    await session.create(token)

    async def signed() -> bool:
        info = await session.get(kinds.CONFIG_MAP, "cluster-info", "kube-public")
        return "jws-kubeconfig-abcdef" in (info or {}).get("data", {})

    await until(signed, "signature of cluster-info")
    await session.close()


async def test_a_converged_tenant_sends_no_write(management: Cluster, ready: str) -> None:
    async def look() -> dict[str, str]:
        return {**await resource_versions(management, "one", ready), "tcp": ""}

    before = await steady(look, "what is the tenant's", 10)
    kubectl("annotate", "tenantcontrolplane", "-n", ready, "one", "e2e/look-again=1")
    await asyncio.sleep(10)
    assert await look() == before


async def test_what_somebody_changes_by_hand_is_put_right(management: Cluster, ready: str) -> None:
    kubectl("delete", "secret", "-n", ready, names.scheduler_kubeconfig_secret("one"))
    kubectl("label", "service", "-n", ready, "one", f"{names.LABEL_PROJECT}=mine", "--overwrite")

    async def healed() -> bool:
        secret = await management.get(kinds.SECRET, names.scheduler_kubeconfig_secret("one"), ready)
        service = await management.get(kinds.SERVICE, "one", ready)
        return secret is not None and meta.labels_of(service or {}).get(names.LABEL_PROJECT) == names.PROJECT

    await until(healed, "Secret and label are back")


async def test_a_deleted_tenant_leaves_no_object_key_user_or_role(management: Cluster, namespace: str) -> None:
    wanted = await created(management, tenant("gone", namespace))
    await until_condition(management, wanted, "Ready")
    tcp = await management.get(kinds.TENANT_CONTROL_PLANE, "gone", namespace)
    assert tcp is not None
    setup = tcp["status"]["storage"]["setup"]
    async with default_store(management) as store:
        assert setup["user"] in await store.users()
        assert await store.count(setup["schema"]) > 0
        await management.delete(kinds.TENANT_CONTROL_PLANE, "gone", namespace)

        async def over() -> bool:
            return await management.get(kinds.TENANT_CONTROL_PLANE, "gone", namespace) is None

        await until(over, "the TenantControlPlane is gone")
        assert setup["user"] not in await store.users()
        assert setup["schema"] not in await store.roles()
        assert await store.count(setup["schema"]) == 0

    async def nothing_left() -> bool:
        kinds_left = (kinds.SECRET, kinds.CONFIG_MAP, kinds.SERVICE, kinds.DEPLOYMENT, kinds.POD)
        lists = [await management.list(kind, namespace, labels={names.LABEL_NAME: "gone"}) for kind in kinds_left]
        return not any(lists)

    await until(nothing_left, "garbage collection of the tenant's objects")


@pytest.mark.parametrize("service_type", ["NodePort", "LoadBalancer"])
async def test_a_tenant_is_reached_from_outside(management: Cluster, namespace: str, service_type: str) -> None:
    node = (await management.list(kinds.NODE))[0]
    address = next(each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP")
    profile = {"address": address, "port": 31843} if service_type == "NodePort" else {"port": 6443}
    manifest = tenant(
        "outside",
        namespace,
        controlPlane={"service": {"serviceType": service_type}, "deployment": {"replicas": 1}},
        networkProfile=profile,
    )
    wanted = await created(management, manifest)
    await until_condition(management, wanted, "Ready")
    tcp = await management.get(kinds.TENANT_CONTROL_PLANE, "outside", namespace)
    assert tcp is not None
    endpoint = tcp["status"]["controlPlaneEndpoint"]
    secret = await management.get(kinds.SECRET, names.admin_kubeconfig_secret("outside"), namespace)
    assert f"server: https://{endpoint}" in meta.decoded(secret)["admin.conf"].decode()
