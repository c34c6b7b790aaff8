"""A balancer outside all clusters, as a user has one before two of them: to the first backend that says it is ready.

`python -m tests.e2e.outer_balancer LISTEN BACKEND…`, each an address and a port; a fixture runs it on a lab's bridge.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

import aiohttp

from tests.piping import carried

PATIENCE = aiohttp.ClientTimeout(2.0)  # for a backend to answer
PAUSE = 0.3  # seconds between two questions
FALL = 3  # times that one does not answer in time, until it counts as away: it may be slow for once


async def asked(session: aiohttp.ClientSession, backend: str, ready: dict[str, bool]) -> None:
    """Whether it is ready, over and over."""
    slow = 0
    while True:
        try:
            async with session.get(f"https://{backend}/readyz", ssl=False) as answer:
                ready[backend], slow = answer.status == 200, 0
        except TimeoutError:
            slow += 1
            ready[backend] = ready[backend] and slow < FALL
        except (aiohttp.ClientError, OSError):
            ready[backend], slow = False, 0
        await asyncio.sleep(PAUSE)


async def main(listen: str, *backends: str) -> None:
    ready = dict.fromkeys(backends, False)

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for backend in [each for each in backends if ready[each]]:
            host, _, port = backend.rpartition(":")
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(PATIENCE.total):
                    theirs, to_them = await asyncio.open_connection(host, int(port))
                await asyncio.gather(carried(reader, to_them), carried(theirs, writer))
                return
            ready[backend] = False
        writer.close()

    host, _, port = listen.rpartition(":")
    server = await asyncio.start_server(accepted, host, int(port))
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(timeout=PATIENCE, connector=connector) as session, asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve_forever())
        for backend in backends:
            tasks.create_task(asked(session, backend, ready))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
