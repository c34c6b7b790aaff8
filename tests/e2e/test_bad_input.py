"""Bad input gives one condition that says what is wrong and what to do; nothing is lost and no neighbour notices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.cluster.errors import Refused
from tests.e2e.conftest import condition, kubectl, tenant, tenant_session, until, until_condition


@pytest.fixture(scope="module")
def neighbour(ending: list[str]) -> Iterator[str]:
    """Namespace of a tenant that runs all the while."""
    name = "e2e-neighbour"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "tenantcontrolplanes", "--all", "-n", name, "--wait=true", "--timeout=300s")
    kubectl("delete", "namespace", name, "--wait=false")
    ending.append(name)


async def neighbour_serves(management: Cluster, namespace: str) -> str:
    """The neighbour's pods and restarts, as one string, after it answered."""
    manifest = tenant("neighbour", namespace)
    await management.apply(manifest, manager="e2e")
    await until_condition(management, manifest, "Ready")
    session = await tenant_session(management, "neighbour", namespace)
    assert await session.text("/readyz") == "ok"
    await session.close()
    pods = await management.list(kinds.POD, namespace, labels={names.LABEL_NAME: "neighbour"})
    return str([(p["metadata"]["uid"], [c["restartCount"] for c in p["status"]["containerStatuses"]]) for p in pods])


CASES: dict[str, tuple[dict[str, Any], str, str, tuple[str, ...]]] = {
    "DataStore that does not exist": ({"dataStore": "nowhere"}, "StorageReady", "DataStoreNotFound", ("nowhere",)),
    "NodePort without an address": (
        {"controlPlane": {"service": {"serviceType": "NodePort"}}, "networkProfile": {"port": 31999}},
        "EndpointReady",
        "AddressUnknown",
        ("networkProfile.address",),
    ),
    "NodePort out of range": (
        {
            "controlPlane": {"service": {"serviceType": "NodePort"}},
            "networkProfile": {"port": 6443, "address": "192.0.2.7"},
        },
        "EndpointReady",
        "RefusedByManagementCluster",
        ("30000-32767",),
    ),
}


@pytest.mark.keeps("rules.data-store", "rules.pods")
@pytest.mark.parametrize("case", CASES)
async def test_bad_input_is_told_by_a_condition(management: Cluster, namespace: str, neighbour: str, case: str) -> None:
    spec, kind, reason, words = CASES[case]
    before = await neighbour_serves(management, neighbour)
    manifest = tenant("bad", namespace, **spec)
    await management.apply(manifest, manager="e2e")
    found = await until_condition(management, manifest, kind, status="False", reason=reason)
    for word in words:
        assert word in found["message"]
    ready = await until_condition(management, manifest, "Ready", status="False")
    assert ready["message"]
    assert await neighbour_serves(management, neighbour) == before


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a version that is no version": ({"kubernetes": {"version": "latest", "kubelet": {}}}, "version"),
    "version older than supported": ({"kubernetes": {"version": "v1.20.0", "kubelet": {}}}, "v1.20.0 .* from v1.33"),
    "version newer than supported": ({"kubernetes": {"version": "v1.99.0", "kubelet": {}}}, "v1.99.0 .* to v1.37"),
    "service CIDR overlaps the pod CIDR": (
        {"networkProfile": {"serviceCidr": "10.96.0.0/12", "podCidr": "10.100.0.0/16"}},
        "overlap",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_can_be_known_at_once_is_refused_at_once(management: Cluster, namespace: str, case: str) -> None:
    spec, word = REFUSED[case]
    with pytest.raises(Refused, match=word):
        await management.apply(tenant("bad", namespace, **spec), manager="e2e")


async def test_a_port_that_is_taken_is_told_and_the_holder_keeps_it(management: Cluster, namespace: str) -> None:
    node = (await management.list(kinds.NODE))[0]
    address = next(each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP")
    shape = {
        "controlPlane": {"service": {"serviceType": "NodePort"}, "deployment": {"replicas": 1}},
        "networkProfile": {"port": 31998, "address": address},
    }
    first, second = tenant("first", namespace, **shape), tenant("second", namespace, **shape)
    await management.apply(first, manager="e2e")
    await until_condition(management, first, "EndpointReady")
    await management.apply(second, manager="e2e")

    async def told() -> bool:
        found = await condition(management, "second", namespace, "EndpointReady")
        return found.get("status") == "False" and "31998" in found["message"]

    await until(told, "the condition names the port")
    await until_condition(management, first, "Ready")


async def test_two_tenants_that_want_one_schema_only_one_gets_it(management: Cluster, namespace: str) -> None:
    first = tenant("first", namespace, dataStoreSchema="shared", dataStoreUsername="first")
    second = tenant("second", namespace, dataStoreSchema="shared", dataStoreUsername="second")
    await management.apply(first, manager="e2e")
    await until_condition(management, first, "Ready")
    await management.apply(second, manager="e2e")
    found = await until_condition(management, second, "StorageReady", status="False", reason="KeyspaceTaken")
    assert f"{namespace}/first" in found["message"]
