"""One API server, management or tenant: read, list, watch, apply, patch, delete. The wire that every room uses.

Objects are plain parsed JSON. Every failure is an `errors.ApiError`. Made by `cluster.connect`; watching is in `cluster.watch`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from provider.api import kinds
from provider.api.kinds import Kind
from provider.cluster import transport, watch
from provider.cluster.address import path, root, segment, selecting, typed
from provider.cluster.errors import Conflict, Expired, NotFound
from provider.cluster.transport import (
    APPLY_PATCH,
    JSON,
    MERGE_PATCH,
    PARTIAL,
    PARTIAL_LIST,
    STRATEGIC_PATCH,
    Request,
    Wire,
)
from provider.cluster.watch import Change
from provider.manifest import Manifest

PAGE = 500  # objects a list request asks for at once
DISCOVERED = 300.0  # seconds after which a kind is looked up again: who serves it may go on to another version

Manifests = list[Manifest]
Listed = tuple[Manifests, str]
"""Objects, and the resource version to watch from."""


class Cluster:
    """An open connection. Close it when done; it may be used from many tasks at once."""

    def __init__(self, transport: Wire) -> None:
        self._transport = transport
        self._resources: dict[str, tuple[float, frozenset[str]]] = {}  # by version, and until when that counts
        self._discovered: dict[tuple[str, str, str | None], tuple[float, Kind]] = {}  # and until when that counts

    @property
    def server(self) -> str:
        """Address of the API server: https://host:port."""
        return self._transport.server

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest | None:
        """The object, None when it or its kind does not exist."""
        try:
            return await self._object(Request(method="GET", path=path(kind, namespace, name)))
        except NotFound:
            return None

    async def list(
        self, kind: Kind, namespace: str | None = None, *, labels: Mapping[str, str] | None = None
    ) -> list[Manifest]:
        """All objects with these labels, each with its apiVersion and kind. NotFound when the kind is not served."""
        return (await self.look(kind, namespace, labels=labels))[0]

    async def look(
        self, kind: Kind, namespace: str | None = None, *, labels: Mapping[str, str] | None = None
    ) -> Listed:
        """The same, and the version from which on `follow` tells what changes."""
        return await self._paged(path(kind, namespace), selecting(labels), kind, JSON)

    async def bare(self, kind: Kind, namespace: str | None = None) -> Manifests:
        """All objects, of a namespace or of all, and of each nothing but its metadata."""
        return (await self._paged(path(kind, namespace), {}, kind, PARTIAL_LIST))[0]

    async def some(self, kind: Kind, count: int, namespace: str | None = None) -> Manifests:
        """The first few objects, where it does not matter which. One request, however many there are."""
        query = {"limit": str(count)}
        answer = await self._object(Request(method="GET", path=path(kind, namespace), query=query))
        return [typed(each, kind) for each in answer.get("items") or ()]

    async def listed(self, where: str, query: Mapping[str, str], kind: Kind, *, accept: str = JSON) -> Listed:
        """What `list` and `cluster.watch` are made of: page by page."""
        found: Manifests = []
        page: dict[str, str] = {}
        while True:
            answer = await self._object(Request(method="GET", path=where, query={**query, **page}, accept=accept))
            found.extend(typed(each, kind) for each in answer.get("items") or ())
            metadata = answer.get("metadata") or {}
            if not metadata.get("continue"):
                return found, str(metadata.get("resourceVersion", ""))
            page = {"continue": metadata["continue"]}

    async def apply(
        self, manifest: Manifest, *, manager: str, force: bool = True, dry_run: bool = False, subresource: str = ""
    ) -> Manifest:
        """Server-side apply: the object as it is afterwards. Conflict only when `force` is off, or its `uid` is another."""
        kind, metadata = await self.kind_of(manifest), manifest["metadata"]
        query = {"fieldManager": manager, "force": str(force).lower()} | ({"dryRun": "All"} if dry_run else {})
        where = path(kind, metadata.get("namespace"), metadata["name"]) + (f"/{subresource}" if subresource else "")
        return await self._object(
            Request(method="PATCH", path=where, query=query, body=manifest, content_type=APPLY_PATCH)
        )

    async def create(self, manifest: Manifest, *, manager: str = "") -> Manifest:
        """The created object. Conflict when its name is taken. Without `manager` it is written by our user agent's name."""
        where = path(await self.kind_of(manifest), manifest["metadata"].get("namespace"))
        query = {"fieldManager": manager} if manager else {}
        return await self._object(Request(method="POST", path=where, query=query, body=manifest))

    async def merge(
        self,
        kind: Kind,
        name: str,
        namespace: str | None,
        patch: dict[str, Any],
        *,
        subresource: str | None = None,
        manager: str,
    ) -> Manifest:
        """JSON merge patch (RFC 7386). `metadata.resourceVersion` inside it makes a change meanwhile a Conflict."""
        where = path(kind, namespace, name) + (f"/{subresource}" if subresource else "")
        query = {"fieldManager": manager}
        return await self._object(
            Request(method="PATCH", path=where, query=query, body=patch, content_type=MERGE_PATCH)
        )

    async def touch(self, kind: Kind, name: str, namespace: str | None = None, *, manager: str) -> None:
        """Have an object stored once more where it is not stored as the server would store it now; nobody's change is lost.

        Of its content nothing is read and nothing sent. NotFound when it is gone, Conflict when it is written all the time.
        """
        where, query = path(kind, namespace, name), {"fieldManager": manager}
        await self._transport.send(
            Request(method="PATCH", path=where, query=query, body={}, content_type=MERGE_PATCH, accept=PARTIAL)
        )

    async def resize(self, pod: Manifest, containers: Sequence[Manifest], *, manager: str) -> Manifest:
        """Make a pod that runs ask for more or less: containers by name, with `resources` to be laid over theirs."""
        metadata = pod["metadata"]
        where = path(kinds.POD, metadata["namespace"], metadata["name"]) + "/resize"
        body = {"metadata": {"uid": metadata["uid"]}, "spec": {"containers": list(containers)}}
        query = {"fieldManager": manager}
        return await self._object(
            Request(method="PATCH", path=where, query=query, body=body, content_type=STRATEGIC_PATCH)
        )

    async def serves(self, api_version: str, resource: str) -> bool:
        """Whether there is a resource, or a subresource such as `pods/resize`, in this version."""
        now = time.monotonic()
        until, found = self._resources.get(api_version, (0.0, frozenset[str]()))
        if until <= now:
            said = await self._object(Request(method="GET", path=root(api_version)))
            found = frozenset(str(each["name"]) for each in said.get("resources") or ())
            self._resources[api_version] = now + DISCOVERED, found
        return resource in found

    async def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        propagation: str = "Background",
    ) -> bool:
        """Ask for the object's end; False when it (or, with `uid`, that very object) is not there."""
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        try:
            await self._object(Request(method="DELETE", path=path(kind, namespace, name), body=body))
        except NotFound:
            return False
        except Conflict:
            if uid is None:
                raise
            return False
        return True

    def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
        metadata_only: bool = False,
    ) -> AsyncIterator[Change]:
        """Every object, then every change, for ever, through all failures. `metadata_only`: nothing but metadata is read."""
        query = selecting(labels, fields)
        return watch.Watch(self, self._transport, kind, path(kind, namespace), query, metadata_only).changes()

    def follow(
        self,
        kind: Kind,
        since: str,
        namespace: str | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        stands: Callable[[bool], None] | None = None,
    ) -> AsyncIterator[None]:
        """Once for each change after a version that `look` gave, for ever, through lost connections; nothing of it is kept.
        Expired when the server has forgotten that version: look again. `stands` is told whether it gets through."""
        where, query = path(kind, namespace), selecting(labels)
        return watch.Watch(self, self._transport, kind, where, query, metadata_only=True, stands=stands).since(since)

    async def text(self, path: str) -> str:
        """A plain answer: `/readyz`, `/version`."""
        return (await self._transport.send(Request(method="GET", path=path, accept="*/*"))).decode(errors="replace")

    def reading(self, path: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Line by line, for as long as the caller likes: what may be anybody's and endless, such as `/metrics`."""
        return self._transport.stream(Request(method="GET", path=path, accept="*/*"))

    async def answers(self, path: str) -> None:
        """Return when there is an answer that is a success; of it nothing is read, for it may be anybody's and endless."""
        async with self._transport.stream(Request(method="GET", path=path, accept="*/*")):
            pass

    async def discover(self, group: str, kind: str, version: str | None = None) -> Kind:
        """A kind that is not in `api.kinds`, in the version given or the one the server prefers. NotFound when not served."""
        key, now = (group, kind, version), time.monotonic()
        until, found = self._discovered.get(key, (0.0, None))
        if found is None or until <= now:
            found = await self._looked_up(group, lambda each: bool(each.get("kind") == kind), kind, version)
            self._discovered[key] = now + DISCOVERED, found
        return found

    async def resource(self, group: str, plural: str) -> Kind:
        """A kind by what stands in its path, in a version that serves it. NotFound when none does."""
        return await self._looked_up(group, lambda each: bool(each["name"] == plural), plural, None)

    async def kind_of(self, manifest: Manifest) -> Kind:
        """Kind of a manifest, by `api.kinds` or by discovery. NotFound when it is not served."""
        api_version, kind = str(manifest["apiVersion"]), str(manifest["kind"])
        if known := kinds.KNOWN.get((api_version, kind)):
            return known
        group, _, version = api_version.rpartition("/")
        return await self.discover(group, kind, version)

    async def close(self) -> None:
        """Close the connections; watches end."""
        await self._transport.close()

    async def _paged(self, where: str, query: Mapping[str, str], kind: Kind, accept: str) -> Listed:
        try:
            return await self.listed(where, {**query, "limit": str(PAGE)}, kind, accept=accept)
        except Expired:  # the pages took too long: all at once then
            return await self.listed(where, query, kind, accept=accept)

    async def _looked_up(self, group: str, fits: Callable[[Manifest], bool], called: str, version: str | None) -> Kind:
        versions = (version,) if version else await self._versions(group)
        for api_version in (f"{group}/{each}" if group else each for each in versions):
            said = await self._object(Request(method="GET", path=root(api_version)))
            for each in said.get("resources") or ():
                if fits(each) and "/" not in each["name"]:
                    return Kind(api_version, each["kind"], each["name"], namespaced=bool(each.get("namespaced")))
        where = f"{group or 'the core group'} {', '.join(versions)}"
        raise NotFound(404, "NotFound", f"the API server serves no {called} in {where}: is its CRD installed?")

    async def _versions(self, group: str) -> tuple[str, ...]:
        """A group's versions, the preferred one first. A kind need not be in that: several makers can share a group."""
        if not group:
            return ("v1",)
        said = await self._object(Request(method="GET", path=f"/apis/{segment(group)}"))
        preferred = said["preferredVersion"]["version"]
        return tuple(dict.fromkeys([preferred, *(each["version"] for each in said.get("versions") or ())]))

    async def _object(self, request: Request) -> Manifest:
        return transport.parsed(await self._transport.send(request))
