"""Follows the changes of a range, from a revision on, and says up to which revision nothing is missing. Used by `engine`.

etcd3aio's watch takes neither fragments nor questions about progress, so its stub is spoken to directly: without the one an
answer may be larger than gRPC takes in, without the other nobody knows that a quiet range is level.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from etcd3aio._protobuf import WatchCreateRequest, WatchRequest

from provider.hosting.datastores.errors import Outrun
from provider.hosting.datastores.etcd.copying.plan import Change
from provider.hosting.datastores.etcd.ranges import KeyRange
from provider.hosting.datastores.etcd.store import EtcdStore

DELETED = 1  # mvccpb.Event.DELETE


@dataclass(frozen=True)
class Heard:
    """Some changes, in the order of revisions; or none, and that all up to a revision were told."""

    changes: list[Change]
    level: int  # 0: not said; there may be more of the same revision


@dataclass
class Following:
    """One watch. `ask` has it say how far it is, which it does once it has told everything."""

    store: EtcdStore
    own: KeyRange
    _asked: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)

    def ask(self) -> None:
        """How far are we?"""
        question = WatchRequest()
        question.progress_request.SetInParent()
        self._asked.put_nowait(question)

    async def heard(self, start: int) -> AsyncGenerator[Heard, None]:
        """From revision `start` on, until it is closed. Outrun when that is no longer kept."""
        create = WatchCreateRequest(key=self.own.start, range_end=self.own.end, start_revision=start, fragment=True)
        self._asked.put_nowait(WatchRequest(create_request=create))
        async with self.store.told():
            stream = self.store.wire.watch._stub.Watch(self._requests())
            try:
                async for answer in stream:
                    if answer.compact_revision:
                        raise Outrun(f"changes since revision {start} are no longer kept")
                    if answer.canceled:
                        raise Outrun(f"etcd ended the watch: {answer.cancel_reason or 'without a reason'}")
                    if not answer.created:
                        yield _heard(answer)
            finally:
                stream.cancel()

    async def _requests(self) -> AsyncIterator[Any]:
        while True:
            yield await self._asked.get()


def _heard(answer: Any) -> Heard:
    """An answer with events says the store's revision, up to which more may follow; one without says how far all is told."""
    changes = [_change(each) for each in answer.events]
    return Heard(changes, 0 if changes else int(answer.header.revision))


def _change(event: Any) -> Change:
    kv = event.kv
    gone = event.type == DELETED
    return Change(bytes(kv.key), None if gone else bytes(kv.value), 0 if gone else kv.lease, kv.mod_revision)
