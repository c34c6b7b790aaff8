"""How tenants are reached: balancers, Ingress, Gateway API. The lab has no gateway or ingress controller and balances no class
of its own: what such controllers would write into statuses, the tests write.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.manifest import Manifest, kubeconfig, meta
from tests.e2e import gateway_api
from tests.e2e.conftest import kubectl, tenant, tenant_session, until, until_condition

HOST = "demo.example.com"
OURS = "lab.example.com/nobody"  # a class of load balancers that nobody serves


@pytest.fixture
def without_gateway_api() -> Iterator[None]:
    """Absent at first, and gone afterwards."""
    gateway_api.remove()
    yield
    gateway_api.remove()


async def tcp(management: Cluster, name: str, namespace: str) -> Manifest:
    found = await management.get(kinds.TENANT_CONTROL_PLANE, name, namespace)
    assert found is not None
    return found


async def say(management: Cluster, kind: Kind, name: str, namespace: str, status: dict[str, Any]) -> None:
    """Write a status as another controller would."""
    await management.merge(kind, name, namespace, {"status": status}, subresource="status", manager="e2e")


async def server(management: Cluster, name: str, namespace: str) -> str:
    """Where admin.conf leads."""
    secret = await management.get(kinds.SECRET, names.admin_kubeconfig_secret(name), namespace)
    return kubeconfig.parse(meta.decoded(secret)["admin.conf"]).server


async def answers_as(management: Cluster, name: str, namespace: str, host: str) -> bool:
    """Whether the API server, reached at its Service, proves to be `host` to who holds admin.conf."""
    service = await management.get(kinds.SERVICE, name, namespace)
    secret = await management.get(kinds.SECRET, names.admin_kubeconfig_secret(name), namespace)
    assert service is not None
    port = service["spec"]["ports"][0]["port"]
    session = await connect.from_kubeconfig(
        meta.decoded(secret)["admin.conf"],
        server=f"https://{service['spec']['clusterIP']}:{port}",
        tls_server_name=host,
    )
    try:
        return await session.text("/readyz") == "ok"
    except Exception:
        return False
    finally:
        await session.close()


async def cluster_info(management: Cluster, name: str, namespace: str) -> str:
    """What a joining worker is told."""
    session = await tenant_session(management, name, namespace)
    found = await session.get(kinds.CONFIG_MAP, "cluster-info", "kube-public")
    await session.close()
    return str((found or {}).get("data", {}).get("kubeconfig", ""))


def patch(name: str, namespace: str, spec: dict[str, Any]) -> None:
    kubectl("patch", "tcp", "-n", namespace, name, "--type=merge", "-p", json.dumps({"spec": spec}))


def accepted(route: Manifest, now: str) -> dict[str, Any]:
    """What a gateway controller says of a route that it takes."""
    stamp = {"lastTransitionTime": now, "observedGeneration": route["metadata"]["generation"], "message": ""}
    conditions = [
        {"type": "Accepted", "status": "True", "reason": "Accepted", **stamp},
        {"type": "ResolvedRefs", "status": "True", "reason": "ResolvedRefs", **stamp},
    ]
    parents = route["spec"]["parentRefs"]
    return {
        "parents": [
            {"controllerName": "example.com/e2e", "parentRef": each, "conditions": conditions} for each in parents
        ]
    }


@pytest.mark.keeps("better.late-gateway-api")
async def test_gateway_api_that_comes_later_is_used_without_a_restart(
    management: Cluster, namespace: str, without_gateway_api: None
) -> None:
    gateway = {"hostname": HOST, "parentRefs": [{"name": "edge", "sectionName": "kube-apiserver"}]}
    manifest = tenant("routed", namespace, controlPlane={"gateway": gateway})
    await management.apply(manifest, manager="e2e")
    missing = await until_condition(management, manifest, "ExposureReady", status="False", reason="GatewayAPIMissing")
    assert "install Gateway API v1.5" in missing["message"]
    await until_condition(management, manifest, "Joinable")
    await until_condition(management, manifest, "PodsReady")  # it answers a moment before the kubelet says so
    await until_condition(management, manifest, "Ready", status="False", reason="GatewayAPIMissing")

    gateway_api.install()
    await until_condition(management, manifest, "ExposureReady", status="Unknown", reason="RouteNotJudged")
    await until_condition(management, manifest, "Ready")

    async def known() -> bool:
        told = f"server: https://{HOST}:6443" in await cluster_info(management, "routed", namespace)
        leads = await server(management, "routed", namespace) == f"https://{HOST}:6443"
        return told and leads and await answers_as(management, "routed", namespace, HOST)

    await until(known, "kubeconfig, certificate and cluster-info say the host's name")

    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    listener = {"name": "kube-apiserver", "port": 6443, "protocol": "TLS", "tls": {"mode": "Passthrough"}}
    spec = {"gatewayClassName": "lab", "listeners": [listener]}
    await management.apply(meta.new(kinds.GATEWAY, "edge", namespace, spec=spec), manager="e2e")
    route = await management.get(kinds.TLS_ROUTE, "routed", namespace)
    assert route is not None
    await say(management, kinds.TLS_ROUTE, "routed", namespace, accepted(route, now))
    await until_condition(management, manifest, "ExposureReady", status="False", reason="GatewayNotProgrammed")
    programmed = {
        "type": "Programmed",
        "status": "True",
        "reason": "Programmed",
        "message": "",
        "lastTransitionTime": now,
    }
    await say(management, kinds.GATEWAY, "edge", namespace, {"conditions": [programmed]})
    await until_condition(management, manifest, "ExposureReady")
    block = (await tcp(management, "routed", namespace))["status"]["kubernetesResources"]["gateway"]
    assert block["routeRef"] == {"name": "routed"}
    assert [each["value"] for each in block["accessPoints"]] == [f"https://{HOST}:6443"]

    patch("routed", namespace, {"controlPlane": {"gateway": None}})

    async def withdrawn() -> bool:
        gone = await management.get(kinds.TLS_ROUTE, "routed", namespace) is None
        return gone and "gateway" not in (await tcp(management, "routed", namespace))["status"]["kubernetesResources"]

    await until(withdrawn, "route and status block are gone with the block of the spec")


@pytest.mark.nightly
async def test_routes_of_a_deleted_tenant_are_gone_within_a_minute(
    management: Cluster, namespace: str, without_gateway_api: None
) -> None:
    gateway_api.install()
    gateway = {"hostname": HOST, "parentRefs": [{"name": "edge"}]}
    manifest = tenant("ending", namespace, controlPlane={"gateway": gateway})
    await management.apply(manifest, manager="e2e")
    await until_condition(management, manifest, "Ready")
    await management.delete(kinds.TENANT_CONTROL_PLANE, "ending", namespace)

    async def gone() -> bool:
        return await management.get(kinds.TLS_ROUTE, "ending", namespace) is None

    await until(gone, "the route is gone", 60.0)


async def test_an_ingress_comes_changes_and_goes_and_the_tenant_answers_to_its_name(
    management: Cluster, namespace: str
) -> None:
    manifest = tenant("fronted", namespace, controlPlane={"ingress": {"hostname": f"{HOST}:443"}})
    await management.apply(manifest, manager="e2e")
    await until_condition(management, manifest, "Ready")
    made = await until(lambda: management.get(kinds.INGRESS, "fronted", namespace), "the Ingress is there")
    assert made["spec"]["rules"][0]["host"] == HOST
    assert await server(management, "fronted", namespace) == f"https://{HOST}:443"
    await until(lambda: answers_as(management, "fronted", namespace, HOST), f"it answers as {HOST}")

    patch("fronted", namespace, {"controlPlane": {"ingress": {"hostname": "new.example.com"}}})

    async def moved() -> bool:
        told = await server(management, "fronted", namespace) == "https://new.example.com:6443"
        return told and await answers_as(management, "fronted", namespace, "new.example.com")

    await until(moved, "kubeconfig and certificate say the new name")

    async def told() -> bool:
        return "server: https://new.example.com:6443" in await cluster_info(management, "fronted", namespace)

    await until(told, "cluster-info says the new name")

    patch("fronted", namespace, {"controlPlane": {"ingress": None}})

    async def withdrawn() -> bool:
        gone = await management.get(kinds.INGRESS, "fronted", namespace) is None
        endpoint = (await tcp(management, "fronted", namespace))["status"]["controlPlaneEndpoint"]
        return gone and await server(management, "fronted", namespace) == f"https://{endpoint}"

    await until(withdrawn, "the Ingress is gone, and kubeconfigs lead to the Service again")


@pytest.mark.keeps("better.moving-addresses")
async def test_balancer_addresses_that_come_late_change_and_are_several_reach_everybody(
    management: Cluster, namespace: str
) -> None:
    manifest = tenant(
        "balanced",
        namespace,
        controlPlane={"service": {"serviceType": "LoadBalancer"}},
        networkProfile={"loadBalancerClass": OURS, "loadBalancerSourceRanges": ["0.0.0.0/0"]},
    )
    await management.apply(manifest, manager="e2e")
    await until_condition(management, manifest, "EndpointReady", status="False", reason="LoadBalancerPending")

    async def told(address: str) -> bool:
        endpoint = (await tcp(management, "balanced", namespace))["status"].get("controlPlaneEndpoint")
        return bool(
            endpoint == f"{address}:6443" and await server(management, "balanced", namespace) == f"https://{endpoint}"
        )

    for ingress, address in (
        ([{"ip": "192.0.2.1"}], "192.0.2.1"),
        ([{"ip": "192.0.2.2"}, {"ip": "192.0.2.1"}, {"hostname": "lb.example.com"}], "192.0.2.1"),
        ([{"ip": "192.0.2.2"}, {"hostname": "lb.example.com"}], "192.0.2.2"),
    ):
        await say(management, kinds.SERVICE, "balanced", namespace, {"loadBalancer": {"ingress": ingress}})
        await until(lambda address=address: told(address), f"{address} is told")
    await until_condition(management, manifest, "Ready")

    async def everywhere() -> bool:
        said = "server: https://192.0.2.2:6443" in await cluster_info(management, "balanced", namespace)
        return said and await answers_as(management, "balanced", namespace, "lb.example.com")

    await until(everywhere, "cluster-info names the address, and the certificate the host name beside it")

    patch("balanced", namespace, {"networkProfile": {"loadBalancerSourceRanges": None}})

    async def open_again() -> bool:
        service = await management.get(kinds.SERVICE, "balanced", namespace)
        return service is not None and "loadBalancerSourceRanges" not in service["spec"]

    await until(open_again, "source ranges are gone with those of the spec")
