"""What clusterctl does to a cluster that runs: describe it, move it elsewhere and back."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import capi_repository, deploy
from lab.demo import NAMESPACE, Demo
from lab.state import Lab
from provider.api import kinds
from provider.cluster.client import Cluster
from provider.manifest import Manifest, meta
from tests.e2e.conftest import kubectl, tenant, until, until_condition

NAME = "e2e-tools"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A cluster with two workers, a pod on each, and something that only its own store knows."""
    lab = Lab(os.environ["CAPI_KAMAJI_LAB"])
    demo = Demo(lab, tmp_path_factory.mktemp("tools") / "kubeconfig", NAME)
    demo.create()
    demo.born()
    demo.tenant("create", "configmap", "kept", "--from-literal=said=before")
    yield demo
    demo.deleted()


def clusterctl(*arguments: str) -> str:
    done = subprocess.run(["clusterctl", *arguments], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"clusterctl {' '.join(arguments)}: {done.stderr}"
    return done.stdout + done.stderr


def running(demo: Demo) -> dict[str, tuple[str, int]]:
    """Nodes and pods of the tenant: UID and how often their containers were started again."""
    found = json.loads(demo.tenant("get", "nodes,pods", "-A", "-o", "json"))["items"]
    counts = {
        each["metadata"]["name"]: sum(c["restartCount"] for c in each["status"].get("containerStatuses", ()))
        for each in found
    }
    return {each["metadata"]["name"]: (each["metadata"]["uid"], counts[each["metadata"]["name"]]) for each in found}


def all_ready(demo: Demo) -> bool:
    """Whether every container of every pod of the tenant is."""
    pods = json.loads(demo.tenant("get", "pods", "-A", "-o", "json"))["items"]
    return all(pod["status"].get("containerStatuses") for pod in pods) and all(
        each["ready"] for pod in pods for each in pod["status"]["containerStatuses"]
    )


def described() -> tuple[dict[str, str], str]:
    """The columns of the control plane, and its whole row."""
    head, *rows = clusterctl("describe", "cluster", NAME, "-n", NAMESPACE).splitlines()
    (row,) = [each for each in rows if "KamajiControlPlane" in each]
    names = ("REPLICAS", "AVAILABLE", "READY", "UP TO DATE", "STATUS", "REASON", "SINCE")
    places = [head.index(each) for each in (*names, "MESSAGE")]
    return dict(zip(names, (row[a:b].strip() for a, b in itertools.pairwise(places)), strict=True)), row


async def test_describe_fills_every_column_of_the_control_plane(made: Demo) -> None:
    wanted = {
        "REPLICAS": "1/1",
        "AVAILABLE": "1",
        "READY": "1",
        "UP TO DATE": "1",
        "STATUS": "True",
        "REASON": "Available",
    }
    said: dict[str, str] = {}
    row = ""

    async def settled() -> bool:
        nonlocal said, row
        said, row = await asyncio.to_thread(described)
        return wanted.items() <= said.items()

    try:
        await until(settled, "every column says what is so")
    except AssertionError as error:
        raise AssertionError(f"{error}; it says {said}") from error
    assert said["SINCE"]
    assert f"{NAMESPACE}/{NAME}, v1.36.3" in row


@pytest.fixture
async def elsewhere(management: Cluster, namespace: str, tmp_path: Path) -> Path:
    """Kubeconfig of another management cluster: a tenant, with the providers' kinds and clusterctl's inventory.

    It has no nodes, so nobody runs there and no webhook answers: what is moved in lies there as clusterctl made it.
    """
    manifest = tenant("elsewhere", namespace, addons={})
    await management.apply(manifest, manager="e2e")
    await until_condition(management, manifest, "Ready")
    secret = await management.get(kinds.SECRET, "elsewhere-admin-kubeconfig", namespace)
    kubeconfig = tmp_path / "elsewhere.conf"
    kubeconfig.write_bytes(meta.decoded(secret)["admin.svc"])
    there = f"--kubeconfig={kubeconfig}"
    crds = str(capi_repository.module("cert-manager") / "deploy" / "crds")
    kubectl(there, "apply", "--server-side", "-f", crds)
    kubectl(there, "wait", "--for=condition=Established", "--timeout=180s", "-f", crds)
    clusterctl("init", *deploy.INIT, there)
    kubectl(there, "delete", "validatingwebhookconfigurations,mutatingwebhookconfigurations", "--all")
    return kubeconfig


def statuses() -> list[Manifest]:
    """What clusterctl asks for before it moves."""
    found = kubectl("-n", NAMESPACE, "get", "clusters.cluster.x-k8s.io,machines", "-o", "json")
    items: list[Manifest] = json.loads(found)["items"]
    return items


def vouch(there: str, seen: list[Manifest]) -> None:
    """Say elsewhere what its controllers would find out from the world, for none run there."""
    for each in seen:
        target = f"{each['kind'].lower()}s.cluster.x-k8s.io/{each['metadata']['name']}"
        status: dict[str, Any] = {"status": each["status"]}
        patch = ("--subresource=status", "--type=merge", "-p", json.dumps(status))
        kubectl(there, "-n", NAMESPACE, "patch", target, *patch)


def test_a_cluster_moves_there_and_back_with_its_workers_running(made: Demo, elsewhere: Path) -> None:
    made.milestone("all pods run", lambda: all_ready(made))
    there, before, seen = f"--kubeconfig={elsewhere}", running(made), statuses()
    clusterctl("move", "-n", NAMESPACE, "--to-kubeconfig", str(elsewhere))
    kept = ("clusters.cluster.x-k8s.io,kamajicontrolplanes,tenantcontrolplanes,machines", "-o", "name")
    made.milestone("nothing is left where it was", lambda: not kubectl("-n", NAMESPACE, "get", *kept))
    assert f"tenantcontrolplane.kamaji.clastix.io/{NAME}" in kubectl(there, "-n", NAMESPACE, "get", *kept)
    vouch(there, seen)
    clusterctl("move", there, "-n", NAMESPACE, "--to-kubeconfig", os.environ["KUBECONFIG"])
    said = ("get", "configmap", "kept", "--request-timeout=5s", "-o", "jsonpath={.data.said}")
    made.milestone("its API answers again and knows what it knew", lambda: made.tenant(*said) == "before")
    kubectl("wait", f"cluster/{NAME}", "-n", NAMESPACE, "--for=condition=Available", "--timeout=300s")
    after: dict[str, tuple[str, int]] = {}

    def told() -> bool:
        after.update(running(made))
        return bool(after)

    made.milestone("nodes and pods are told of", told)
    assert after == before, "the same nodes and pods, and no container was started again"
    made.milestone("each machine has its node", lambda: len(nodes_of_machines()) == 2)
    assert nodes_of_machines() <= before.keys()


def nodes_of_machines() -> set[str]:
    """That the Machines name as theirs."""
    said = kubectl("-n", NAMESPACE, "get", "machines", "-o", "jsonpath={.items[*].status.nodeRef.name}")
    return set(said.split())
