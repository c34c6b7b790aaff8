"""Carries bytes from one connection to another, for what tests put between a client and a server."""

from __future__ import annotations

import asyncio
import contextlib


async def carried(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until either side ends; then the other one is told."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
