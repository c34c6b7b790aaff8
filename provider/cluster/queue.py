"""A keyed work queue: between events, which only say which object to look at, and the pass, which looks at the world.

One pass a key at a time; equal keys merge; a key added during its own pass is looked at once more after it. A pass that fails
is taken again after a pause of its key's own. Every room has one queue a kind.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, Protocol, TypeVar

from provider.api.verdict import Verdict
from provider.cluster.errors import ApiError, Conflict

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
Handler = Callable[[K], Awaitable[float | None]]
"""One pass: seconds after which to look again, None when events will tell. Raises when it failed."""

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 60.0
DRAIN = 4.0  # seconds that passes under way get to end; a lost lease stays ours for longer (cluster.election)


class Gauges(Protocol):
    """Who wants to know how a queue does. `provider.telemetry` has the one with metrics."""

    def depth(self, queue: str, waiting: int) -> None:
        """How many keys wait for a worker."""

    def waited(self, queue: str, seconds: float) -> None:
        """A key's pass begins, so long after it was due."""

    def passed(self, queue: str, outcome: str, seconds: float) -> None:
        """A pass is over; `outcome` is `done`, `again` or `failed`."""

    def failed(self, queue: str, reason: str) -> None:
        """Why a pass failed, in words of ours."""


class KeyedQueue(Generic[K]):
    """Keys to look at. `add` may be called at any time, also before and after `run`."""

    def __init__(self, name: str, gauges: Gauges | None = None) -> None:
        self._name = name
        self._gauges = gauges
        self._ready: dict[K, float] = {}  # since when; a dict keeps the order of arrival
        self._running: set[K] = set()
        self._dirty: set[K] = set()  # added while running
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._pauses: dict[K, float] = {}  # the next back-off of keys that failed
        self._wake = asyncio.Event()
        self._stopping = False

    def __len__(self) -> int:
        """Keys that wait for a worker."""
        return len(self._ready)

    def add(self, key: K) -> None:
        """Look at the key as soon as a worker is free; what was to happen later happens now."""
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        if key in self._running:
            self._dirty.add(key)
        elif key not in self._ready:
            self._ready[key] = time.monotonic()
            self._wake.set()
            self._tell_depth()

    def add_after(self, key: K, seconds: float) -> None:
        """Look at the key later, unless that happens earlier anyway. Of several times the earliest counts."""
        if seconds <= 0:
            self.add(key)
            return
        if key in self._ready or key in self._dirty:
            return
        loop = asyncio.get_running_loop()
        known = self._timers.get(key)
        if known is not None and known.when() <= loop.time() + seconds:
            return
        if known is not None:
            known.cancel()
        self._timers[key] = loop.call_later(seconds, self.add, key)

    async def run(self, handler: Handler[K], workers: int) -> None:
        """Work with so many passes at once until cancelled; then passes under way may end, for `DRAIN` seconds."""
        self._stopping = False
        tasks = [asyncio.create_task(self._work(handler)) for _ in range(workers)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for each in done:
                each.result()
        finally:
            self._stop()
            await asyncio.wait(tasks, timeout=DRAIN)
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _stop(self) -> None:
        self._stopping = True
        self._wake.set()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    async def _work(self, handler: Handler[K]) -> None:
        while (key := await self._next()) is not None:
            self._running.add(key)
            try:
                again = await self._pass(handler, key)
            finally:
                self._running.discard(key)
            if again is not None and not self._stopping:
                self.add_after(key, again)
            if key in self._dirty:
                self._dirty.discard(key)
                self.add(key)

    async def _next(self) -> K | None:
        """The key that waits longest, as soon as there is one; None when the work is over."""
        while not self._ready and not self._stopping:
            self._wake.clear()
            await self._wake.wait()
        if self._stopping:
            return None
        key = next(iter(self._ready))
        since = self._ready.pop(key)
        self._tell_depth()
        if self._gauges is not None:
            self._gauges.waited(self._name, time.monotonic() - since)
        return key

    async def _pass(self, handler: Handler[K], key: K) -> float | None:
        """One pass; seconds until the next, None when there is none to come."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            again = await handler(key)
        except Exception as error:
            pause = self._failed(key)
            _tell(self._name, key, error, pause)
            self._tell_passed("failed", loop.time() - started)
            if self._gauges is not None:
                self._gauges.failed(self._name, _reason(error))
            return pause
        self._pauses.pop(key, None)
        self._tell_passed("done" if again is None else "again", loop.time() - started)
        return again

    def _failed(self, key: K) -> float:
        pause = self._pauses.get(key, FIRST_PAUSE)
        self._pauses[key] = min(pause * 2, LONGEST_PAUSE)
        return pause * random.uniform(0.75, 1.25)  # noqa: S311 (jitter is no secret)

    def _tell_depth(self) -> None:
        if self._gauges is not None:
            self._gauges.depth(self._name, len(self._ready))

    def _tell_passed(self, outcome: str, seconds: float) -> None:
        if self._gauges is not None:
            self._gauges.passed(self._name, outcome, seconds)


def _reason(error: Exception) -> str:
    """One of few: verdicts have reasons of ours. What an API server says, a tenant's among them, could be anything."""
    return error.reason if isinstance(error, Verdict) else type(error).__name__


def _tell(queue: str, key: Hashable, error: Exception, pause: float) -> None:
    """Conflicts are everyday life, outages a line each, anything else a bug of ours with its traceback."""
    if isinstance(error, Conflict):
        log.info("%s %s: %s; again in %.1f s", queue, key, error, pause)
    elif isinstance(error, ApiError):
        log.warning("%s %s: %s; again in %.1f s", queue, key, error, pause)
    else:
        log.error("%s %s failed; again in %.1f s", queue, key, pause, exc_info=error)
