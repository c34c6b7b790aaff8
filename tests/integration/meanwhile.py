"""What goes on beside a test, as the provider's passes do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

PAUSE = 0.1  # seconds between two


@asynccontextmanager
async def repeated(step: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """It is taken over and over until the block ends."""

    async def forever() -> None:
        while True:
            await step()
            await asyncio.sleep(PAUSE)

    task = asyncio.create_task(forever())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
