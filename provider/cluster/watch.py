"""List, then watch, for ever: `Cluster.watch`; `Cluster.follow` goes without the list. Survives closed streams and lost
connections; `watch` also versions that the server has forgotten.

After a relist, objects that vanished meanwhile come as DELETED, so that whoever follows keys never keeps a dead one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from provider.api.kinds import Kind
from provider.cluster import errors
from provider.cluster.errors import ApiError, Expired
from provider.cluster.transport import JSON, PARTIAL, PARTIAL_LIST, Request, Wire
from provider.manifest import Manifest

if TYPE_CHECKING:
    from provider.cluster.client import Cluster

log = logging.getLogger(__name__)

STREAM = 300.0  # seconds after which the server ends a stream; up to as much again, so that not all end at once
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 30.0
BROKEN = 1.0  # a pause as long as that comes after a second of failures: a pod that was replaced is nobody's outage
KEPT = ("name", "namespace", "uid", "labels", "ownerReferences")
"""What is remembered of an object, so that its DELETED after a relist still says whose it was."""

ChangeType = Literal["ADDED", "MODIFIED", "DELETED", "SYNCED"]
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened. SYNCED has no object: the whole list was given, changes follow."""

    type: ChangeType
    object: Manifest | None = None


@dataclass
class Watch:
    """One watch; `changes` never ends by itself."""

    cluster: Cluster
    transport: Wire
    kind: Kind
    path: str
    query: dict[str, str]
    metadata_only: bool = False
    stands: Callable[[bool], None] | None = None  # is told when it is taken up, and when it could not be for a while
    _known: dict[Key, Manifest] = field(default_factory=dict)
    _version: str = ""

    async def changes(self) -> AsyncIterator[Change]:
        """ADDED for all there is, SYNCED, then changes; again from a list when the server forgot where we were."""
        pause = FIRST_PAUSE
        while True:
            try:
                if not self._version:
                    for change in await self._listed():
                        yield change
                    yield Change("SYNCED")
                async for change in self._streamed():
                    pause = FIRST_PAUSE
                    yield change
                continue
            except Expired:
                self._version = ""
                continue
            except ApiError as error:
                pause = await self._paused(error, pause)

    async def since(self, version: str) -> AsyncIterator[None]:
        """Once for each change after that version. Expired when the server forgot where we were."""
        self._version = version
        pause = FIRST_PAUSE
        while True:
            try:
                async for _ in self._streamed():
                    pause = FIRST_PAUSE
                    self._known.clear()
                    yield
            except Expired:
                raise
            except ApiError as error:
                pause = await self._paused(error, pause)

    async def _paused(self, error: ApiError, pause: float) -> float:
        """Wait after a failure; how long to wait after the next."""
        log.log(
            logging.INFO if error.status == 0 else logging.WARNING,
            "watch of %s at %s: %s; again in %.1f s",
            self.kind.plural,
            self.cluster.server,
            error,
            pause,
        )
        if self.stands is not None and pause >= BROKEN:
            self.stands(False)
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 (jitter is no secret)
        return min(pause * 2, LONGEST_PAUSE)

    async def _listed(self) -> list[Change]:
        accept = PARTIAL_LIST if self.metadata_only else JSON
        objects, version = await self.cluster.listed(self.path, self.query | {"limit": "500"}, self.kind, accept=accept)
        before, self._known = self._known, {_key(each): _remembered(each) for each in objects}
        self._version = version
        gone = [Change("DELETED", each) for key, each in before.items() if key not in self._known]
        return gone + [Change("MODIFIED" if _key(each) in before else "ADDED", each) for each in objects]

    async def _streamed(self) -> AsyncIterator[Change]:
        query = self.query | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(int(STREAM * random.uniform(1, 2))),  # noqa: S311
        }
        accept = PARTIAL if self.metadata_only else JSON
        async with self.transport.stream(Request(method="GET", path=self.path, query=query, accept=accept)) as lines:
            if self.stands is not None:
                self.stands(True)
            async for line in lines:
                if change := self._change(line):
                    yield change

    def _change(self, line: bytes) -> Change | None:
        event = _event(line)
        kind, item = event.get("type"), event.get("object")
        if kind == "ERROR" or not isinstance(item, dict):
            said = item if isinstance(item, dict) else {}
            raise errors.of(int(said.get("code") or 500), json.dumps(said).encode())
        self._version = item["metadata"]["resourceVersion"]
        if kind == "BOOKMARK":
            return None
        item = {**item, "apiVersion": self.kind.api_version, "kind": self.kind.kind}
        if kind == "DELETED":
            self._known.pop(_key(item), None)
            return Change("DELETED", item)
        self._known[_key(item)] = _remembered(item)
        return Change("ADDED" if kind == "ADDED" else "MODIFIED", item)


def _event(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError as error:
        raise errors.Unreachable("the stream broke off in the middle of an event") from error
    return event if isinstance(event, dict) else {}


def _key(item: Manifest) -> Key:
    metadata = item["metadata"]
    return (metadata.get("namespace") or "", metadata["name"])


def _remembered(item: Manifest) -> Manifest:
    metadata = {key: _shared(item["metadata"][key]) for key in KEPT if key in item["metadata"]}
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": metadata}


def _shared(said: Any) -> Any:
    """The same, of strings that are kept once: of thousands of objects most labels and owners are the same."""
    if isinstance(said, str):
        return sys.intern(said)
    if isinstance(said, dict):
        return {sys.intern(key): _shared(value) for key, value in said.items()}
    return [_shared(each) for each in said] if isinstance(said, list) else said
