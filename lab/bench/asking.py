"""A client that asks an API server at a steady pace, each time over a connection of its own, and notes every error.

For the rollouts of `make bench`, and for the end-to-end tests in which nobody may notice what is done to a tenant.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from provider.manifest import kubeconfig

PAUSE = 0.1  # seconds between two questions, unless said otherwise
PATIENCE = 10.0  # seconds for an answer
PATHS = ("/version", "/api/v1/namespaces/default")


@dataclass
class Answers:
    """What the client saw: how often each version answered, and what went wrong."""

    versions: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    good: int = 0
    heard: float = field(default_factory=time.monotonic)  # the last good answer
    silence: float = 0.0  # the longest time without one

    def faultless(self) -> None:
        """AssertionError with the first errors, or when nothing was asked at all."""
        assert not self.errors, f"{len(self.errors)} of {self.good + len(self.errors)} failed: {self.errors[:5]}"
        assert self.good > 0


@asynccontextmanager
async def asking(content: bytes, *, every: float = PAUSE) -> AsyncIterator[Answers]:
    """Ask from now on, each so many seconds, as the user of this kubeconfig, until the block ends."""
    found, answers = kubeconfig.parse(content), Answers()
    connector = aiohttp.TCPConnector(force_close=True, ssl=_trusting(found))
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(PATIENCE)) as session:
        task = asyncio.create_task(_ask_on(session, found.server, answers, every))
        try:
            yield answers
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _ask_on(session: aiohttp.ClientSession, server: str, answers: Answers, every: float) -> None:
    """At a steady pace, also while an answer is waited for."""
    async with asyncio.TaskGroup() as questions:
        number = 0
        while True:
            questions.create_task(_ask(session, server + PATHS[number % len(PATHS)], answers))
            number += 1
            await asyncio.sleep(every)


async def _ask(session: aiohttp.ClientSession, url: str, answers: Answers) -> None:
    began = time.monotonic()
    try:
        async with session.get(url) as answer:
            said = await answer.read()
            assert answer.status == 200, f"{answer.status}: {said[:200]!r}"
    except (aiohttp.ClientError, AssertionError, TimeoutError, OSError) as error:
        words = getattr(error, "os_error", None) or error  # without the address, which is the same for all
        answers.errors.append(f"{time.strftime('%X')} after {time.monotonic() - began:.2f} s, {url}: {words!r}")
        return
    answers.good += 1
    now = time.monotonic()
    answers.silence, answers.heard = max(answers.silence, now - answers.heard), now
    if url.endswith("/version"):
        answers.versions[json.loads(said)["gitVersion"]] += 1


def _trusting(found: kubeconfig.Kubeconfig) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=found.ca.decode())
    with tempfile.TemporaryDirectory() as folder:
        pair = Path(folder) / "client.pem"
        pair.write_bytes(found.client.certificate + found.client.key)
        context.load_cert_chain(pair)
    return context
