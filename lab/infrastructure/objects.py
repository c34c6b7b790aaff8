"""Reading and writing the provider's own objects: owners, finalizers, the one status patch. Shared by both passes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lab.infrastructure import kinds, status
from provider.api import names
from provider.api.kinds import Kind
from provider.cluster.client import Cluster
from provider.manifest import Manifest, mergepatch, meta
from provider.manifest.condition import Condition


@dataclass(frozen=True)
class Objects:
    """One kind's objects in the management cluster."""

    cluster: Cluster
    kind: Kind
    finalizer: str

    async def owner(self, raw: Manifest, kind: Kind) -> Manifest | None:
        """The Cluster API object that owns `raw`: by kind and group, wherever in the list it stands."""
        for each in raw["metadata"].get("ownerReferences") or ():
            group = each["apiVersion"].rpartition("/")[0]
            if each["kind"] == kind.kind and group == kind.group:
                return await self.cluster.get(kind, each["name"], raw["metadata"]["namespace"])
        return None

    async def cluster_of(self, raw: Manifest) -> Manifest | None:
        """The Cluster that `raw` belongs to, by the label that core puts on everything."""
        name = meta.labels_of(raw).get(names.LABEL_CLUSTER_NAME)
        return await self.cluster.get(kinds.CLUSTER, name, raw["metadata"]["namespace"]) if name else None

    async def hold(self, raw: Manifest) -> Manifest:
        """With our finalizer."""
        held = raw["metadata"].get("finalizers") or []
        return raw if self.finalizer in held else await self._finalizers(raw, [*held, self.finalizer])

    async def release(self, raw: Manifest) -> None:
        """Without it: nothing of ours is left."""
        held = raw["metadata"].get("finalizers") or []
        if self.finalizer in held:
            await self._finalizers(raw, [each for each in held if each != self.finalizer])

    async def merge(self, raw: Manifest, patch: dict[str, Any], subresource: str | None = None) -> Manifest:
        """A merge patch of the object as it was seen."""
        name, namespace = raw["metadata"]["name"], raw["metadata"]["namespace"]
        return await self.cluster.merge(
            self.kind, name, namespace, patch, subresource=subresource, manager=kinds.MANAGER
        )

    async def report(self, raw: Manifest, pause: Condition, outcome: status.Outcome | None) -> None:
        """The one status patch; nothing is sent when it says what stands."""
        wanted = status.of(raw, pause, outcome, datetime.now(UTC))
        if patch := mergepatch.between(raw.get("status") or {}, wanted):
            await self.merge(raw, {"status": patch}, "status")

    async def _finalizers(self, raw: Manifest, finalizers: list[str]) -> Manifest:
        # The resourceVersion makes a finalizer that somebody added meanwhile a conflict, and the pass is taken again.
        version = raw["metadata"]["resourceVersion"]
        return await self.merge(raw, {"metadata": {"finalizers": finalizers, "resourceVersion": version}})
