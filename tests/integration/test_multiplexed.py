"""Many requests and watches over one connection, against real API servers: how tenants are spoken to."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from lab.servers import ApiServer, Authority, Etcd
from provider.api import kinds
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.cluster.errors import Expired, NotFound, Refused, Unauthorized, Unreachable
from provider.manifest import meta
from provider.manifest.kubeconfig import Kubeconfig

COUNTER = itertools.count(1)
ESTABLISHED = "01"
Started = Callable[..., ApiServer]


@pytest.fixture
def started(tmp_path: Path, plain_etcd: Etcd) -> Iterator[Started]:
    """API servers of a test's own, with flags of its own."""
    servers: list[ApiServer] = []

    def start(*flags: str) -> ApiServer:
        folder, prefix = tmp_path / str(len(servers)), f"/multiplexed-{next(COUNTER)}"
        servers.append(ApiServer(folder, plain_etcd, prefix=prefix, extra=flags))
        return servers[-1].start()

    yield start
    for each in servers:
        each.stop()


@pytest.fixture
async def session(api_server: ApiServer) -> AsyncIterator[Cluster]:
    opened = await connect.from_kubeconfig(api_server.kubeconfig())
    yield opened
    await opened.close()


def connections(port: int) -> int:
    """How many of this process lead there."""
    ours = {each.readlink().name for each in Path("/proc/self/fd").iterdir() if each.is_symlink()}
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    there = [row for row in rows if row[2].endswith(f":{port:04X}") and row[3] == ESTABLISHED]
    return sum(f"socket:[{row[9]}]" in ours for row in there)


def config_map(name: str, **data: str) -> dict[str, object]:
    return meta.new(kinds.CONFIG_MAP, name, "default", data=data)


async def next_of(changes: AsyncIterator[None]) -> None:
    async with asyncio.timeout(180):  # in which a server starts
        await anext(changes)


async def test_a_dozen_watches_and_forty_requests_are_one_connection(session: Cluster, api_server: ApiServer) -> None:
    before = connections(api_server.port)
    _, version = await session.look(kinds.CONFIG_MAP)
    watches = [session.follow(kinds.CONFIG_MAP, version, "default") for _ in range(12)]
    waiting = [asyncio.create_task(next_of(each)) for each in watches]
    await asyncio.gather(*(session.list(kinds.NAMESPACE) for _ in range(40)))
    assert connections(api_server.port) == before + 1
    await session.apply(config_map("one-connection"), manager="tests")
    await asyncio.gather(*waiting)
    for each in watches:
        await each.aclose()
    assert connections(api_server.port) == before + 1


async def test_more_requests_than_the_server_takes_at_a_time_wait_for_each_other(session: Cluster) -> None:
    _, version = await session.look(kinds.CONFIG_MAP)
    changes = session.follow(kinds.CONFIG_MAP, version, "default")
    waiting = asyncio.create_task(next_of(changes))
    made = await asyncio.gather(*(session.apply(config_map(f"many-{each}"), manager="tests") for each in range(300)))
    assert len({each["metadata"]["uid"] for each in made}) == 300
    await waiting
    await changes.aclose()
    await asyncio.gather(*(session.delete(kinds.CONFIG_MAP, f"many-{each}", "default") for each in range(300)))


async def test_what_is_larger_than_any_window_goes_there_and_back_whole(session: Cluster) -> None:
    content = "".join(str(number) for number in range(150_000))
    await asyncio.gather(
        *(session.apply(config_map(f"large-{number}", text=content), manager="tests") for number in range(4))
    )
    found = await session.list(kinds.CONFIG_MAP, "default")
    assert [each["data"]["text"] == content for each in found if each["metadata"]["name"].startswith("large-")] == [
        True
    ] * 4
    for number in range(4):
        await session.delete(kinds.CONFIG_MAP, f"large-{number}", "default")


