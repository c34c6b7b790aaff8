"""Copies of tenants under way, a task each: what takes longer than a pass. Started, driven and stopped by `migration`.

A copy lasts beyond the pass that began it and not beyond the process; where it is lies in the target store, so that the next
process goes on. What comes of it is looked at by passes, which are woken when there is something to see.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from provider.api import names
from provider.api.verdict import Invalid, NotReady, Verdict
from provider.hosting.datastores.errors import CopyDiffers, RevisionGap, StoreError, Taken
from provider.hosting.datastores.etcd.copying.engine import Copy
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.reconcile.context import Context
from provider.hosting.reconcile.pacing import Key
from provider.hosting.view import Keyspace

log = logging.getLogger(__name__)

AT_ONCE = 2  # tenants that are copied at the same time; those whose writes are frozen wait for nobody
PATIENCE = 60.0  # seconds for which a store may not answer before a copy is given up
STEADY = 5.0  # seconds after which one that went on has nothing to be forgiven
PAUSE = 1.0  # seconds between tries
FATAL = {RevisionGap: "RevisionGap", CopyDiffers: "CopyDiffers", Taken: "KeyspaceTaken"}
"""What another try does not mend, and the reason that is told."""


def stays_behind(schema: str) -> frozenset[bytes]:
    """What says in the source that nothing may be written says it there only."""
    return frozenset({f"/{schema}/validatingadmissionpolicybindings/{names.HELD_POLICY}".encode()})


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is copied; the same order is the same copy."""

    source: str  # names of DataStores
    target: str
    keyspace: Keyspace
    token: str


@dataclass
class Progress:
    """What a pass may know of a copy."""

    level: bool = False
    floor: int = 0  # revision of the target, far above the source's, that it has had since then; 0: it is not so
    sealed: bool = False
    last: int = 0  # revision of the source at that moment
    failure: Verdict | None = None  # it has ended
    trouble: str = ""  # what hinders it now
    waiting: bool = False  # for others to be done


@dataclass
class _Running:
    order: Order
    task: asyncio.Task[None] | None = None
    progress: Progress = field(default_factory=Progress)
    finish: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Moving:
    """The copies of this process, by tenant."""

    context: Context
    wake: Callable[[Key], None]
    _running: dict[Key, _Running] = field(default_factory=dict)
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def progress(self, key: Key) -> Progress:
        """Of the tenant's copy; of one that was not started here nothing is known."""
        found = self._running.get(key)
        return found.progress if found else Progress()

    async def drive(self, key: Key, order: Order, *, finish: bool) -> None:
        """Have this copy run, and no other of the tenant. `finish`: take the tenant's right to write, then seal the copy."""
        found = self._running.get(key)
        if found is not None and found.order != order:
            await self.stop(key)
            found = None
        if found is None:
            found = self._running[key] = _Running(order)
            found.task = asyncio.create_task(self._work(key, found))
        if finish:
            found.finish.set()

    async def stop(self, key: Key) -> None:
        """Nothing of the tenant is copied by this process when this returns."""
        found = self._running.pop(key, None)
        if found is None or found.task is None:
            return
        found.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await found.task

    async def stop_all(self) -> None:
        """The same for everybody: the process ends, or leads no more."""
        for key in list(self._running):
            await self.stop(key)

    async def _work(self, key: Key, running: _Running) -> None:
        """Until it is sealed or given up; a store that is away is tried again for a while."""
        failing_since: float | None = None
        while True:
            began = time.monotonic()
            try:
                await self._in_turn(key, running)
            except StoreError as error:
                now = time.monotonic()
                failing_since = now if failing_since is None or now - began > STEADY else failing_since
                running.progress.trouble = str(error)
                if now - failing_since > PATIENCE or type(error) in FATAL:
                    running.progress.failure = _verdict(error)
            except Exception as error:
                log.exception("the copy of %s/%s failed", *key)
                running.progress.failure = NotReady("CopyFailed", f"{type(error).__name__}; see the provider's log")
            self.wake(key)
            if running.progress.failure or running.progress.sealed:
                return
            await asyncio.sleep(PAUSE)

    async def _in_turn(self, key: Key, running: _Running) -> None:
        if running.finish.is_set():
            return await self._copied(key, running)
        running.progress.waiting = self._turns.locked()
        async with self._turns:
            running.progress.waiting = False
            await self._copied(key, running)
        return None

    async def _copied(self, key: Key, running: _Running) -> None:
        order = running.order
        async with await self._opened(order.source) as source, await self._opened(order.target) as target:
            copy = Copy(source, target, order.keyspace.schema, order.token, stays_behind(order.keyspace.schema))
            if (await copy.taken()).sealed:
                return await self._finished(key, running, copy)
            tasks = [asyncio.create_task(each) for each in (copy.run(), self._levelled(key, running, copy))]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    each.result()
            finally:
                for each in tasks:
                    each.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        return None

    async def _levelled(self, key: Key, running: _Running, copy: Copy) -> None:
        await copy.level(await copy.source.revision())
        await self._finished(key, running, copy)

    async def _finished(self, key: Key, running: _Running, copy: Copy) -> None:
        """Say that it is level; once told to, freeze the source, and seal."""
        if not running.finish.is_set():
            running.progress.floor = await copy.ahead()
        running.progress.level, running.progress.trouble = True, ""
        self.wake(key)
        await running.finish.wait()
        await copy.source.ensure(running.order.keyspace, writable=False)
        running.progress.last = await copy.finish()
        running.progress.sealed = True

    async def _opened(self, store: str) -> EtcdStore:
        found = await self.context.open_store(store)
        if not isinstance(found, EtcdStore):
            raise Taken(f"DataStore {store} is no etcd")
        return found


def _verdict(error: StoreError) -> Verdict:
    reason = FATAL.get(type(error))
    return Invalid(reason, str(error)) if reason else NotReady("DataStoreUnreachable", str(error))
