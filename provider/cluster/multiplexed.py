"""Requests and watches to one API server over one HTTP/2 connection, opened when it is needed. Used by `cluster.connect`.

The same as `transport.Transport`, for where there are many API servers: tenants' sessions. A server that speaks HTTP/1 only, as
one does whose user switched the other off, is spoken to by a Transport.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ssl import SSLContext
from urllib.parse import urlencode, urlsplit

from provider.cluster import errors
from provider.cluster.multiplex import Connection, Stream, Unprocessed
from provider.cluster.transport import APPLY_PATCH, REFUSAL_LIMIT, Request, Timeouts, Wire, said_in_yaml, translated

PROTOCOLS = ["h2", "http/1.1"]
ATTEMPTS = 3  # at a request that the server says it has not begun with


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where, and who has to answer there."""

    server: str  # https://host:port
    tls_server_name: str | None
    context: Callable[[], SSLContext]  # made for each connection, and gone with it


class Multiplexed:
    """A connection to one API server. Raises ApiError and nothing else, but at first what `Address.context` does."""

    def __init__(self, address: Address, timeouts: Timeouts, plain: Callable[[], Wire]) -> None:
        self._address = address
        self._timeouts = timeouts
        self._make_plain = plain
        self._context: SSLContext | None = address.context()  # what cannot be used is told now; kept until one is open
        self._plain: Wire | None = None  # once the server has chosen HTTP/1
        self._connection: Connection | None = None
        self._opening: asyncio.Task[Connection | None] | None = None
        self._closed = False

    @property
    def server(self) -> str:
        """https://host:port"""
        return self._address.server

    async def send(self, request: Request) -> bytes:
        """The body of a successful answer."""
        with translated(self.server):
            async with asyncio.timeout(self._timeouts.request):
                connection = await self._connected()
                if connection is not None:
                    return await self._sent(connection, request)
        assert self._plain is not None
        return await self._plain.send(request)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
        """Lines of an answer that goes on for as long as the server likes; closed on leaving."""
        with translated(self.server):
            connection = await self._connected()
        if connection is None:
            assert self._plain is not None
            async with self._plain.stream(request) as lines:
                yield lines
            return
        with translated(self.server):
            async with asyncio.timeout(self._timeouts.silence):
                stream, connection = await self._asked(connection, request)
        try:
            if stream.status >= 400:
                raise errors.of(stream.status, await self._beginning(connection, stream), stream.retry_after)
            yield self._lines(connection, stream)
        finally:
            connection.forget(stream)

    async def close(self) -> None:
        """Close the connection; watches end."""
        self._closed = True
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._plain is not None:
            await self._plain.close()

    async def _sent(self, connection: Connection, request: Request) -> bytes:
        stream, connection = await self._asked(connection, request)
        try:
            body = await self._read(connection, stream)
            if stream.error is not None:
                raise stream.error
        finally:
            connection.forget(stream)
        if stream.status >= 400:
            raise errors.of(stream.status, body, stream.retry_after)
        return body

    async def _asked(self, connection: Connection, request: Request) -> tuple[Stream, Connection]:
        """The request is sent and its answer has begun."""
        for attempt in range(ATTEMPTS):
            stream = None
            try:
                await connection.free()
                stream = connection.ask(self._headers(request), ended=request.body is None)
                if request.body is not None:
                    await connection.give(stream, _body(request))
                while stream.status < 200:
                    await stream.moved()
                return stream, connection
            except BaseException as error:
                if stream is not None:
                    connection.forget(stream)
                if not isinstance(error, Unprocessed) or attempt == ATTEMPTS - 1:
                    raise
            connection = await self._connected() or connection
        raise AssertionError("the last attempt returns or raises")

    async def _connected(self) -> Connection | None:
        """The open connection; None when HTTP/1 is spoken."""
        if self._plain is not None:
            return None
        if self._connection is not None and not self._connection.closed:
            return self._connection
        if self._opening is None:
            self._opening = asyncio.create_task(self._opened())
            self._opening.add_done_callback(self._tried)
        return await asyncio.shield(self._opening)  # who asks meanwhile waits for the same attempt, and fails with it

    def _tried(self, attempt: asyncio.Task[Connection | None]) -> None:
        """The next request tries anew. What became of this one is told to who waits for it, if anybody still does."""
        self._opening = None
        if not attempt.cancelled():
            attempt.exception()

    async def _opened(self) -> Connection | None:
        parts = urlsplit(self.server)
        if self._context is None:
            self._context = self._address.context()
        self._context.set_alpn_protocols(PROTOCOLS)
        async with asyncio.timeout(self._timeouts.connect):
            transport, connection = await asyncio.get_running_loop().create_connection(
                Connection,
                parts.hostname or "",
                parts.port or 443,
                ssl=self._context,
                server_hostname=self._address.tls_server_name or parts.hostname,
            )
        self._context = None
        if self._closed:
            connection.close()
            raise ConnectionAbortedError("it was closed meanwhile")
        if transport.get_extra_info("ssl_object").selected_alpn_protocol() != PROTOCOLS[0]:
            connection.close()
            self._plain = self._make_plain()
            return None
        self._connection = connection
        return connection

    def _headers(self, request: Request) -> list[tuple[str, str]]:
        query = f"?{urlencode(request.query)}" if request.query else ""
        found = [
            (":method", request.method),
            (":scheme", "https"),
            (":authority", urlsplit(self.server).netloc),
            (":path", request.path + query),
            ("accept", request.accept),
            ("user-agent", "capi-kamaji"),
        ]
        return found if request.body is None else [*found, ("content-type", request.content_type)]

    async def _beginning(self, connection: Connection, stream: Stream) -> bytes:
        """What a watch was refused with."""
        with translated(self.server):
            async with asyncio.timeout(self._timeouts.request):
                return await self._read(connection, stream)

    async def _read(self, connection: Connection, stream: Stream) -> bytes:
        """The answer to its end; of a refusal as much as is read of one."""
        body = bytearray()
        while not stream.ended or stream.waiting:
            body += connection.taken(stream)
            if len(body) > REFUSAL_LIMIT and stream.status >= 400:
                break
            if not stream.ended:
                await stream.moved()
        return bytes(body)

    async def _lines(self, connection: Connection, stream: Stream) -> AsyncIterator[bytes]:
        rest = b""
        while True:
            *whole, rest = (rest + connection.taken(stream)).split(b"\n")
            for each in filter(None, whole):
                yield each
            if stream.waiting:
                continue
            if stream.ended and stream.error is None:
                return
            with translated(self.server):
                async with asyncio.timeout(self._timeouts.silence):
                    await stream.moved()


def _body(request: Request) -> bytes:
    return said_in_yaml(request.body) if request.content_type == APPLY_PATCH else json.dumps(request.body).encode()
