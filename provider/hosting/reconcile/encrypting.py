"""What is stored of a tenant, looked at and written once more where that has to be encrypted otherwise. By the tenant pass.

An object is written once more by a change that changes nothing: its API server stores it anew where it is not stored as it
should be, and nobody's own change is lost by that. Which those are is read off an etcd, so that whoever comes after a crash
goes on where it was; behind kine all are touched. It is over when the store shows nothing else, not when all were touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace

from provider.api import names
from provider.api.kinds import Kind
from provider.api.verdict import Invalid, NotReady
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError, Conflict, NotFound, TooManyRequests, Unauthorized, Unreachable
from provider.hosting import encryption
from provider.hosting.datastores.errors import StoreError
from provider.hosting.datastores.etcd import stored
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.encryption import Order
from provider.hosting.encryption.document import ENCRYPTED
from provider.hosting.encryption.resources import folder, split
from provider.hosting.reconcile.context import Context
from provider.hosting.reconcile.pacing import Key
from provider.hosting.view import Stored, View

log = logging.getLogger(__name__)

AT_ONCE = 4  # tenants whose objects are written at the same time, one object of each
TRIES = 5  # of an object that others write all the time
TELL = 10.0  # seconds between two words of how far it is
RETRY = 30.0  # seconds until what could not be written is tried again
NAMED = 3  # objects that a message names
WORDS = 300  # characters of what a tenant's API server says, some of which may be a webhook's
MOST = 20  # objects that could not be written, after which the rest waits for the next try

Dial = Callable[[], AbstractAsyncContextManager[Cluster]]
"""A connection to the tenant's API server, for as long as the work takes."""


@dataclass
class _Running:
    order: Order
    seen: Stored
    ended: float | None = None
    task: asyncio.Task[None] | None = None


@dataclass
class _Failed:
    """Objects that could not be written, and why, in the words of the tenant's API server."""

    names: list[str] = field(default_factory=list)
    why: str = ""

    def add(self, name: str, why: str) -> None:
        """One more. ValueError when there were too many."""
        self.names.append(name)
        self.why = self.why or why[:WORDS]
        if len(self.names) >= MOST:
            raise ValueError(self.said())

    def said(self) -> str:
        """For a message."""
        more = f" and {len(self.names) - NAMED} more" if len(self.names) > NAMED else ""
        return f"{', '.join(self.names[:NAMED])}{more}: {self.why}" if self.names else ""


