"""Makes objects be as they should: server-side apply where something differs, deletion of what is no longer said.

Called by every pass. An object that already stands costs no request: neither after a restart (`cluster.ownership` reads what
the API server recorded) nor on the thousandth pass.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from provider.api import names
from provider.cluster import ownership
from provider.cluster.client import Cluster
from provider.manifest import Manifest, meta

Key = tuple[str, str, str]
"""(kind, namespace or "", name) of an object."""

AT_ONCE = 8  # requests under way at the same time for one apply
REMEMBERED = 20_000  # objects whose last apply is kept; beyond that all is forgotten, which costs requests only


class Applier:
    """Applies and prunes in one cluster as one field manager."""

    def __init__(self, cluster: Cluster, manager: str) -> None:
        self._cluster = cluster
        self._manager = manager
        self._applied: dict[str, tuple[str, str]] = {}  # by uid: digest of what was said, resource version it gave

    async def apply(
        self, owner_labels: Mapping[str, str], part: str, manifests: Sequence[Manifest], live: Mapping[Key, Manifest]
    ) -> list[Manifest]:
        """The objects as they are now, in the order given. `live` is what was seen at the start of the pass.

        Every object gets the owner's labels and the label of its part. They are applied side by side; all are tried, then
        the first error is raised (ApiError).
        """
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(manifest: Manifest) -> Manifest:
            desired = labelled(manifest, owner_labels, part)
            async with turns:
                return await self._one(desired, live.get(key_of(desired)))

        results = await asyncio.gather(*(one(each) for each in manifests), return_exceptions=True)
        done = []
        for result in results:
            if isinstance(result, BaseException):
                raise result
            done.append(result)
        return done

    async def prune(self, part: str, keep: Iterable[Manifest], live: Mapping[Key, Manifest]) -> list[Key]:
        """Delete what carries the part's label and our project's in `live` and is not among `keep`; which those were."""
        said = {key_of(each) for each in keep}
        ended = []
        for key, each in live.items():
            labels, metadata = meta.labels_of(each), each["metadata"]
            ours = labels.get(names.LABEL_PART) == part and labels.get(names.LABEL_PROJECT) == names.PROJECT
            if key in said or not ours or metadata.get("deletionTimestamp"):
                continue
            kind = await self._cluster.kind_of(each)
            await self._cluster.delete(kind, metadata["name"], metadata.get("namespace"), uid=metadata["uid"])
            self._applied.pop(metadata["uid"], None)
            ended.append(key)
        return ended

    async def _one(self, desired: Manifest, live: Manifest | None) -> Manifest:
        digest = _digest(desired)
        if live is not None:
            if self._stands(desired, live, digest):
                return live
            await self._inherit(live)
            await self._empty(desired, live)
        now = await self._cluster.apply(desired, manager=self._manager)
        if len(self._applied) >= REMEMBERED:
            self._applied.clear()
        self._applied[now["metadata"]["uid"]] = (digest, now["metadata"]["resourceVersion"])
        return now

    async def _empty(self, desired: Manifest, live: Manifest) -> None:
        """First take away what was in objects that shall be empty: an apply that does it makes them null."""
        if patch := ownership.emptied(desired, ownership.fields_of(live, self._manager) or {}):
            kind, metadata = await self._cluster.kind_of(desired), desired["metadata"]
            await self._cluster.merge(kind, metadata["name"], metadata.get("namespace"), patch, manager=self._manager)

    async def _inherit(self, live: Manifest) -> None:
        """Make ours what an operator of our name wrote by Update, so that what is no longer said can go."""
        if (fields := ownership.inherited(live, self._manager)) is None:
            return
        metadata = live["metadata"]
        patch = {"metadata": {"managedFields": fields, "resourceVersion": metadata["resourceVersion"]}}
        kind = await self._cluster.kind_of(live)
        await self._cluster.merge(kind, metadata["name"], metadata.get("namespace"), patch, manager=self._manager)

    def _stands(self, desired: Manifest, live: Manifest, digest: str) -> bool:
        said, version = self._applied.get(live["metadata"]["uid"], ("", ""))
        if said == digest and version == live["metadata"]["resourceVersion"]:
            return True  # nothing has happened to it since, whatever the server made of our words
        fields = ownership.fields_of(live, self._manager)
        return fields is not None and ownership.stands(desired, live, fields, exact=said != digest)


def labelled(manifest: Manifest, owner_labels: Mapping[str, str], part: str) -> Manifest:
    """The manifest with its owner's labels below its own, and its part's above."""
    labels = {**owner_labels, **meta.labels_of(manifest), names.LABEL_PART: part}
    return {**manifest, "metadata": {**manifest["metadata"], "labels": labels}}


def key_of(manifest: Manifest) -> Key:
    """Where an object stands in `live`."""
    metadata = manifest["metadata"]
    return (manifest["kind"], metadata.get("namespace") or "", metadata["name"])


def _digest(manifest: Manifest) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
