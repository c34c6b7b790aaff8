"""Clients of every kind that ask a tenant ten times a second and note what fails, while whatever is rotated is rotated.

Each goes by what stands where its like finds it (a Secret, a file of its machine, what a kubelet projects into a pod), looks
there again every other second, and asks over a connection of its own each time: so it follows as its like does, and a request
that fails is one that its like would have lost. Who copied a kubeconfig does not look again.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from provider.manifest import kubeconfig

PAUSE = 0.1  # seconds between two questions, whether the last was answered or not
PATIENCE = 30.0  # seconds for an answer
MOST = 20  # questions of one client that wait for an answer: beyond that it waits as well, and its like would
LOOK = 2.0  # seconds between two looks at what it goes by
TOLD = 5  # failures that an assertion tells of
UNCONNECTED = (
    "No agent available",
    "503: 'service unavailable",
    "message='Invalid response status'",
    "context deadline exceeded",
    "EOF",
    "it was cut off",
)
"""What goes through the tunnel meets while its end in a pod has no agent yet, or ends (decision 0044). Counted apart."""
MOST_UNCONNECTED = (
    0.2  # of what goes through the tunnel: beyond that it is not a pod's beginning or end that is to blame
)


@dataclass(frozen=True)
class Identity:
    """What a client shows and whom it trusts, as it stands now."""

    ca: bytes
    certificate: bytes = b""  # with its key behind it
    token: str = ""

    @classmethod
    def of(cls, content: bytes) -> Identity:
        """Of a kubeconfig."""
        found = kubeconfig.parse(content)
        return cls(ca=found.ca, certificate=found.client.certificate + found.client.key)

    def context(self) -> ssl.SSLContext:
        made = ssl.create_default_context(cadata=self.ca.decode())
        if self.certificate:
            with tempfile.TemporaryDirectory() as folder:
                pair = Path(folder) / "client.pem"
                pair.write_bytes(self.certificate)
                made.load_cert_chain(pair)
        return made


Look = Callable[[], Awaitable[Identity]]


@dataclass(frozen=True)
class Session:
    """How a question is asked now."""

    http: aiohttp.ClientSession
    server: str
    context: ssl.SSLContext
    headers: dict[str, str]

    async def get(self, path: str) -> str:
        """AssertionError with what it said, unless that is 200."""
        async with self.http.get(self.server + path, ssl=self.context, headers=self.headers) as answer:
            said = await answer.text()
            assert answer.status == 200, f"{answer.status}: {said[:200]!r}"
            return said

    async def post(self, path: str, body: object) -> str:
        """What it said, whatever it was."""
        async with self.http.post(self.server + path, json=body, ssl=self.context, headers=self.headers) as answer:
            return await answer.text()

    async def ran(self, path: str) -> str:
        """What a command in a pod wrote, over a WebSocket as kubectl opens one (KEP-4006). AssertionError: it failed."""
        written, told = "", ""
        protocols = ["v5.channel.k8s.io"]
        async with self.http.ws_connect(
            self.server + path, protocols=protocols, ssl=self.context, headers=self.headers
        ) as socket:
            async for each in socket:
                if each.type == aiohttp.WSMsgType.BINARY and each.data:
                    channel, text = each.data[0], each.data[1:].decode(errors="replace")
                    written, told = (written + text, told) if channel in (1, 2) else (written, told + text)
        assert told and json.loads(told)["status"] == "Success", f"{told or 'it was cut off'}: {written[:200]!r}"
        return written


Question = Callable[[Session], Awaitable[None]]


@dataclass
class Client:
    """One of them. `asked` and `failed` count since it began."""

    name: str
    server: str
    look: Look
    question: Question
    pause: float = PAUSE
    tunnelled: bool = False  # the API server asks something inside the tenant to answer
    asked: int = 0
    failed: list[str] = field(default_factory=list)
    unconnected: list[str] = field(default_factory=list)  # failures of the tunnel's, counted apart
    _identity: Identity | None = None
    _session: Session | None = None

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Client]:
        """Asks until the block ends; what was begun by then is waited for."""
        timeout = aiohttp.ClientTimeout(PATIENCE)
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
            await self._looked(http)
            over = asyncio.Event()
            tasks = [asyncio.create_task(self._look_on(http)), asyncio.create_task(self._ask_on(over))]
            try:
                yield self
            finally:
                over.set()
                await tasks[1]
                tasks[0].cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask_on(self, over: asyncio.Event) -> None:
        waiting = asyncio.Semaphore(MOST)

        async def ask() -> None:
            try:
                await self._ask()
            finally:
                waiting.release()

        async with asyncio.TaskGroup() as questions:
            while not over.is_set():
                await waiting.acquire()
                questions.create_task(ask())
                with suppress(TimeoutError):
                    await asyncio.wait_for(over.wait(), self.pause)

    async def _ask(self) -> None:
        assert self._session is not None
        self.asked += 1
        try:
            await self.question(self._session)
        except (aiohttp.ClientError, AssertionError, TimeoutError, OSError, ValueError) as error:
            words = str(getattr(error, "os_error", None) or error)  # without the address, which is the same for all
            apart = self.tunnelled and any(each in words for each in UNCONNECTED)
            said = f"{time.strftime('%H:%M:%S')} {self.name}: {type(error).__name__}: {words}"
            (self.unconnected if apart else self.failed).append(said)

    async def _look_on(self, http: aiohttp.ClientSession) -> None:
        while True:
            await asyncio.sleep(LOOK)
            with suppress(Exception):  # the management cluster is not what is tried: it goes on by what it has
                await self._looked(http)

    async def _looked(self, http: aiohttp.ClientSession) -> None:
        found = await self.look()
        if found != self._identity:
            headers = {"Authorization": f"Bearer {found.token}"} if found.token else {}
            self._identity = found
            self._session = Session(http, self.server, found.context(), headers)


def get(path: str) -> Question:
    """A question that is answered by anything."""

    async def ask(session: Session) -> None:
        await session.get(path)

    return ask


@dataclass(frozen=True)
class Row:
    """One line of the table: what was rotated, in how many seconds, how much was asked meanwhile, and what failed."""

    rotation: str
    seconds: float
    asked: int
    failed: tuple[str, ...]
    unconnected: int  # requests that failed in the tunnel, whose end in a pod had no agent yet or ended


@dataclass
class Proof:
    """All clients at work, and the rows."""

    clients: list[Client]
    rows: list[Row] = field(default_factory=list)

    @asynccontextmanager
    async def during(self, rotation: str) -> AsyncIterator[None]:
        """What happens in the block is one row."""
        before = [(each.asked, len(each.failed)) for each in self.clients]
        apart = sum(len(each.unconnected) for each in self.clients)
        began = time.monotonic()
        try:
            yield
        finally:
            asked = sum(each.asked - count for each, (count, _) in zip(self.clients, before, strict=True))
            failed = [
                word for each, (_, count) in zip(self.clients, before, strict=True) for word in each.failed[count:]
            ]
            apart = sum(len(each.unconnected) for each in self.clients) - apart
            self.rows.append(Row(rotation, time.monotonic() - began, asked, tuple(failed), apart))

    def faultless(self) -> None:
        """AssertionError names the rotation and the first that failed, or who was not asked."""
        for each in self.clients:
            assert each.asked > 0, f"{each.name} asked nothing"
            assert len(each.unconnected) <= each.asked * MOST_UNCONNECTED, (
                each.name,
                each.asked,
                each.unconnected[:TOLD],
            )
        for each in self.rows:
            sys.stderr.write("".join(f"{word}\n" for word in sorted(each.failed)))
        bad = [(each.rotation, len(each.failed), each.asked, each.failed[:TOLD]) for each in self.rows if each.failed]
        assert not bad, bad
        left = list(itertools.chain.from_iterable(each.failed for each in self.clients))
        assert not left, left[:TOLD]


@asynccontextmanager
async def at_work(clients: Iterable[Client]) -> AsyncIterator[Proof]:
    """All of them, from now on."""
    async with AsyncExitStack() as stack:
        yield Proof([await stack.enter_async_context(each.at_work()) for each in clients])
