"""Reaches a store within a limit of time and says in stable words what came of it. Called by the DataStore and pool passes.

What gRPC and TLS say of a failure differs from try to try, so a trial has our words, by kind of failure.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from provider.hosting.datastores.errors import (
    Alarmed,
    AuthOff,
    IsolationUnsafe,
    StoreDenied,
    StoreError,
    StoreUnreachable,
    StoreUntrusted,
)
from provider.hosting.datastores.shape import Driver
from provider.hosting.storeview import Trial

log = logging.getLogger(__name__)

Store = TypeVar("Store", bound=Driver)

PATIENCE = 10.0  # seconds for one try: a dead store must not hold up the others

AUTH_OFF = "AuthDisabled"
REASONS: tuple[tuple[type[StoreError], str], ...] = (
    (StoreUnreachable, "Unreachable"),
    (StoreUntrusted, "Untrusted"),
    (StoreDenied, "Denied"),
    (AuthOff, AUTH_OFF),
    (Alarmed, "Alarm"),
    (IsolationUnsafe, "IsolationUnsafe"),
    (StoreError, "StoreFails"),
)


async def probed(store: Driver) -> Trial:
    """Whether tenants may be let in."""
    look = await store.tried()
    return Trial(ready=True, reason="Ready", message="it answers as it should", look=look)


async def of(store: Store, ask: Callable[[Store], Awaitable[Trial]]) -> Trial:
    """Enter the store, ask, leave. Never raises for what is wrong with the store."""
    try:
        async with asyncio.timeout(PATIENCE), store:
            return await ask(store)
    except TimeoutError:
        return Trial(ready=False, reason="Unreachable", message=f"it did not answer within {PATIENCE:.0f} seconds")
    except StoreError as error:
        reason = next(reason for kind, reason in REASONS if isinstance(error, kind))
        return Trial(ready=False, reason=reason, message=str(error))
