"""Records Events through the API: best effort, and bounded. Called by passes for what changed, never for a pass itself.

An object may be told of `BURST` times at once and then once in `REFILL` seconds, so that one that flaps fills nobody's etcd.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.manifest import Manifest, happening
from provider.manifest.happening import Happening

log = logging.getLogger(__name__)

BURST = 12
REFILL = 30.0  # seconds
OBJECTS = 10_000  # whose recent Events are counted
PATIENCE = 3.0  # seconds for one: nothing waits for an Event


class Recorder:
    """Writes Events as one replica of ours. `clock` is monotonic, in seconds."""

    def __init__(self, cluster: Cluster, instance: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._cluster, self._instance, self._clock = cluster, instance or "provider", clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # by uid: Events left, and when that was so

    async def record(self, regarding: Manifest, what: Iterable[Happening]) -> None:
        """Tell of what happened to the object. Never raises for an API server that does not take it."""
        for each in what:
            if not self._may(str(regarding["metadata"].get("uid", ""))):
                log.info("not told of %s: %s (too many Events)", regarding["metadata"]["name"], each.reason)
                continue
            name = f"{regarding['metadata']['name'][:230]}.{secrets.token_hex(8)}"
            said = happening.event(each, regarding, name, self._instance, datetime.now(UTC))
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._cluster.create(said)
            except (ApiError, TimeoutError) as error:  # such as a namespace that is ending
                log.info("Event %s of %s not written: %s", each.reason, regarding["metadata"]["name"], error)

    def _may(self, uid: str) -> bool:
        now = self._clock()
        left, since = self._left.pop(uid, (float(BURST), now))
        left = min(float(BURST), left + (now - since) / REFILL)
        may = left >= 1
        self._left[uid] = (left - 1 if may else left, now)
        if len(self._left) > OBJECTS:
            self._left.popitem(last=False)
        return may
