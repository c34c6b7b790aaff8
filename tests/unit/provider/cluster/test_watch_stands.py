"""A watch tells whether it gets through: at once when it does, and of a failure only when that lasts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from provider.api import kinds
from provider.cluster import watch
from provider.cluster.errors import Unreachable
from provider.cluster.watch import Watch


class Line:
    """An API server that is away so many times, and then says nothing for ever."""

    server = "https://192.0.2.1:6443"

    def __init__(self, away: int) -> None:
        self.away = away

    @asynccontextmanager
    async def stream(self, request: Any) -> AsyncIterator[AsyncIterator[bytes]]:
        if self.away:
            self.away -= 1
            raise Unreachable("nobody is there")

        async def lines() -> AsyncIterator[bytes]:
            await asyncio.Event().wait()
            yield b""

        yield lines()


@pytest.mark.parametrize(("away", "told"), [(0, [True]), (2, [True]), (6, [False, True])])
async def test_an_outage_is_told_when_it_lasts_and_that_it_is_over(
    away: int, told: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = asyncio.sleep
    monkeypatch.setattr(watch.asyncio, "sleep", lambda seconds: real(0))
    said: list[bool] = []
    line: Any = Line(away)
    followed = Watch(line, line, kinds.SECRET, "/x", {}, metadata_only=True, stands=said.append).since("1")
    task = asyncio.create_task(anext(followed))
    async with asyncio.timeout(5):
        while not said or not said[-1]:
            await real(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert list(dict.fromkeys(said)) == told
