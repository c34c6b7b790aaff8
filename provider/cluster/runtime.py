"""What both rooms are given when the process starts, and nothing else is shared between them. Made by `__main__`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from provider.cluster.client import Cluster
from provider.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """The management cluster, the settings, who may act, and the time.

    A room is a function `room(runtime, registry) -> coroutine` in its `handlers`: it registers its doors with kopf's
    registry and returns the coroutine that works its queues until cancelled, once `leader` is set.
    """

    cluster: Cluster
    settings: Settings
    leader: asyncio.Event
    clock: Callable[[], datetime]
