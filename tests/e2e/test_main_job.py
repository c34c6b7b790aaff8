"""What a user of Cluster API does: the demo from end to end, a ClusterClass, bad days. With real clusterctl and core."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import demo
from lab.demo import Demo
from lab.state import Lab
from provider.api import kinds
from provider.api.kinds import Kind
from provider.cluster.client import Cluster
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from tests.e2e.conftest import kubectl, until

PATIENCE = 600.0  # seconds; beside this lab's, what the other lab's tests bring here has to go as well
GROUP = "infrastructure.cluster.x-k8s.io"
ELSEWHERE = Kind(f"{GROUP}/v1beta1", "ElsewhereCluster", "elsewhereclusters")
ELSEWHERE_CRD = f"""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: elsewhereclusters.{GROUP}
  labels: {{cluster.x-k8s.io/v1beta2: v1beta1}}
spec:
  group: {GROUP}
  scope: Namespaced
  names: {{kind: ElsewhereCluster, listKind: ElsewhereClusterList, plural: elsewhereclusters, singular: elsewherecluster}}
  versions:
    - name: v1beta1
      served: true
      storage: true
      subresources: {{status: {{}}}}
      schema:
        openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}
"""


@pytest.fixture
def lab() -> Lab:
    return Lab(os.environ["CAPI_KAMAJI_LAB"])


@pytest.fixture
async def before(lab: Lab) -> AsyncIterator[frozenset[str]]:
    """What there was; the test has to leave it so."""
    yield await demo.traces(lab)


@pytest.fixture
def elsewhere() -> Iterator[Kind]:
    """An infrastructure kind that no provider of ours knows; core may read it, for its group is the common one."""
    kubectl("apply", "--server-side", "-f", "-", stdin=ELSEWHERE_CRD)
    kubectl("wait", "--for=condition=Established", f"crd/elsewhereclusters.{GROUP}", "--timeout=180s")
    yield ELSEWHERE
    kubectl("delete", "crd", f"elsewhereclusters.{GROUP}", "--timeout=300s")


async def left(lab: Lab, before: frozenset[str]) -> bool:
    return await demo.traces(lab) <= before


def test_the_main_job_from_clusterctl_to_pods_that_talk_and_to_nothing_left(lab: Lab) -> None:
    demo.tour(lab, "e2e-tour")


async def test_a_cluster_of_the_cluster_class_gets_its_workers_and_goes_without_a_trace(
    lab: Lab, before: frozenset[str], tmp_path: Path
) -> None:
    made = Demo(lab, tmp_path / "kubeconfig", "e2e-class", "topology")
    await asyncio.to_thread(made.create)
    await asyncio.to_thread(made.born)
    await asyncio.to_thread(made.deleted)
    kubectl("delete", "clusterclass,kamajicontrolplanetemplates,labclustertemplates,labmachinetemplates", "--all")
    kubectl("delete", "kubeadmconfigtemplates", "--all")
    await until(lambda: left(lab, before), "nothing of it is left", PATIENCE)


@pytest.mark.nightly
async def test_a_cluster_deleted_before_it_was_ready_goes_without_a_trace(
    lab: Lab, before: frozenset[str], tmp_path: Path
) -> None:
    """At three moments of its birth, side by side: what each does is mostly to wait."""

    async def lived(seconds: float) -> None:
        made = Demo(lab, tmp_path / f"kubeconfig-{seconds}", f"e2e-early-{int(seconds * 10)}")
        await asyncio.to_thread(made.create)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(made.deleted)

    await asyncio.gather(*map(lived, (0.3, 3.0, 9.0)))
    await until(lambda: left(lab, before), "nothing of them is left", PATIENCE)


@pytest.mark.nightly
async def test_an_infrastructure_kind_that_is_not_in_the_table_is_told_and_the_control_plane_serves(
    management: Cluster, namespace: str, elsewhere: Kind
) -> None:
    for each in cluster_elsewhere(namespace, elsewhere):
        await management.apply(each, manager="e2e")

    async def told() -> Any:
        raw = await management.get(kinds.KAMAJI_CONTROL_PLANE, "away", namespace)
        conditions = ((raw or {}).get("status") or {}).get("conditions") or ()
        available = find(conditions, "Available") or {}
        found = find(conditions, "InfrastructureClusterPatched") or {}
        return found if available.get("status") == "True" and found.get("reason") == "KindNotInTable" else None

    said = await until(told, "KindNotInTable on a control plane that is Available")
    assert "ElsewhereCluster" in said["message"]
    kubectl("delete", "cluster", "away", "-n", namespace, "--timeout=300s")


def cluster_elsewhere(namespace: str, kind: Kind) -> list[Manifest]:
    reference = {"apiGroup": kind.group, "kind": kind.kind, "name": "away"}
    plane = {"apiGroup": kinds.KAMAJI_CONTROL_PLANE.group, "kind": "KamajiControlPlane", "name": "away"}
    spec: dict[str, Any] = yaml.safe_load("{version: v1.36.3, replicas: 1, network: {serviceType: ClusterIP}}")
    return [
        meta.new(kind, "away", namespace, spec={}),
        meta.new(kinds.KAMAJI_CONTROL_PLANE, "away", namespace, spec=spec),
        meta.new(kinds.CLUSTER, "away", namespace, spec={"controlPlaneRef": plane, "infrastructureRef": reference}),
    ]
