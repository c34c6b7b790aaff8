"""The doors of the capi room: what moved, as keys on a queue. The only module here that knows kopf."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import kopf

from provider.api import kinds, names
from provider.capi.externalcluster import Hosts
from provider.capi.reconcile import ControlPlanePass, Key
from provider.cluster.apply import Applier
from provider.cluster.events import Recorder
from provider.cluster.queue import KeyedQueue
from provider.cluster.runtime import Runtime
from provider.manifest import Manifest, meta
from provider.telemetry import QueueGauges, tracing

ControlPlanes = dict[Key, str]
"""Which KamajiControlPlane a Cluster names, by the Cluster's namespace and name."""


def room(runtime: Runtime, registry: kopf.OperatorRegistry) -> Coroutine[Any, Any, None]:
    """Register the doors; the coroutine works the queue until it is cancelled."""
    queue: KeyedQueue[Key] = KeyedQueue("kamajicontrolplane", QueueGauges())
    named: ControlPlanes = {}
    group, version = names.CONTROL_PLANE_GROUP, names.CONTROL_PLANE_VERSION

    @kopf.on.event(group, version, kinds.KAMAJI_CONTROL_PLANE.plural, registry=registry)
    async def control_plane_moved(name: str, namespace: str | None, **_: Any) -> None:
        queue.add((namespace or "", name))

    # In the version that is served first: a core of before 1.11 has no v1beta2.
    @kopf.on.event(names.CAPI_GROUP, kinds.CLUSTER.plural, registry=registry)
    async def cluster_moved(name: str, namespace: str | None, spec: kopf.Spec, type: str | None, **_: Any) -> None:
        reference = None if type == "DELETED" else spec.get("controlPlaneRef")
        for key in renamed(named, (namespace or "", name), reference):
            queue.add(key)

    @kopf.on.event(names.KAMAJI_GROUP, names.KAMAJI_VERSION, kinds.TENANT_CONTROL_PLANE.plural, registry=registry)
    async def tenant_moved(body: kopf.Body, type: str | None, **_: Any) -> None:
        for key in of_tenant(dict(body), gone=type == "DELETED"):
            queue.add(key)

    return _work(runtime, queue, named)


async def _work(runtime: Runtime, queue: KeyedQueue[Key], named: ControlPlanes) -> None:
    await runtime.leader.wait()
    applier = Applier(runtime.cluster, names.CAPI_MANAGER)
    hosts = Hosts(runtime.cluster, applier, runtime.settings.gates, queue.add)
    control_plane = ControlPlanePass(
        cluster=runtime.cluster,
        applier=applier,
        hosts=hosts,
        clock=runtime.clock,
        events=Recorder(runtime.cluster, runtime.settings.identity),
        watch_filter=runtime.settings.watch_filter,
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(queue.run(tracing.passes("kamajicontrolplane", control_plane), runtime.settings.workers))
            tasks.create_task(_watch_secrets(runtime, queue, named))
    finally:
        await hosts.close()


async def _watch_secrets(runtime: Runtime, queue: KeyedQueue[Key], named: ControlPlanes) -> None:
    """The Clusters' Secrets: one that is lost or changed is made again."""
    namespace = runtime.settings.watch_namespace or None
    labels = {names.LABEL_CLUSTER_NAME: "*"}
    async for change in runtime.cluster.watch(kinds.SECRET, namespace, labels=labels, metadata_only=True):
        for key in of_secret(change.object, named) if change.object else ():
            queue.add(key)


def renamed(named: ControlPlanes, cluster: Key, reference: Mapping[str, Any] | None) -> set[Key]:
    """Note which KamajiControlPlane the Cluster names now; keys of that one, and of the one it named before."""
    before = named.pop(cluster, None)
    if reference and reference.get("kind") == "KamajiControlPlane":
        named[cluster] = reference["name"]
    return {(cluster[0], each) for each in (before, named.get(cluster)) if each}


def of_tenant(tcp: Manifest, *, gone: bool) -> set[Key]:
    """Whose a TenantControlPlane is: by its owner; one that lost its owner, by its own name, which is its maker's.

    One that is gone may have had the name that somebody waits for.
    """
    own = (tcp["metadata"]["namespace"], tcp["metadata"]["name"])
    nameless = gone or names.LABEL_CLUSTER_NAME in meta.labels_of(tcp)
    return _owners(tcp) | ({own} if nameless else set())


def of_secret(secret: Manifest, named: ControlPlanes) -> set[Key]:
    """Whose a Cluster's Secret is: by its owner; one that lost its owner, by the Cluster in its label."""
    namespace = secret["metadata"]["namespace"]
    cluster = meta.labels_of(secret).get(names.LABEL_CLUSTER_NAME, "")
    known = named.get((namespace, cluster))
    return _owners(secret) | ({(namespace, known)} if known else set())


def _owners(manifest: Manifest) -> set[Key]:
    owners = manifest["metadata"].get("ownerReferences") or ()
    return {
        (manifest["metadata"]["namespace"], each["name"]) for each in owners if each["kind"] == "KamajiControlPlane"
    }