@dataclass
class Encrypting:
    """What is looked at and written by this process, by tenant."""

    context: Context
    wake: Callable[[Key], None]
    monotonic: Callable[[], float] = time.monotonic
    _running: dict[Key, _Running] = field(default_factory=dict)
    _clean: set[str] = field(default_factory=set)  # UIDs of tenants in whose stores nothing encrypted was found
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def looked(self, view: View, key: Key, dial: Dial) -> View:
        """The view that knows of what is stored as much as its next step takes. NotReady when the store does not answer."""
        try:
            first, order = encryption.begins(view), encryption.order(view)
        except Invalid:
            await self.stop(key)
            return view  # told by the part itself
        if first:
            return replace(view, stored=Stored(foreign=await self._foreign(view)))
        if order is None:
            await self.stop(key)
            return view
        return replace(view, stored=(await self._driven(key, order, view, dial)).seen)

    def again(self, key: Key) -> float | None:
        """Seconds after which to look again: what is under way calls by itself."""
        found = self._running.get(key)
        return RETRY if found is not None and found.ended is not None else None

    async def stop(self, key: Key) -> None:
        """Nothing of the tenant is written by this process when this returns."""
        found = self._running.pop(key, None)
        if found is not None and found.task is not None:
            found.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await found.task

    async def stop_all(self) -> None:
        """The same for everybody."""
        for key in list(self._running):
            await self.stop(key)

    async def _foreign(self, view: View) -> bool:
        """Whether the store holds what an encryption of before has written: then a first key would be a second one."""
        uid = view.tcp.metadata.uid
        if uid in self._clean or view.keyspace is None or view.store is None:
            return False
        try:
            async with self._opened(view.store.name) as store:
                if store is not None and await stored.any_begins(store, view.keyspace.schema, ENCRYPTED):
                    return True
        except StoreError as error:
            raise NotReady("DataStoreUnreachable", f"DataStore {view.store.name}: {error}") from error
        self._clean.add(uid)
        return False

    async def _driven(self, key: Key, order: Order, view: View, dial: Dial) -> _Running:
        """The work on this order and on no other; anew when it could not be done some time ago."""
        found = self._running.get(key)
        over = found is not None and found.ended is not None and not found.seen.done
        if found is not None and (found.order != order or (over and self.monotonic() - (found.ended or 0) > RETRY)):
            await self.stop(key)
            found = None
        if found is None:
            assert view.keyspace is not None, "it serves"
            found = self._running[key] = _Running(order, Stored(document=order.document))
            found.task = asyncio.create_task(self._work(key, found, view.keyspace.schema, dial))
        return found

    async def _work(self, key: Key, running: _Running, schema: str, dial: Dial) -> None:
        """Until everything is as the order says, or something could not be written."""
        try:
            async with self._turns:
                await self._rewritten(key, running, schema, dial)
        except (StoreError, ApiError, Invalid, NotReady, ValueError) as error:
            running.seen = replace(running.seen, trouble=str(error))
        except Exception as error:
            log.exception("what is stored of %s/%s could not be written once more", *key)
            running.seen = replace(running.seen, trouble=f"{type(error).__name__}; see the provider's log")
        running.ended = self.monotonic()
        self.wake(key)

    async def _rewritten(self, key: Key, running: _Running, schema: str, dial: Dial) -> None:
        """Look, write what is left, look again: only what the store shows is believed, where it can be seen."""
        before = await self._left(running.order, schema)
        if not any(found is None or found.others for found in before.values()):
            running.seen = _seen(running.order, before, _Failed())
            return
        running.seen = _seen(running.order, before, _Failed())
        self.wake(key)
        failed = _Failed()
        async with dial() as session:
            for resource, found in before.items():
                await self._touched(key, running, session, (resource, found), failed)
        running.seen = _seen(running.order, await self._left(running.order, schema), failed, touched=True)

    async def _left(self, order: Order, schema: str) -> dict[str, stored.Counted | None]:
        """By resource what the store shows; None where it shows nothing."""
        found: dict[str, stored.Counted | None] = {}
        for resource, (name, wanted) in order.resources.items():
            async with self._opened(name) as store:
                found[resource] = (
                    await stored.counted(store, schema, folder(resource), wanted, ENCRYPTED) if store else None
                )
        return found

    async def _touched(
        self,
        key: Key,
        running: _Running,
        session: Cluster,
        resource: tuple[str, stored.Counted | None],
        failed: _Failed,
    ) -> None:
        """Every object of one resource that is not known to be as it should, with as long a rest as each took."""
        try:
            kind = await session.resource(*split(resource[0]))
        except NotFound:
            return  # nobody serves it, so nobody writes it; what the store holds of it is counted afterwards
        told = self.monotonic()
        for name in resource[1].others if resource[1] else await _all(session, kind):
            began = self.monotonic()
            if why := await _written(session, kind, name):
                failed.add(f"{resource[0]} {name}", why)
            elif resource[1] is not None:
                running.seen = replace(running.seen, left=running.seen.left - 1)
            if self.monotonic() - told > TELL:
                told = self.monotonic()
                self.wake(key)
            await asyncio.sleep(self.monotonic() - began)

    @asynccontextmanager
    async def _opened(self, name: str) -> AsyncIterator[EtcdStore | None]:
        """The DataStore as its root; None of one whose keys are behind kine. StoreError."""
        opened = await self.context.open_store(name)
        if not isinstance(opened, EtcdStore):
            yield None
            return
        async with opened:
            yield opened


def _seen(order: Order, found: dict[str, stored.Counted | None], failed: _Failed, *, touched: bool = False) -> Stored:
    """What is known now. What a store does not show is taken for done when each object was touched."""
    shown = [each for each in found.values() if each is not None]
    left = sum(len(each.others) for each in shown)
    hidden = len(shown) < len(found)
    return Stored(
        document=order.document,
        done=not left and (not hidden or (touched and not failed.names)),
        proven=not left and not hidden,
        total=sum(each.total for each in shown),
        left=left,
        trouble=failed.said(),
    )


async def _all(session: Cluster, kind: Kind) -> Sequence[str]:
    found = [each["metadata"] for each in await session.bare(kind)]
    return ["/".join(filter(None, (each.get("namespace"), each["name"]))) for each in found]


async def _written(session: Cluster, kind: Kind, name: str) -> str:
    """Have it stored once more; why that could not be, empty when it is or nothing is there any more."""
    namespace, _, own = name.rpartition("/")
    for _ in range(TRIES):
        try:
            await session.touch(kind, own, namespace or None, manager=names.HOSTING_MANAGER)
        except NotFound:
            return ""
        except (Unauthorized, Unreachable, TooManyRequests):
            raise
        except Conflict as error:
            why = error.message
        except ApiError as error:
            return error.message
        else:
            return ""
    return why
