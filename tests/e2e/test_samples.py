"""Every sample of config/samples, applied as it stands, in a world that has what it expects, comes to the end it promises.

A few are born at a time, and each goes when it has shown its end: a score of control planes is more than two cores carry.
`SCENERY` brings what samples take for granted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from provider.api import kinds
from provider.cluster.client import Cluster
from provider.manifest import Manifest
from provider.manifest.condition import find
from tests.e2e import etcd_members, gateway_api
from tests.e2e.conftest import kubectl, until, until_condition
from tests.samples import SAMPLES, documents

pytestmark = pytest.mark.nightly

NAMESPACE = "e2e-samples"
PATIENCE = 900.0  # seconds, for a birth among a score of others
CLUSTER_WIDE = ("DataStore", "KubeconfigGenerator")
AT_ONCE = 4


@contextmanager
def with_gateway_api() -> Iterator[None]:
    gateway_api.install()
    try:
        yield
    finally:
        gateway_api.remove()


SCENERY: tuple[Callable[[], AbstractContextManager[None]], ...] = (etcd_members.running, with_gateway_api)


@pytest.fixture(scope="module")
def applied(ending: list[str]) -> Iterator[set[Path]]:
    """Which of them are; none yet but the DataStores of all, which others may name. What tenants lie in goes after them."""
    with ExitStack() as stack:
        for each in SCENERY:
            stack.enter_context(each())
        kubectl("create", "namespace", NAMESPACE)
        ending.append(NAMESPACE)
        stack.callback(remove)
        for store in (each for file in SAMPLES for each in documents(file) if each["kind"] == "DataStore"):
            kubectl("apply", "-f", "-", stdin=json.dumps(store))
        yield set()


def remove() -> None:
    kubectl("delete", "tenantcontrolplanes", "--all", "-n", NAMESPACE, "--wait=true", "--timeout=600s")
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    for file in SAMPLES:
        for each in documents(file):
            if each["kind"] in CLUSTER_WIDE:
                kubectl("delete", each["kind"], each["metadata"]["name"], "--wait=true", "--timeout=300s")


def test_every_sample_has_something_to_wait_for() -> None:
    for file in SAMPLES:
        assert {each["kind"] for each in documents(file)} & ENDS.keys(), file.name


@pytest.mark.parametrize("file", SAMPLES, ids=lambda each: each.stem)
async def test_every_sample_applies_and_reaches_its_end(management: Cluster, applied: set[Path], file: Path) -> None:
    number = SAMPLES.index(file)
    for each in (one for one in SAMPLES[number : number + AT_ONCE] if one not in applied):
        kubectl("apply", "-n", NAMESPACE, "--validate=strict", "-f", str(each))
        applied.add(each)
    for each in documents(file):
        if end := ENDS.get(each["kind"]):
            await end(management, each)
    for each in (one for one in documents(file) if one["kind"] == kinds.TENANT_CONTROL_PLANE.kind):
        kubectl("delete", "tenantcontrolplane", each["metadata"]["name"], "-n", NAMESPACE, "--wait=false")


async def tenant_served(management: Cluster, sample: Manifest) -> None:
    """Ready, and that means: its kubeconfig works and a worker could join. One without replicas sleeps."""
    manifest = {**sample, "metadata": {**sample["metadata"], "namespace": NAMESPACE}}
    if sample["spec"]["controlPlane"]["deployment"]["replicas"] == 0:
        await until_condition(management, manifest, "Ready", status="False", reason="Sleeping", patience=PATIENCE)
    else:
        await until_condition(management, manifest, "Ready", patience=PATIENCE)


async def store_ready(management: Cluster, sample: Manifest) -> None:
    name = sample["metadata"]["name"]

    async def ready() -> bool:
        status = (await management.get(kinds.DATA_STORE, name) or {}).get("status") or {}
        return (find(status.get("conditions"), "Ready") or {}).get("status") == "True"

    await until(ready, f"DataStore {name} is ready", PATIENCE)


async def kubeconfigs_made(management: Cluster, sample: Manifest) -> None:
    name = sample["metadata"]["name"]

    async def made() -> bool:
        status = (await management.get(kinds.KUBECONFIG_GENERATOR, name) or {}).get("status") or {}
        return bool(status.get("resources")) and status["resources"] == status.get("availableResources")

    await until(made, f"KubeconfigGenerator {name} has made all its kubeconfigs", PATIENCE)


ENDS = {
    kinds.TENANT_CONTROL_PLANE.kind: tenant_served,
    kinds.DATA_STORE.kind: store_ready,
    kinds.KUBECONFIG_GENERATOR.kind: kubeconfigs_made,
}
