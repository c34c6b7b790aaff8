"""Watches of Gateway API's kinds, begun when the management cluster serves them and ended when it no longer does.

Gateway API is no part of Kubernetes: it may be installed while we run. Its CRDs tell. Called by `handlers`; what moved is told
to a `Moved`, and nothing is decided here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.manifest import Manifest, meta
from provider.manifest.condition import find

log = logging.getLogger(__name__)

Key = tuple[str, str]
"""(namespace, name)"""

Moved = Callable[[Kind, Manifest | None], None]
"""Told each object that moved; None when the kind itself came or went."""

PAUSE = 1.0  # seconds until a CRD that could not be read is read again

FOLLOWED: dict[str, Kind] = {f"{each.plural}.{each.group}": each for each in (kinds.TLS_ROUTE, kinds.GATEWAY)}
"""By the name of the CRD that serves them."""


@dataclass
class GatewayWatch:
    """Follows both kinds of one cluster; `run` never ends by itself."""

    cluster: Cluster
    moved: Moved
    namespace: str | None = None  # of the routes; Gateways may be anywhere
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def run(self) -> None:
        """Look at each CRD of ours whenever it moves."""
        async with asyncio.TaskGroup() as group:
            async for change in self.cluster.watch(kinds.CUSTOM_RESOURCE_DEFINITION, metadata_only=True):
                name = change.object["metadata"]["name"] if change.object else ""
                if name in FOLLOWED:
                    self._follow(group, name, served=await self._is_served(name))

    async def _is_served(self, name: str) -> bool:
        while True:
            try:
                crd = await self.cluster.get(kinds.CUSTOM_RESOURCE_DEFINITION, name)
                return crd is not None and serves(crd, FOLLOWED[name])
            except ApiError as error:
                log.info("CustomResourceDefinition %s: %s; again in %.0f s", name, error, PAUSE)
            await asyncio.sleep(PAUSE)

    def _follow(self, group: asyncio.TaskGroup, name: str, *, served: bool) -> None:
        kind, task = FOLLOWED[name], self._tasks.get(name)
        if served and task is None:
            log.info("%s of %s is served: following it", kind.kind, kind.api_version)
            self._tasks[name] = group.create_task(self._watch(kind))
        elif not served and task is not None:
            log.info("%s of %s is not served any more", kind.kind, kind.api_version)
            self._tasks.pop(name).cancel()
            self.moved(kind, None)

    async def _watch(self, kind: Kind) -> None:
        where = self.namespace if kind is kinds.TLS_ROUTE else None
        async for change in self.cluster.watch(kind, where, metadata_only=True):
            self.moved(kind, change.object)  # none: the list was given, so the kind is there


@dataclass
class Routed:
    """Which tenants asked for routes, and of which Gateways. Kept by `handlers` from the tenants' events."""

    _gateways: dict[Key, frozenset[Key]] = field(default_factory=dict)

    def tenant_moved(self, key: Key, spec: Mapping[str, Any], *, gone: bool) -> None:
        """Note what its spec says now."""
        self._gateways.pop(key, None)
        wanted = (spec.get("controlPlane") or {}).get("gateway")
        if wanted is not None and not gone:
            parents = wanted.get("parentRefs") or ()
            self._gateways[key] = frozenset((each.get("namespace") or key[0], each["name"]) for each in parents)

    def concerned(self, kind: Kind, manifest: Manifest | None) -> list[Key]:
        """Tenants to look at: a route's own, those that name a Gateway, all that asked for routes when a kind came or went."""
        if manifest is None:
            return list(self._gateways)
        where = (manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        if kind is kinds.GATEWAY:
            return [key for key, gateways in self._gateways.items() if where in gateways]
        tenant = meta.labels_of(manifest).get(names.LABEL_NAME)
        return [(where[0], tenant)] if tenant else []


def serves(crd: Manifest, kind: Kind) -> bool:
    """Whether a CRD is in force and serves the version that we use."""
    version = kind.api_version.rpartition("/")[2]
    served = any(each["name"] == version and each.get("served") for each in crd["spec"]["versions"])
    established = find((crd.get("status") or {}).get("conditions"), "Established") or {}
    return served and established.get("status") == "True" and not crd["metadata"].get("deletionTimestamp")
