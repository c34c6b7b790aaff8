"""The Service of a pool's store on loopback: it leads each new connection to one of the ready members, as kube-proxy would."""

from __future__ import annotations

import asyncio
import contextlib
import random

from tests.integration.pool_member import Member
from tests.integration.pool_pods import Pods
from tests.piping import carried


class StoreService:
    """One address. A connection lives as long as the member that it was led to."""

    def __init__(self, pods: Pods) -> None:
        self._pods = pods
        self._server: asyncio.Server | None = None

    @property
    def cluster_address(self) -> str:
        """host:port as tenants know it."""
        return f"{self._pods.store}-etcd.{self._pods.namespace}.svc:2379"

    @property
    def address(self) -> str:
        """host:port of loopback."""
        assert self._server is not None, "entered with `async with`"
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> StoreService:
        self._server = await asyncio.start_server(self._led, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._server is not None:
            self._server.close()

    async def _led(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            if members := await self._ready():
                port = random.choice(members).ports[0]
                there, back = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(carried(reader, back), carried(there, writer))
        writer.close()

    async def _ready(self) -> list[Member]:
        running = [each for each in self._pods.members.values() if each.runs and not each.leaves]
        answers = await asyncio.gather(*(asyncio.to_thread(each.answers, "readyz") for each in running))
        return [each for each, ready in zip(running, answers, strict=True) if ready]
