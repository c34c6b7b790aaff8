"""The doors of the hosting room: what moved, as keys on queues. The only module here that knows kopf.

Events only say which object to look at again. kopf watches our own kinds; children are watched by label and metadata only,
so that this process never holds a Secret it does not need.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import kopf

from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.cluster.apply import Applier
from provider.cluster.queue import KeyedQueue
from provider.cluster.runtime import Runtime
from provider.cluster.session import Tenants
from provider.hosting.gatewaywatch import GatewayWatch, Routed
from provider.hosting.generatorwatch import Concerns
from provider.hosting.observe.tenant import WATCHED
from provider.hosting.reconcile import (
    availability,
    backupschedule,
    capacity,
    datastore,
    kubeconfiggenerator,
    placing,
    pool,
    task,
)
from provider.hosting.reconcile.autoscaling import Autoscaler
from provider.hosting.reconcile.context import Context, production
from provider.hosting.reconcile.pacing import Key, Starts
from provider.hosting.reconcile.sampling import Sampler
from provider.hosting.reconcile.storage import Storage
from provider.hosting.reconcile.tenant import TenantPass
from provider.hosting.reconcile.upkeep import Upkeep
from provider.hosting.sharding.fleet import is_unplaced
from provider.hosting.storeview import offered, reached, wanted_stores
from provider.hosting.tenantwatch import TenantWatch
from provider.manifest import Manifest, meta
from provider.telemetry import QueueGauges, tracing

CHILDREN: tuple[tuple[Kind, dict[str, str]], ...] = (
    (kinds.SECRET, {names.LABEL_PROJECT: names.PROJECT}),
    (kinds.CONFIG_MAP, {names.LABEL_PROJECT: names.PROJECT}),
    (kinds.SERVICE, {names.LABEL_PROJECT: names.PROJECT}),
    (kinds.DEPLOYMENT, {names.LABEL_PROJECT: names.PROJECT}),
    (kinds.INGRESS, {names.LABEL_PROJECT: names.PROJECT}),
    (kinds.POD, {names.LABEL_COMPONENT: "deployment"}),
)
SETTLE = 0.1  # seconds in which changes of a tenant's objects count as one: of pods that start there are dozens
GATHER = 0.05  # seconds in which those who wait for a place are gathered: tenants often come in numbers
COUNT = 0.5  # seconds in which changes of what is in stores count as one
ALL = "all"
POOL_CHILDREN = (kinds.STATEFUL_SET, kinds.SECRET, kinds.CONFIG_MAP, kinds.POD, kinds.JOB)


def _queue(name: str) -> KeyedQueue[Any]:
    """A queue that tells how it does."""
    return KeyedQueue(name, QueueGauges())


@dataclass
class Queues:
    """One queue a kind, tenants by (namespace, name), the cluster-scoped kinds by name; and who uses which store."""

    tenants: KeyedQueue[Key] = field(default_factory=partial(_queue, "tenant"))
    stores: KeyedQueue[str] = field(default_factory=partial(_queue, "datastore"))
    pools: KeyedQueue[str] = field(default_factory=partial(_queue, "pool"))
    generators: KeyedQueue[str] = field(default_factory=partial(_queue, "kubeconfiggenerator"))
    samples: KeyedQueue[str] = field(default_factory=partial(_queue, "sample"))
    upkeep: KeyedQueue[str] = field(default_factory=partial(_queue, "upkeep"))
    placements: KeyedQueue[str] = field(
        default_factory=partial(_queue, "placement")
    )  # one key: everybody who waits is placed at once
    backups: KeyedQueue[Key] = field(default_factory=partial(_queue, "tenantbackup"))
    schedules: KeyedQueue[Key] = field(default_factory=partial(_queue, "tenantbackupschedule"))
    restores: KeyedQueue[Key] = field(default_factory=partial(_queue, "tenantrestore"))
    autoscalers: KeyedQueue[Key] = field(default_factory=partial(_queue, "autoscaler"))
    known_pools: set[str] = field(default_factory=set)
    users: dict[Key, frozenset[str]] = field(default_factory=dict)
    held: dict[Key, frozenset[str]] = field(default_factory=dict)  # the stores that a tenant reaches
    offered: dict[str, Manifest | None] = field(default_factory=dict)  # what tenants are told of each store
    routed: Routed = field(default_factory=Routed)
    concerns: Concerns = field(default_factory=Concerns)

    def tenant_moved(self, key: Key, body: Manifest, default: str, *, gone: bool) -> None:
        """Look at the tenant, and at its stores, which tell who uses them; at pools only when it lies elsewhere now."""
        former, now = self.users.pop(key, frozenset()), wanted_stores(body, default)
        was, held = self.held.pop(key, frozenset()), frozenset() if gone else reached(body)
        if not gone:
            self.users[key], self.held[key] = now, held
            if is_unplaced(body):
                self.placements.add_after(ALL, GATHER)
        if was != held:
            self._load_moved()
        for each in (now ^ former) | (
            was ^ held
        ):  # who is in it: of a thousand births each pass over it lists them all
            if each:
                self.stores.add_after(each, GATHER)
        self.tenants.add(key)

    def store_moved(self, name: str, body: Manifest, *, gone: bool) -> None:
        """Look at the store, at the pools, one of which may have it, and at everybody who uses it or waits for it.

        Of these not when only the list of its users moved: of a thousand, each birth would wake a thousand.
        """
        self.stores.add(name)
        self.samples.add(name)
        self.upkeep.add(name)
        self._load_moved()
        before, self.offered[name] = self.offered.get(name), None if gone else offered(body)
        if before is None or before != self.offered[name]:
            for key in [key for key, stores in self.users.items() if name in stores]:
                self.tenants.add(key)

    def pool_moved(self, name: str, *, gone: bool) -> None:
        """Look at the pool, and at who waits for a place in it."""
        (self.known_pools.discard if gone else self.known_pools.add)(name)
        self.pools.add(name)
        self.placements.add(ALL)

    def _load_moved(self) -> None:
        """What is in stores has changed, or whether they can take more: looked at once for many changes."""
        for each in self.known_pools:
            self.pools.add_after(each, COUNT)
        self.placements.add_after(ALL, GATHER)

    def route_moved(self, kind: Kind, manifest: Manifest | None) -> None:
        """Look at the tenants whose routes or Gateways these are."""
        for key in self.routed.concerned(kind, manifest):
            self.tenants.add(key)

    def generators_concerned(self, found: set[str]) -> None:
        """Look at these generators."""
        for name in sorted(found):
            self.generators.add(name)


def room(runtime: Runtime, registry: kopf.OperatorRegistry) -> Coroutine[Any, Any, None]:
    """Register the doors; the coroutine works the queues until it is cancelled."""
    queues = Queues()
    group, version, default = names.KAMAJI_GROUP, names.KAMAJI_VERSION, runtime.settings.default_datastore

    @kopf.on.event(group, version, kinds.TENANT_CONTROL_PLANE.plural, registry=registry)
    async def tenant_moved(name: str, namespace: str | None, body: kopf.Body, type: str, **_: Any) -> None:
        key, gone = (namespace or "", name), type == "DELETED"
        queues.routed.tenant_moved(key, body.spec, gone=gone)
        queues.tenant_moved(key, dict(body), default, gone=gone)
        queues.generators_concerned(queues.concerns.tenant_moved(dict(body), gone=gone))

    @kopf.on.event(group, version, kinds.DATA_STORE.plural, registry=registry)
    async def store_moved(name: str, body: kopf.Body, type: str, **_: Any) -> None:
        queues.store_moved(name, dict(body), gone=type == "DELETED")

    @kopf.on.event(names.EXTENSION_GROUP, "v1alpha1", kinds.DATA_STORE_POOL.plural, registry=registry)
    async def pool_moved(name: str, type: str, **_: Any) -> None:
        queues.pool_moved(name, gone=type == "DELETED")

    @kopf.on.event(group, version, kinds.KUBECONFIG_GENERATOR.plural, registry=registry)
    async def generator_moved(body: kopf.Body, type: str, **_: Any) -> None:
        queues.generators_concerned(queues.concerns.generator_moved(dict(body), gone=type == "DELETED"))

    @kopf.on.event(names.EXTENSION_GROUP, "v1alpha1", kinds.TENANT_AUTOSCALER.plural, registry=registry)
    async def autoscaler_moved(name: str, namespace: str | None, **_: Any) -> None:
        queues.autoscalers.add((namespace or "", name))
        queues.tenants.add((namespace or "", name))

    _backup_doors(registry, queues)
    return _work(runtime, queues)


def _backup_doors(registry: kopf.OperatorRegistry, queues: Queues) -> None:
    group, version = names.EXTENSION_GROUP, "v1alpha1"

    @kopf.on.event(group, version, kinds.TENANT_BACKUP.plural, registry=registry)
    async def backup_moved(name: str, namespace: str | None, body: kopf.Body, **_: Any) -> None:
        queues.backups.add((namespace or "", name))
        if schedule := meta.labels_of(dict(body)).get(names.LABEL_SCHEDULE):
            queues.schedules.add((namespace or "", schedule))

    @kopf.on.event(group, version, kinds.TENANT_BACKUP_SCHEDULE.plural, registry=registry)
    async def schedule_moved(name: str, namespace: str | None, **_: Any) -> None:
        queues.schedules.add((namespace or "", name))

    @kopf.on.event(group, version, kinds.TENANT_RESTORE.plural, registry=registry)
    async def restore_moved(name: str, namespace: str | None, body: kopf.Body, **_: Any) -> None:
        queues.restores.add((namespace or "", name))
        if schedule := meta.labels_of(dict(body)).get(names.LABEL_SCHEDULE):
            queues.schedules.add((namespace or "", schedule))


async def _work(runtime: Runtime, queues: Queues) -> None:
    """Passes run on the leader only; a standby's queues fill meanwhile, so that it takes over at once."""
    await runtime.leader.wait()
    context = production(runtime)
    await pool.ensure_default_pool(context)
    tenant_pass = await _tenant_pass(context, queues)
    try:
        await _all(runtime, queues, context, tenant_pass)
    finally:
        await tenant_pass.stop_all()