async def test_refusals_are_told_as_over_http_1(session: Cluster, api_server: ApiServer) -> None:
    assert await session.get(kinds.CONFIG_MAP, "nothing", "default") is None
    with pytest.raises(NotFound):
        await session.list(kinds.Kind("nobody.example/v1", "Nobody", "nobodies"), labels={"a": "b"})
    with pytest.raises(Refused):
        await session.create(meta.new(kinds.CONFIG_MAP, "Not A Name", "default"))
    stranger = await connect.from_kubeconfig(api_server.kubeconfig(authority=Authority()))
    with pytest.raises(Unauthorized):
        await stranger.list(kinds.NAMESPACE)
    await stranger.close()


async def test_a_server_that_is_somebody_else_is_not_spoken_to(api_server: ApiServer) -> None:
    said = api_server.kubeconfig()
    other = await connect.from_kubeconfig(said, tls_server_name="somebody.else")
    with pytest.raises(Unreachable, match="is not who it should be"):
        await other.list(kinds.NAMESPACE)
    await other.close()
    nobody = await connect.from_kubeconfig(said, server="https://127.0.0.1:1")
    with pytest.raises(Unreachable, match="cannot be reached"):
        await nobody.list(kinds.NAMESPACE)


async def test_who_asks_a_server_that_does_not_answer_fails_at_once_with_all_others() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as silent:
        said = Kubeconfig(
            cluster="silent",
            server=f"https://127.0.0.1:{silent.getsockname()[1]}",
            ca=(authority := Authority()).certificate,
            user="admin",
            client=authority.client("admin"),
        )
        session = await connect.from_kubeconfig(said.render())
        began = time.monotonic()
        asked = await asyncio.gather(*(session.list(kinds.NAMESPACE) for _ in range(12)), return_exceptions=True)
        assert [type(each) for each in asked] == [Unreachable] * 12
        assert time.monotonic() - began < 6 * connect.BOUNDED.connect, "and not one after the other"
        await session.close()


async def test_a_server_that_sends_its_clients_away_loses_no_request_and_no_watch(started: Started) -> None:
    server = started("--goaway-chance=0.02")
    session = await connect.from_kubeconfig(server.kubeconfig())
    _, version = await session.look(kinds.CONFIG_MAP)
    changes = session.follow(kinds.CONFIG_MAP, version, "default")
    for number in range(150):
        await session.list(kinds.NAMESPACE)
        if number % 50 == 0:
            await session.apply(config_map(f"sent-away-{number}"), manager="tests")
            await next_of(changes)
    await changes.aclose()
    await session.close()


async def told_or_forgotten(changes: AsyncIterator[None]) -> None:
    """A server that has just started may not know what was before."""
    with contextlib.suppress(Expired):
        await next_of(changes)


async def test_a_watch_outlives_its_connection_and_asks_again_when_the_server_is_back(started: Started) -> None:
    server = started()
    session = await connect.from_kubeconfig(server.kubeconfig())
    _, version = await session.look(kinds.CONFIG_MAP)
    changes = session.follow(kinds.CONFIG_MAP, version, "default")
    waiting = asyncio.create_task(told_or_forgotten(changes))
    await asyncio.sleep(0.5)
    server.stop()
    with pytest.raises(Unreachable):
        await session.list(kinds.NAMESPACE)
    assert not waiting.done()
    await asyncio.to_thread(server.start)
    await session.apply(config_map("back"), manager="tests")
    await waiting
    await changes.aclose()
    await session.close()


async def test_a_server_that_speaks_http_1_only_is_spoken_to_so(started: Started) -> None:
    server = started("--disable-http2-serving")
    session = await connect.from_kubeconfig(server.kubeconfig())
    _, version = await session.look(kinds.CONFIG_MAP)
    changes = session.follow(kinds.CONFIG_MAP, version, "default")
    waiting = asyncio.create_task(next_of(changes))
    await session.apply(config_map("plain"), manager="tests")
    await waiting
    await changes.aclose()
    await session.close()
