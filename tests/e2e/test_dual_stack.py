"""Tenants with both IP families, in either order. The management cluster of the lab has IPv4 alone."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import subprocess
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.manifest import Manifest, meta
from tests.e2e.conftest import kubectl, tenant, tenant_session, until, until_condition
from tests.e2e.served import AGNHOST
from tests.e2e.walled import Worker

SERVICES = {"IPv4": "10.96.0.0/16", "IPv6": "fd00:96::/112"}
PODS = {"IPv4": "10.244.0.0/16", "IPv6": "fd00:244::/56"}
ADVERTISED = {"IPv4": {}, "IPv6": {"advertiseAddress": "fd00:30::10"}}  # nobody dials it here
NAMESPACE = "e2e-dual-stack"
ORDERS = [("IPv4", "IPv6"), ("IPv6", "IPv4")]


def families(addresses: Sequence[str]) -> list[str]:
    return [f"IPv{ipaddress.ip_interface(each).version}" for each in addresses]


def service(name: str) -> Manifest:
    ports = [{"port": 80, "targetPort": 8080}]
    spec: dict[str, Any] = {"selector": {"app": name}, "ports": ports, "ipFamilyPolicy": "RequireDualStack"}
    return meta.new(kinds.SERVICE, name, "default", spec=spec)


def dual(order: Sequence[str], service_type: str) -> Manifest:
    profile = {"serviceCidrs": [SERVICES[each] for each in order], "podCidrs": [PODS[each] for each in order]}
    plane = {"service": {"serviceType": service_type}, "deployment": {"replicas": 1}}
    name = f"{order[0].lower()}-first"
    return tenant(name, NAMESPACE, controlPlane=plane, networkProfile={**profile, **ADVERTISED[order[0]]})


TENANTS = {order: dual(order, kind) for order, kind in zip(ORDERS, ("LoadBalancer", "ClusterIP"), strict=True)}


@pytest.fixture(scope="module", autouse=True)
def tenants(ending: list[str]) -> Iterator[None]:
    """Both are born together, and go by themselves."""
    kubectl("create", "namespace", NAMESPACE)
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(TENANTS.values()))
    yield
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    ending.append(NAMESPACE)


async def alternatives(management: Cluster, name: str) -> set[str]:
    """Addresses in the certificate that the API server serves."""
    secret = await management.get(kinds.SECRET, names.api_server_secret(name), NAMESPACE)
    leaf = x509.load_pem_x509_certificate(meta.decoded(secret)["apiserver.crt"])
    found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(each) for each in found.get_values_for_type(x509.IPAddress)}


@pytest.mark.parametrize("order", ORDERS, ids=["IPv4 first", "IPv6 first"])
async def test_services_of_a_tenant_have_both_families_in_the_order_of_its_ranges(
    management: Cluster, order: tuple[str, str]
) -> None:
    name = TENANTS[order]["metadata"]["name"]
    await until_condition(management, TENANTS[order], "Ready")
    assert {"10.96.0.1", "fd00:96::1"} <= await alternatives(management, name)
    session = await tenant_session(management, name, NAMESPACE)
    await session.apply(service("both"), manager="e2e")
    for name, where in (("both", "default"), ("kube-dns", "kube-system")):
        look = partial(session.get, kinds.SERVICE, name, where)
        found = await until(look, f"Service {name} is there")  # a tenant is Ready before its add-ons are
        assert found["spec"]["ipFamilies"] == list(order) == families(found["spec"]["clusterIPs"])
    first = await until(partial(session.get, kinds.SERVICE, "kubernetes", "default"), "the API server's own is there")
    # Kubernetes makes this one of one family; that it is the first shows which one the API server takes as its own.
    assert first["spec"]["ipFamilies"] == [order[0]]
    await session.close()


async def test_pods_on_a_worker_have_an_address_of_each_family_and_answer_behind_both(
    management: Cluster, tmp_path: Path
) -> None:
    manifest = TENANTS[ORDERS[0]]
    name = manifest["metadata"]["name"]
    await until_condition(management, manifest, "Ready")
    tcp = await management.get(kinds.TENANT_CONTROL_PLANE, name, NAMESPACE)
    assert tcp is not None
    session = await tenant_session(management, name, NAMESPACE)
    worker = Worker.called("dual-stack")
    try:
        await worker.join(session, tcp["status"]["controlPlaneEndpoint"], wall=False)
        node = await session.get(kinds.NODE, worker.machine.name)
        assert node is not None
        assert families(node["spec"]["podCIDRs"]) == ["IPv4", "IPv6"]
        pod = {"name": "both", "image": AGNHOST, "args": ["netexec", "--http-port=8080", "--udp-port=-1"]}
        spec = {"containers": [pod], "terminationGracePeriodSeconds": 0}
        await session.create(meta.new(kinds.POD, "both", "default", labels={"app": "both"}, spec=spec))
        await session.apply(service("both"), manager="e2e")

        async def addresses() -> list[str]:
            status = (await session.get(kinds.POD, "both", "default") or {}).get("status") or {}
            return [each["ip"] for each in status.get("podIPs") or ()]

        assert families(await until(addresses, "the pod has addresses")) == ["IPv4", "IPv6"]
        found = await session.get(kinds.SERVICE, "both", "default")
        assert found is not None
        secret = await management.get(kinds.SECRET, names.admin_kubeconfig_secret(name), NAMESPACE)
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_bytes(meta.decoded(secret)["admin.conf"])
        for each in found["spec"]["clusterIPs"]:
            host = f"[{each}]" if ":" in each else each

            async def connected(host: str = host) -> bool:
                """From inside the pod, through kube-proxy and back to it."""
                command = ["kubectl", f"--kubeconfig={kubeconfig}", "exec", "both", "--", "/agnhost", "connect"]
                done = await asyncio.to_thread(
                    subprocess.run, [*command, "--timeout=2s", f"{host}:80"], capture_output=True, env=dict(os.environ)
                )
                return done.returncode == 0

            await until(connected, f"the Service answers at {host}")
    finally:
        await session.close()
        await worker.end()
