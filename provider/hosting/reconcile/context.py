"""What every pass of the hosting room is given. Made once by `production`; tests make their own with another `dial`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from provider.api import kinds, names
from provider.api.datastore import DataStore
from provider.api.verdict import Verdict
from provider.cluster.apply import Applier
from provider.cluster.client import Cluster
from provider.cluster.events import Recorder
from provider.cluster.runtime import Runtime
from provider.hosting.datastores.errors import StoreError
from provider.hosting.datastores.shape import Driver
from provider.hosting.observe import datastore
from provider.hosting.reconcile import drivers
from provider.hosting.reconcile.mint import RandomMint
from provider.hosting.storematerial import Access, access
from provider.hosting.storeview import Look
from provider.manifest.mint import Mint
from provider.settings import Settings

Dial = Callable[[Access], Driver]
"""A store to be entered with `async with`."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """The management cluster, the settings, the time, fresh keys, and the way into a store."""

    cluster: Cluster
    settings: Settings
    clock: Callable[[], datetime]
    mint: Mint
    dial: Dial

    @cached_property
    def applier(self) -> Applier:
        """Says objects as this room. One for all passes: it remembers what stands, so that a quiet pass sends nothing."""
        return Applier(self.cluster, names.HOSTING_MANAGER)

    @cached_property
    def looks(self) -> dict[str, Look]:
        """What each DataStore said of itself when it was tried last."""
        return {}

    @cached_property
    def events(self) -> Recorder:
        """Tells people of what changed."""
        return Recorder(self.cluster, self.settings.identity)

    async def open_store(self, name: str) -> Driver:
        """The named DataStore as its root. StoreError when it does not exist or its Secrets are incomplete."""
        return self.dial(await self.access_to(name))

    async def access_to(self, name: str) -> Access:
        """How its root gets into the named DataStore. StoreError as above."""
        raw = await self.cluster.get(kinds.DATA_STORE, name)
        if raw is None:
            raise StoreError("it does not exist")
        try:
            parsed = DataStore.parse(raw)
            return access(parsed, await datastore.referred(self.cluster, parsed))
        except Verdict as verdict:
            raise StoreError(verdict.message) from verdict


def production(runtime: Runtime) -> Context:
    """The context of the running process."""
    return Context(
        cluster=runtime.cluster,
        settings=runtime.settings,
        clock=runtime.clock,
        mint=RandomMint(),
        dial=drivers.opened,
    )


def alone(cluster: Cluster, settings: Settings) -> Context:
    """The context of a command that does one thing and ends: it leads nobody."""
    runtime = Runtime(cluster=cluster, settings=settings, leader=asyncio.Event(), clock=lambda: datetime.now(UTC))
    return production(runtime)
