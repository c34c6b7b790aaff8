"""Plays Deployment controller and kubelet: each Deployment gets its pods at once, whose API server is the shared one.

Nothing is run, so this is the part of a birth that is not measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from typing import Any

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.cluster.errors import NotFound
from provider.manifest import Manifest, checksum, meta

MANAGER = "kubelet"
ADDRESS = "127.0.0.1"
LABELS = {names.LABEL_PROJECT: names.PROJECT}
AT_ONCE = 8
COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")


async def play(cluster: Cluster) -> None:
    """Until cancelled."""
    turns, known = asyncio.Semaphore(AT_ONCE), set[str]()
    each = defaultdict[str, asyncio.Lock](asyncio.Lock)  # what came first is done first

    async def one(deployment: Manifest) -> None:
        async with each[deployment["metadata"]["uid"]], turns:
            with contextlib.suppress(NotFound):  # it was deleted meanwhile
                await run(cluster, deployment)

    async with asyncio.TaskGroup() as tasks:
        async for change in cluster.watch(kinds.DEPLOYMENT, labels=LABELS):
            said = change.object
            if said is None or change.type == "DELETED":
                continue
            signs = f"{said['metadata']['uid']}/{said['metadata']['generation']}"
            if said["spec"].get("replicas") and signs not in known:
                known.add(signs)
                tasks.create_task(one(said))


async def run(cluster: Cluster, deployment: Manifest) -> None:
    """Say of a Deployment that its pods run and are ready; those of an earlier template, and what is too much, end then."""
    template, metadata = deployment["spec"]["template"], deployment["metadata"]
    namespace, number = metadata["namespace"], deployment["spec"]["replicas"]
    stem = f"{metadata['name']}-{checksum.of({'': json.dumps(template, sort_keys=True)})[:8]}"
    wanted = [f"{stem}-{place}" for place in range(number)]
    for each in wanted:
        await _started(cluster, each, deployment)
    for pod in await cluster.list(kinds.POD, namespace, labels=deployment["spec"]["selector"]["matchLabels"]):
        if pod["metadata"]["name"] not in wanted:
            await cluster.delete(kinds.POD, pod["metadata"]["name"], namespace)
    counts = dict.fromkeys(COUNTS, number) | {"observedGeneration": metadata["generation"]}
    await _say(cluster, kinds.DEPLOYMENT, metadata["name"], namespace, counts)


async def _started(cluster: Cluster, name: str, deployment: Manifest) -> None:
    template, namespace = deployment["spec"]["template"], deployment["metadata"]["namespace"]
    containers = template["spec"]["containers"]
    spec = {"containers": containers, "volumes": template["spec"].get("volumes", [])}
    pod = meta.new(kinds.POD, name, namespace, labels=template["metadata"]["labels"], spec=spec)
    await cluster.apply(meta.owned(pod, deployment), manager=MANAGER)
    await _say(cluster, kinds.POD, name, namespace, _pod_status(containers))


def _pod_status(containers: list[Manifest]) -> dict[str, Any]:
    state = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    told = [
        {
            **{"name": each["name"], "image": each["image"], "imageID": "", "restartCount": 0},
            **{"ready": True, "started": True, "state": state},
        }
        for each in containers
    ]
    ready = [{"type": "Ready", "status": "True"}]
    return {
        "phase": "Running",
        "conditions": ready,
        "podIP": ADDRESS,
        "podIPs": [{"ip": ADDRESS}],
        "containerStatuses": told,
    }


async def _say(cluster: Cluster, kind: kinds.Kind, name: str, namespace: str, status: dict[str, Any]) -> None:
    await cluster.merge(kind, name, namespace, {"status": status}, subresource="status", manager=MANAGER)