async def _all(runtime: Runtime, queues: Queues, context: Context, tenant_pass: TenantPass) -> None:
    """Work every queue and watch everything, until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(queues.tenants.run(tracing.passes("tenant", tenant_pass), runtime.settings.workers))
        tasks.create_task(queues.stores.run(tracing.passes("datastore", partial(datastore.datastore, context)), 4))
        tasks.create_task(queues.samples.run(Sampler(context, time.monotonic), 4))
        tasks.create_task(queues.upkeep.run(Upkeep(context, time.monotonic), 2))
        tasks.create_task(queues.pools.run(tracing.passes("pool", partial(pool.pool, context)), 2))
        tasks.create_task(queues.placements.run(partial(placing.wave, context), 1))
        tasks.create_task(queues.generators.run(partial(kubeconfiggenerator.kubeconfig_generator, context), 2))
        tasks.create_task(queues.backups.run(partial(task.task, context, kinds.TENANT_BACKUP), 2))
        tasks.create_task(queues.restores.run(partial(task.task, context, kinds.TENANT_RESTORE), 2))
        tasks.create_task(queues.schedules.run(partial(backupschedule.schedule, context), 2))
        autoscaler = Autoscaler(context, tenant_pass.tenants, time.monotonic)
        tasks.create_task(queues.autoscalers.run(autoscaler, 2))
        tasks.create_task(_watch_tasks(runtime, queues))
        for kind, labels in CHILDREN:
            tasks.create_task(_watch_children(runtime, kind, labels, queues))
        for kind in POOL_CHILDREN:
            tasks.create_task(_watch_pool_children(runtime, kind, queues))
        where = runtime.settings.watch_namespace or None
        tasks.create_task(GatewayWatch(runtime.cluster, queues.route_moved, where).run())
        tasks.create_task(_watch_generated(runtime, queues))
        tasks.create_task(_watch_namespaces(runtime, queues))


async def _tenant_pass(context: Context, queues: Queues) -> TenantPass:
    limit = max(1, round(await capacity.cores(context.cluster) * context.settings.starts_per_core))
    watch = TenantWatch(kinds=WATCHED, wake=queues.tenants.add, stands=availability.stands)
    return TenantPass(
        context=context,
        tenants=Tenants(attend=watch.attend),
        starts=Starts(limit=limit, monotonic=time.monotonic, wake=queues.tenants.add),
        storage=Storage(context),
        applier=Applier(context.cluster, names.HOSTING_MANAGER),
        watch=watch,
    )


async def _watch_children(runtime: Runtime, kind: Kind, labels: dict[str, str], queues: Queues) -> None:
    namespace = runtime.settings.watch_namespace or None
    async for change in runtime.cluster.watch(kind, namespace, labels=labels, metadata_only=True):
        if change.object and (tenant := meta.labels_of(change.object).get(names.LABEL_NAME)):
            queues.tenants.add_after((change.object["metadata"]["namespace"], tenant), SETTLE)


async def _watch_pool_children(runtime: Runtime, kind: Kind, queues: Queues) -> None:
    async for change in runtime.cluster.watch(
        kind, runtime.settings.namespace, labels={names.LABEL_PROJECT: names.PROJECT}, metadata_only=True
    ):
        labels = meta.labels_of(change.object or {})
        if owner := labels.get(names.LABEL_POOL):
            queues.pools.add(owner)
        if kind == kinds.SECRET and (store := labels.get(names.LABEL_STORE)):
            queues.stores.add_after(
                store, GATHER
            )  # what its DataStore names may be another, which its tenants are told


async def _watch_tasks(runtime: Runtime, queues: Queues) -> None:
    """Jobs of backups and restores, which say whose they are."""
    where, labels = runtime.settings.namespace, {names.LABEL_TASK: "*"}
    async for change in runtime.cluster.watch(kinds.JOB, where, labels=labels, metadata_only=True):
        if change.object is None:
            continue
        namespace, _, name = meta.annotations_of(change.object).get(names.ANNOTATION_TASK_OF, "").partition("/")
        restores = meta.labels_of(change.object)[names.LABEL_TASK] == kinds.TENANT_RESTORE.kind
        (queues.restores if restores else queues.backups).add((namespace, name))


async def _watch_generated(runtime: Runtime, queues: Queues) -> None:
    """Kubeconfigs that generators made: one that is lost, changed or asked to rotate is made again."""
    namespace = runtime.settings.watch_namespace or None
    labels = {names.LABEL_MANAGED_BY: "*"}
    async for change in runtime.cluster.watch(kinds.SECRET, namespace, labels=labels, metadata_only=True):
        if change.object and (generator := meta.labels_of(change.object).get(names.LABEL_MANAGED_BY)):
            queues.generators.add(generator)


async def _watch_namespaces(runtime: Runtime, queues: Queues) -> None:
    """Labels of namespaces, by which generators select."""
    async for change in runtime.cluster.watch(kinds.NAMESPACE, metadata_only=True):
        if change.object:
            name, labels = change.object["metadata"]["name"], meta.labels_of(change.object)
            gone = change.type == "DELETED"
            queues.generators_concerned(queues.concerns.namespace_moved(name, labels, gone=gone))
