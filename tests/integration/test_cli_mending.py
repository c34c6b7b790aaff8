"""A tenant that serves is broken, and mended by the very command that `kamaji explain` has printed; what it says comes of it.

The breaks of docs/tutorial.md before a real API server; the test plays the kubelet. With pods: tests/lab/test_tutorial.py.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import Any

import pytest

from lab import programs
from provider.api import kinds
from provider.manifest import meta
from tests.integration.hosted import MANAGER, Hosted
from tests.integration.kamaji_process import Kamaji

CRASHES = {"restartCount": 3, "started": False, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
REFUSES = {"lastState": {"terminated": {"exitCode": 1, "message": "Error: unknown flag: --no-such-flag\n"}}}
UNPULLED = {"restartCount": 0, "started": False, "state": {"waiting": {"reason": "ErrImagePull"}}}
BREAKS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "ContainerFails": (
        {"extraArgs": {"apiServer": ["--no-such-flag=1"]}},
        {"containerStatuses": [{"name": "kube-apiserver", **CRASHES, **REFUSES}]},
        "it refuses the flag --no-such-flag; the pods that are ready serve on",
    ),
    "ImageUnavailable": (
        {"registrySettings": {"registry": "127.0.0.1:1"}},
        {"containerStatuses": [{"name": "kube-apiserver", **UNPULLED}]},
        "image 127.0.0.1:1/kube-apiserver:v1.36.3 cannot be pulled; the pods that are ready serve on",
    ),
    "Unschedulable": (
        {"resources": {"apiServer": {"requests": {"cpu": "900"}}}},
        {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]},
        "no node of the management cluster takes the pod: add capacity or lower requests",
    ),
}
"""By reason: what is wrong in spec.controlPlane.deployment, what is said of the new pod, and what explain says of it."""


@pytest.fixture
async def tenant(tenant: Hosted) -> Hosted:
    """A pass has seen it serve."""
    await tenant.look()
    return tenant


async def changed(tenant: Hosted, spec: dict[str, Any]) -> None:
    await tenant.cluster.merge(
        kinds.TENANT_CONTROL_PLANE, tenant.name, tenant.namespace, {"spec": spec}, manager="somebody"
    )


async def a_new_pod(tenant: Hosted, status: dict[str, Any]) -> None:
    """Of the Deployment as it is now, beside the one that serves: as the Deployment controller and the kubelet have it."""
    deployment = await tenant.get(kinds.DEPLOYMENT)
    template = deployment["spec"]["template"]
    containers = [{"name": each["name"], "image": each["image"]} for each in template["spec"]["containers"]]
    labels = template["metadata"]["labels"]
    pod = meta.new(kinds.POD, "demo-new", tenant.namespace, labels=labels, spec={"containers": containers})
    await tenant.cluster.apply(pod, manager=MANAGER)
    images = {each["name"]: each["image"] for each in containers}
    filled = [
        {"ready": False, "imageID": "", "image": images[each["name"]], **each}
        for each in status.get("containerStatuses", ())
    ]
    await tenant.said(kinds.POD, "demo-new", {**status, "containerStatuses": filled})
    counts = {"replicas": 2, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1}
    generation = deployment["metadata"]["generation"]
    await tenant.said(kinds.DEPLOYMENT, tenant.name, {**counts, "observedGeneration": generation})


async def gone(tenant: Hosted) -> None:
    """The new pod, once the Deployment is what it was."""
    await tenant.cluster.delete(kinds.POD, "demo-new", tenant.namespace)
    await tenant.tell(await tenant.get(kinds.DEPLOYMENT))


def typed(kamaji: Kamaji, command: str) -> None:
    """As it is printed, by the shell of somebody who has kubectl."""
    environment = {**kamaji.environment, "PATH": f"{programs.path('kubectl').parent}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def test_new_pods_that_do_not_start_are_told_of_and_taken_back(tenant: Hosted, kamaji: Kamaji) -> None:
    for reason, (spec, status, words) in BREAKS.items():
        before = (await tenant.get(kinds.DEPLOYMENT))["spec"]["template"]
        await changed(tenant, {"controlPlane": {"deployment": spec}})
        await tenant.look()
        await a_new_pod(tenant, status)
        await tenant.look()
        assert (await tenant.condition("Ready"))["status"] == "True", "the one from before serves"
        done = await kamaji("explain", "demo")
        assert done.returncode == 1
        assert "but not all is as its spec asks" in done.stdout
        assert f"RolledOut: {reason}" in done.stdout
        assert words in done.stdout
        (finding,) = (await kamaji.data("explain", "demo"))["findings"]
        (command,) = finding["mend"]
        assert f"This mends it:\n    {command}\n" in done.stdout
        typed(kamaji, command)
        await tenant.look()
        assert (await tenant.get(kinds.DEPLOYMENT))["spec"]["template"] == before, reason
        await gone(tenant)
        await tenant.look()
        assert (await kamaji("explain", "demo")).returncode == 0, reason


async def test_a_move_to_nowhere_is_called_off_and_a_pause_ended(tenant: Hosted, kamaji: Kamaji) -> None:
    await changed(tenant, {"dataStore": "nowhere"})
    await tenant.look()
    (finding,) = (await kamaji.data("explain", "demo"))["findings"]
    assert (finding["condition"], finding["reason"]) == ("Migrated", "DataStoreNotFound")
    assert "kubectl describe datastore nowhere" in finding["look"]
    (command,) = finding["mend"]
    program, *arguments = shlex.split(command)
    assert program == "kamaji"
    done = await kamaji(*arguments, "--wait", "0s")
    assert done.returncode == 0, done.stderr
    await tenant.look()
    assert (await kamaji("explain", "demo")).returncode == 0

    paused = {"metadata": {"annotations": {"kamaji.clastix.io/paused": ""}}}
    await tenant.cluster.merge(kinds.TENANT_CONTROL_PLANE, tenant.name, tenant.namespace, paused, manager="somebody")
    await tenant.look()
    (finding,) = (await kamaji.data("explain", "demo"))["findings"]
    (command,) = finding["mend"]
    typed(kamaji, command)
    await tenant.look()
    assert (await kamaji("explain", "demo")).returncode == 0
