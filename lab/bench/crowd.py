"""How much longer neighbours wait for what they read while 200 tenants are let into their etcd at once. Also by itself:
`python -m lab.bench.crowd`. The goal is not more than twice as long, for the slowest reads of a hundred.

Two hundred tenants live there already, and four of them read, in a process of their own: in ours they would wait for us. The
new ones come as passes let them in: at their turns, as many at a time as there are workers, each over a connection of its own,
proven with its certificate.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import grpc

from lab.bench import floor
from provider.hosting.datastores.etcd import dialing
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.reconcile.mint import RandomMint
from provider.hosting.reconcile.pacing import Turns
from provider.hosting.view import Keyspace
from provider.manifest import x509
from provider.manifest.x509 import Pair, Request
from provider.settings import Settings

RESIDENTS, NEIGHBOURS, COMING = 200, 4, 200
PAUSE = 0.01  # seconds between two reads of a neighbour
AGAIN = 0.025  # seconds after which etcd's client of Go asks again
QUIET = 20.0  # seconds of reading before they come
KEYS = 50
PORT, PEER_PORT = 23791, 23801
WHAT = f"p99 of neighbours' reads while {COMING} tenants are let in at once, to the p99 before"
LIMIT = 2.0


@dataclass(frozen=True)
class Figures:
    """Seconds: p99 before and while they come, and how long that took; how many reads each is made of."""

    before: float
    meanwhile: float
    took: float
    reads: tuple[int, int]

    @property
    def ratio(self) -> float:
        """How many times as long."""
        return self.meanwhile / self.before


@dataclass(frozen=True)
class Store:
    """A real etcd of one member with auth on; `folder` holds its authority's files."""

    folder: Path
    authority: Pair

    def opened(self, user: str) -> EtcdStore:
        """As this user."""
        client = x509.issue(Request(common_name=user, client=True), self.authority, RandomMint(), datetime.now(UTC))
        return EtcdStore([f"127.0.0.1:{PORT}"], self.authority.certificate, client)


async def measured() -> Figures:
    """One measurement."""
    with tempfile.TemporaryDirectory(prefix="capi-kamaji-crowd-") as name:
        async with _store(Path(name)) as store:
            async with store.opened("root") as root:
                await root.enable_auth()
                for number in range(RESIDENTS):
                    await root.ensure(_keyspace(number))
            async with _readers(store) as found:
                await asyncio.sleep(QUIET)
                start = time.monotonic()
                await _come(store)
                end = time.monotonic()
        return _figures(found, start, end)


def _figures(found: Sequence[tuple[float, float]], start: float, end: float) -> Figures:
    before = sorted(took for began, took in found if start - QUIET < began and began + took < start)
    meanwhile = sorted(took for began, took in found if start <= began < end)
    counts = (len(before), len(meanwhile))
    assert min(counts) > 200, f"{counts} reads: too few for a hundredth of them to say anything"
    at = [each[int(0.99 * len(each))] for each in (before, meanwhile)]
    return Figures(before=at[0], meanwhile=at[1], took=end - start, reads=counts)


async def _come(store: Store) -> None:
    """All of them at once, as the tenants' queue works them."""
    workers, turns = asyncio.Semaphore(Settings().workers), Turns(monotonic=time.monotonic)

    async def one(number: int) -> None:
        keyspace = _keyspace(number)
        await asyncio.sleep(turns.wait("crowd", keyspace.schema))
        async with workers:
            async with store.opened("root") as root:
                await root.check_free(keyspace)
                await root.ensure(keyspace)
            async with store.opened(keyspace.user) as own:
                await own.verify(keyspace)

    await asyncio.gather(*(one(RESIDENTS + number) for number in range(COMING)))


def _keyspace(number: int) -> Keyspace:
    name = f"tenant-{number:04}"
    return Keyspace(schema=name, user=name)


@asynccontextmanager
async def _store(folder: Path) -> AsyncIterator[Store]:
    mint, now = RandomMint(), datetime.now(UTC)
    authority = x509.authority("crowd", mint, now)
    request = Request(common_name="server", addresses=frozenset({"127.0.0.1"}), server=True, client=True)
    server = x509.issue(request, authority, mint, now)
    files = {"ca.crt": authority.certificate, "ca.key": authority.key}
    for file, data in (files | {"server.crt": server.certificate, "server.key": server.key}).items():
        (folder / file).write_bytes(data)
    client, peer = f"https://127.0.0.1:{PORT}", f"http://127.0.0.1:{PEER_PORT}"
    flags = [
        *(f"--data-dir={folder / 'etcd'}", "--log-level=error", "--client-cert-auth"),
        *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
        *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}"),
        *(f"--cert-file={folder / 'server.crt'}", f"--key-file={folder / 'server.key'}"),
        f"--trusted-ca-file={folder / 'ca.crt'}",
    ]
    async with floor.process("etcd", flags, folder):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", PORT)
                break
            except OSError:
                await asyncio.sleep(0.02)
        writer.close()
        yield Store(folder, authority)


@asynccontextmanager
async def _readers(store: Store) -> AsyncIterator[list[tuple[float, float]]]:
    """Neighbours that read while the block runs; when each read began and how long it took, once it is over."""
    found: list[tuple[float, float]] = []
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lab.bench.crowd", str(store.folder)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None, "it was asked for"
    await process.stdout.readline()  # they read from now on
    yield found
    said, _ = await process.communicate(b"\n")
    found += [(began, took) for began, took in json.loads(said)]


async def _read(folder: Path) -> None:
    """The neighbours' own process: until somebody says a line."""
    store = Store(folder, Pair(certificate=(folder / "ca.crt").read_bytes(), key=(folder / "ca.key").read_bytes()))
    found: list[tuple[float, float]] = []
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(store.opened(_keyspace(number).user)) for number in range(NEIGHBOURS)]
        for number, each in enumerate(wires):
            for key in range(KEYS):
                await each.wire.kv.put(_key(number, key), bytes(1000))
        tasks = [asyncio.create_task(_neighbour(each, number, found)) for number, each in enumerate(wires)]
        print(flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        for task in tasks:
            assert not task.done(), "a neighbour reads for as long as it is asked to"
            task.cancel()
    print(json.dumps(found))


async def _neighbour(store: EtcdStore, number: int, found: list[tuple[float, float]]) -> None:
    key = 0
    while True:
        began = time.monotonic()
        await _answered(partial(store.wire.kv.get, _key(number, key % KEYS)))
        found.append((began, time.monotonic() - began))
        key += 1
        await asyncio.sleep(PAUSE)


async def _answered(ask: Callable[[], Awaitable[object]]) -> None:
    """As the client of an API server has it: what met a change of users or roles is asked again a little later."""
    while True:
        try:
            await ask()
            return
        except grpc.aio.AioRpcError as error:
            if dialing.OLD_REVISION not in str(error.details()):
                raise
        await asyncio.sleep(AGAIN)


def _key(number: int, key: int) -> bytes:
    return f"/{_keyspace(number).schema}/registry/configmaps/{key}".encode()


if __name__ == "__main__":
    if sys.argv[1:]:
        asyncio.run(_read(Path(sys.argv[1])))
    else:
        print(asyncio.run(measured()))
