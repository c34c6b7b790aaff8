"""What is shown is watched while somebody looks, and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from provider.api import kinds
from provider.cluster.watch import Change
from provider.manifest import Manifest, meta
from provider.statuspage import watching
from provider.statuspage.watching import Watched


class Server:
    """Changes come as they are put."""

    def __init__(self) -> None:
        self.changes: asyncio.Queue[Change] = asyncio.Queue()
        self.watches = 0

    async def watch(self, kind: kinds.Kind, namespace: str | None) -> AsyncIterator[Change]:
        self.watches += 1
        while True:
            yield await self.changes.get()

    def put(self, *changes: Change) -> None:
        for each in changes:
            self.changes.put_nowait(each)


def pool(name: str, size: int = 1) -> Manifest:
    return meta.new(kinds.DATA_STORE_POOL, name, spec={"size": size})


@pytest.fixture
async def server() -> Server:
    return Server()


@pytest.fixture
async def watched(server: Server) -> AsyncIterator[Watched]:
    found = Watched(server, kinds.DATA_STORE_POOL, None, watching.pool)  # type: ignore[arg-type]
    yield found
    await found.stop()


async def test_the_first_look_waits_for_the_list_and_later_ones_see_what_changed(
    server: Server, watched: Watched
) -> None:
    first = asyncio.create_task(watched.now())
    server.put(Change("ADDED", pool("b")))
    await asyncio.sleep(0.01)
    assert not first.done()
    server.put(Change("ADDED", pool("a")), Change("SYNCED"))
    assert await first == [pool("a"), pool("b")]
    server.put(Change("MODIFIED", pool("a", 2)), Change("DELETED", pool("b")))
    await asyncio.sleep(0.01)
    assert await watched.now() == [pool("a", 2)]
    assert server.watches == 1


async def test_when_nobody_looks_any_more_nothing_is_held_and_the_next_look_begins_anew(
    server: Server, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "IDLE", 0.05)
    server.put(Change("ADDED", pool("a")), Change("SYNCED"))
    await watched.now()
    await asyncio.sleep(0.2)
    assert not watched._objects
    server.put(Change("ADDED", pool("b")), Change("SYNCED"))
    assert await watched.now() == [pool("b")]
    assert server.watches == 2


async def test_without_a_list_nobody_is_told_that_there_is_nothing(
    server: Server, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PATIENCE", 0.05)
    with pytest.raises(TimeoutError):
        await watched.now()
