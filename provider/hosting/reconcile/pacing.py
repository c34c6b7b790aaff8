"""Paces what many tenants at once would make slow for all: the starts of control planes, and being let into a store.

Each start costs seconds of CPU; more starts at once than cores make every one of them slower than its own patience. Who is let
into an etcd changes its users and roles, and every read and write of every tenant there waits for each such change.
State lives in this process only and fills again from what passes see after a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from provider.api.verdict import NotReady

Key = tuple[str, str]
"""(namespace, name) of a TenantControlPlane."""

PATIENCE = (
    90.0  # seconds after which a start that does not finish no longer holds its place: a broken one blocks nobody
)
LET_IN = (
    0.2  # seconds from one new tenant of an etcd to the next: at that pace its neighbours do not notice (decision 0036)
)
AT_ONCE = 5  # who come by themselves do not wait
FORGOTTEN = 600.0  # seconds after which a turn that nobody took is nobody's


class NotItsTurn(NotReady):
    """It will be in so many `seconds`."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__("WaitingForTurn", message)
        self.seconds = seconds


@dataclass
class Turns:
    """When which new tenant is let into its store. `monotonic` is in seconds."""

    monotonic: Callable[[], float]
    _next: dict[str, float] = field(default_factory=dict)  # the next turn that is free, by store
    _given: dict[tuple[str, str], float] = field(default_factory=dict)  # by store and tenant

    def wait(self, store: str, tenant: str) -> float:
        """Seconds until it is its turn, 0: now. A turn that was given stays."""
        now, key = self.monotonic(), (store, tenant)
        self._given = {each: turn for each, turn in self._given.items() if now - turn < FORGOTTEN}
        if key not in self._given:
            self._given[key] = max(now - AT_ONCE * LET_IN, self._next.get(store, 0.0))
            self._next[store] = self._given[key] + LET_IN
        if (left := self._given[key] - now) > 0:
            return left
        del self._given[key]
        return 0.0


@dataclass
class Starts:
    """Who is starting and who waits for a turn. `wake` is called with a waiting key when a place is free."""

    limit: int
    monotonic: Callable[[], float]
    wake: Callable[[Key], None]
    _running: dict[Key, float] = field(default_factory=dict)
    _waiting: dict[Key, None] = field(default_factory=dict)  # a dict keeps the order of arrival

    def admit(self, key: Key) -> bool:
        """Whether this control plane may start now; if not it is queued and woken in order."""
        self._expire()
        if key in self._running:
            return True
        self._waiting.setdefault(key, None)
        if self.ahead(key) >= self.limit - len(self._running):
            return False
        del self._waiting[key]
        self._running[key] = self.monotonic()
        return True

    def running(self, key: Key) -> None:
        """A control plane seen in the midst of its start, as after a restart of ours, holds a place."""
        self._running.setdefault(key, self.monotonic())

    def done(self, key: Key) -> None:
        """It serves, sleeps or is gone: its place goes to who waits longest."""
        self._waiting.pop(key, None)
        if self._running.pop(key, None) is not None:
            self._wake_next()

    def ahead(self, key: Key) -> int:
        """How many wait before this one."""
        return list(self._waiting).index(key) if key in self._waiting else 0

    def _expire(self) -> None:
        now = self.monotonic()
        for key in [each for each, since in self._running.items() if now - since > PATIENCE]:
            del self._running[key]

    def _wake_next(self) -> None:
        for key in list(self._waiting)[: max(0, self.limit - len(self._running))]:
            self.wake(key)
