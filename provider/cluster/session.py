"""Connections to tenants' API servers: opened when asked for, closed when the tenant goes, idles or changes credentials.

A connection is known by what it was made of (kubeconfig, address, name in TLS): when one of these changes it is made anew, so
that nobody goes on with an old certificate. Called by the tenant pass.

Who wants to do something for as long as a connection stands (`hosting.tenantwatch`) gives an `attend`: it is run beside the
connection and ended before that is closed. A connection that is attended is in use, so it does not idle.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from provider.api import names
from provider.cluster import connect
from provider.cluster.apply import Applier
from provider.cluster.client import Cluster

log = logging.getLogger(__name__)

Key = tuple[str, str]
"""(namespace, name) of a TenantControlPlane."""

Dial = Callable[[bytes, str | None, str | None], Awaitable[Cluster]]
"""(kubeconfig, server, tls_server_name) → a connection; ValueError when the kubeconfig is unusable."""

Attend = Callable[[Key, Cluster], Awaitable[None]]
"""What goes on beside an open connection; it is cancelled with it."""

LIMIT = 2048  # connections kept; one socket each
IDLE = 900.0  # seconds after which one that nobody asked for is closed


async def _dial(kubeconfig: bytes, server: str | None, tls_server_name: str | None) -> Cluster:
    return await connect.from_kubeconfig(kubeconfig, server=server, tls_server_name=tls_server_name)


@dataclass
class _Session:
    identity: str
    cluster: Cluster
    applier: Applier
    used: float
    attendance: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def attended(self) -> bool:
        return any(not each.done() for each in self.attendance)


class Tenants:
    """All open connections, least recently used first. One pass a tenant at a time, as the queue sees to."""

    def __init__(
        self,
        dial: Dial = _dial,
        *,
        attend: Attend | None = None,
        limit: int = LIMIT,
        idle: float = IDLE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dial = dial
        self._attend = attend
        self._limit = limit
        self._idle = idle
        self._clock = clock
        self._sessions: OrderedDict[Key, _Session] = OrderedDict()

    async def session(
        self,
        key: Key,
        kubeconfig: bytes,
        *,
        server: str | None = None,
        tls_server_name: str | None = None,
        beside: Attend | None = None,
    ) -> Cluster:
        """The tenant's connection; when it has to be opened, `beside` goes on with it too. ValueError when the kubeconfig is
        unusable."""
        identity = _identity(kubeconfig, server, tls_server_name)
        known = self._sessions.get(key)
        if known is None or known.identity != identity:
            await self.close(key)
            cluster = await self._dial(kubeconfig, server, tls_server_name)
            known = _Session(identity, cluster, Applier(cluster, names.HOSTING_MANAGER), self._clock())
            self._sessions[key] = known
            wanted = [each for each in (self._attend, beside) if each is not None]
            known.attendance = [asyncio.create_task(_attended(each, key, cluster)) for each in wanted]
        known.used = self._clock()
        self._sessions.move_to_end(key)
        await self._close_surplus(key)
        return known.cluster

    @asynccontextmanager
    async def passing(
        self, kubeconfig: bytes, *, server: str | None = None, tls_server_name: str | None = None
    ) -> AsyncIterator[Cluster]:
        """A connection of the caller's own, for as long as the context lasts. ValueError as in `session`."""
        cluster = await self._dial(kubeconfig, server, tls_server_name)
        try:
            yield cluster
        finally:
            await cluster.close()

    def standing(self, key: Key) -> Cluster | None:
        """The tenant's connection while there is one; asking does not keep it open."""
        known = self._sessions.get(key)
        return known.cluster if known is not None else None

    def applier(self, session: Cluster) -> Applier:
        """The applier that remembers what was applied over this connection. KeyError when it is closed."""
        for each in reversed(self._sessions.values()):
            if each.cluster is session:
                return each.applier
        raise KeyError(session.server)

    async def close(self, key: Key) -> None:
        """Close the tenant's connection, if there is one."""
        if (known := self._sessions.pop(key, None)) is None:
            return
        for each in known.attendance:
            each.cancel()
        await asyncio.gather(*known.attendance, return_exceptions=True)
        await known.cluster.close()

    async def close_all(self) -> None:
        """Close every connection."""
        for key in list(self._sessions):
            await self.close(key)

    async def _close_surplus(self, asked: Key) -> None:
        now = self._clock()
        for key, each in list(self._sessions.items()):
            surplus = len(self._sessions) > self._limit
            if not surplus and now - each.used < self._idle:
                return  # the rest was used later
            if key != asked and (surplus or not each.attended):
                await self.close(key)


async def _attended(attend: Attend, key: Key, cluster: Cluster) -> None:
    """An attendance that fails is told and ends; the connection is good without it."""
    try:
        await attend(key, cluster)
    except Exception:
        log.exception("what goes on beside the connection to %s/%s failed", *key)


def _identity(kubeconfig: bytes, server: str | None, tls_server_name: str | None) -> str:
    return hashlib.sha256(repr((kubeconfig, server, tls_server_name)).encode()).hexdigest()
