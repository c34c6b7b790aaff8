"""A management cluster without nodes of its own, in which the passes over DataStores and pools are tried.

The kubelet and the StatefulSet controller are not there: `pool_pods` does what they would, with real etcds.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from provider.api import kinds
from provider.api.kinds import Kind
from provider.cluster.client import Cluster
from provider.hosting.datastores.shape import Driver
from provider.hosting.observe import pool as observe
from provider.hosting.reconcile import drivers
from provider.hosting.reconcile.context import Context
from provider.hosting.reconcile.mint import RandomMint
from provider.hosting.storematerial import Access
from provider.hosting.storeview import PoolView
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from provider.settings import Settings
from tests.integration.pool_member import Member
from tests.integration.pool_pods import MANAGER, Pods

NAMESPACE = Settings().namespace


@dataclass(frozen=True)
class World:
    """The API server, and the context of passes over it. `dialled` leads cluster names to loopback."""

    cluster: Cluster
    dialled: dict[str, str]

    @property
    def context(self) -> Context:
        return Context(
            cluster=self.cluster,
            settings=Settings(image="registry.example/provider:tests"),
            clock=lambda: datetime.now(UTC),
            mint=RandomMint(),
            dial=self._dial,
        )

    def _dial(self, access: Access) -> Driver:
        return drivers.opened(
            replace(access, endpoints=tuple(self.dialled.get(each, each) for each in access.endpoints))
        )

    async def get(self, kind: Kind, name: str) -> Manifest:
        found = await self.cluster.get(kind, name, NAMESPACE if kind.namespaced else None)
        assert found is not None, f"{kind.kind} {name} does not exist"
        return found

    async def condition(self, kind: Kind, name: str, condition: str) -> tuple[str, str, str]:
        status = (await self.get(kind, name)).get("status") or {}
        found = find(status.get("conditions"), condition)
        assert found is not None, f"{kind.kind} {name} has no condition {condition}"
        return found["status"], found["reason"], found["message"]

    async def say(self, kind: Kind, name: str, status: dict[str, Any], namespace: str | None = NAMESPACE) -> None:
        """Write a status as another controller would."""
        where = namespace if kind.namespaced else None
        await self.cluster.merge(kind, name, where, {"status": status}, subresource="status", manager=MANAGER)

    async def tenant_on(self, store: str, name: str) -> None:
        """A TenantControlPlane whose state lies in the store."""
        spec = {
            "kubernetes": {"version": "v1.36.3", "kubelet": {}},
            "controlPlane": {"service": {"serviceType": "ClusterIP"}},
        }
        spec["dataStore"] = store
        await self.cluster.apply(meta.new(kinds.TENANT_CONTROL_PLANE, name, "default", spec=spec), manager=MANAGER)
        storage = {"dataStoreName": store, "driver": "etcd", "setup": {"schema": name, "user": name}}
        await self.say(kinds.TENANT_CONTROL_PLANE, name, {"storage": storage}, "default")

    async def view(self, pool: str) -> PoolView:
        context = self.context
        view = await observe.view(
            self.cluster,
            await self.get(kinds.DATA_STORE_POOL, pool),
            settings=context.settings,
            now=context.clock(),
            mint=context.mint,
        )
        return view.of_store(pool)

    def pods(self, store: str, folder: Path) -> Pods:
        """The controllers and kubelets of a store; stop them when done."""
        return Pods(cluster=self.cluster, store=store, namespace=NAMESPACE, folder=folder, dialled=self.dialled)

    async def serve(self, pool: str, folder: Path) -> Member:
        """Start a pool's only member, and say of its StatefulSet and claim what their controllers would."""
        pods = self.pods(pool, folder)
        async with asyncio.timeout(60):
            await pods.settle()
            (member,) = pods.members.values()
            while not await asyncio.to_thread(member.answers, "readyz"):
                assert member.runs, member.log()
                await asyncio.sleep(0.05)
            await pods.settle()
        return member

    async def versions(self, pool: str) -> dict[tuple[str, str], str]:
        """resourceVersion of everything of a pool, itself and its DataStore included."""
        objects = [*await observe.labelled(self.cluster, NAMESPACE, pool), await self.get(kinds.DATA_STORE_POOL, pool)]
        objects += [each for each in [await self.cluster.get(kinds.DATA_STORE, pool)] if each]
        return {(each["kind"], each["metadata"]["name"]): each["metadata"]["resourceVersion"] for each in objects}

    async def unprotect(self, pool: str) -> None:
        """End pods whose StatefulSet is gone, and let go of volumes and claims, as their controllers would."""
        found = await observe.labelled(self.cluster, NAMESPACE, pool)
        if not any(each["kind"] == "StatefulSet" for each in found):
            for each in [each for each in found if each["kind"] == "Pod"]:
                await self.cluster.delete(kinds.POD, each["metadata"]["name"], NAMESPACE)
        for each in found:
            metadata = each["metadata"]
            if metadata.get("deletionTimestamp") and metadata.get("finalizers"):
                where = metadata.get("namespace")
                patch = {"metadata": {"finalizers": []}}
                await self.cluster.merge(kinds.of(each), metadata["name"], where, patch, manager=MANAGER)

    async def left(self, pool: str) -> list[tuple[str, str]]:
        """What still carries the pool's label."""
        found = await observe.labelled(self.cluster, NAMESPACE, pool)
        return [(each["kind"], each["metadata"]["name"]) for each in found]
