"""One HTTP/2 connection (RFC 9113), for many requests and watches at a time. Used by `cluster.multiplexed` alone.

A tenant in which nothing happens is watched by a dozen streams. Over HTTP/1 each of them is a TLS connection of its own, which
costs both sides a handshake and some hundred kilobytes; here all share one. The protocol is h2's; this gives its events to whom
they are for, and waits where the server says so.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import Frame, GoAwayFrame

STREAMS = 100  # at a time, until the server says how many it takes
HEADERS = 65_536  # bytes of one answer's headers
BUFFER = 262_144  # bytes of one answer that may wait for its reader
SHARED = 16 * BUFFER  # of all answers
DEFAULT_WINDOW = 65_535
HEAD = 9  # bytes of a frame before its content


class Unprocessed(ConnectionError):
    """The server says that it has not begun with the request: it may be sent again."""


@dataclass(slots=True, eq=False)
class Stream:
    """One request, and its answer as it comes in."""

    number: int
    status: int = 0
    retry_after: str = ""
    ended: bool = False
    error: OSError | None = None
    waiting: bytearray = field(default_factory=bytearray)
    waiter: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Something has come, or nothing will any more."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def moved(self) -> None:
        """Until something comes. OSError when nothing will."""
        if self.error is not None:
            raise self.error
        self.waiter = asyncio.get_running_loop().create_future()
        try:
            await self.waiter
        finally:
            self.waiter = None
        if self.error is not None:
            raise self.error


class Connection(asyncio.Protocol):
    """Open from `connection_made` until `closed`. One reader a stream."""

    def __init__(self) -> None:
        self.closed = False  # takes no request any more
        self._transport: asyncio.Transport | None = None
        self._input = bytearray()
        self._streams: dict[int, Stream] = {}
        self._received = 0  # bytes for which what all streams share is not given back yet
        self._most = STREAMS
        self._queue: deque[asyncio.Future[None]] = deque()  # who waits until one stream more may be open
        self._state = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._state.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: BUFFER,
                SettingCodes.MAX_HEADER_LIST_SIZE: HEADERS,
            },
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say who we are and what we take."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._state.initiate_connection()
        self._state.increment_flow_control_window(SHARED - DEFAULT_WINDOW)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Every answer that has not ended never will."""
        self._fail(exc if isinstance(exc, OSError) else ConnectionResetError("the server closed the connection"))

    def close(self) -> None:
        """Streams end."""
        self._fail(ConnectionAbortedError("the connection was closed"))
        if self._transport is not None:
            self._transport.abort()

    async def free(self) -> None:
        """Until the server takes one request more at a time."""
        while not self.closed and len(self._streams) >= self._most:
            turn = asyncio.get_running_loop().create_future()
            self._queue.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._next_turns(1 if turn.done() and not turn.cancelled() else 0)  # it was ours, and is the next one's
                raise

    def _next_turns(self, count: int) -> None:
        while self._queue and count > 0:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                count -= 1

    def ask(self, headers: list[tuple[str, str]], *, ended: bool) -> Stream:
        """Begin a request; unless it has `ended` its body is to be given. Unprocessed when we are too late."""
        if self.closed:
            raise Unprocessed("the connection has ended")
        number = self._state.get_next_available_stream_id()
        self._state.send_headers(number, headers, end_stream=ended)
        stream = self._streams[number] = Stream(number)
        self._flush()
        return stream

    async def give(self, stream: Stream, body: bytes) -> None:
        """Send the request's body, as fast as the server takes it; what it has answered already it need not get."""
        rest = memoryview(body)
        while rest and not stream.ended:
            room = self._state.local_flow_control_window(stream.number)
            size = min(len(rest), room, self._state.max_outbound_frame_size)
            if size <= 0:
                await stream.moved()
                continue
            self._state.send_data(stream.number, bytes(rest[:size]), end_stream=size == len(rest))
            self._flush()
            rest = rest[size:]

    def taken(self, stream: Stream) -> bytes:
        """What has come of an answer; the server may send as much again."""
        found = bytes(stream.waiting)
        stream.waiting = bytearray()
        if found and not stream.ended:
            self._state.increment_flow_control_window(len(found), stream.number)
            self._flush()
        return found

    def forget(self, stream: Stream) -> None:
        """Nobody reads the answer any more."""
        if self._streams.pop(stream.number, None) is not None and not stream.ended:
            self._state.reset_stream(stream.number, ErrorCodes.CANCEL)
            self._flush()
        self._next_turns(1)
        if self.closed and not self._streams and self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Give what has come to whom it is for."""
        self._input += data
        try:
            for frame in self._frames():
                for event in self._state.receive_data(frame):
                    self._take(event)
        except ProtocolError as error:
            self._fail(ConnectionError(f"this is no HTTP/2: {error}"))
            self.close()
            return
        self._flush()

    def _frames(self) -> Iterator[bytes]:
        """Those that are whole, but for a GOAWAY: h2 reads nothing after one, and the server goes on with what it has begun
        (RFC 9113 6.8).
        """
        at = 0
        while len(self._input) - at >= HEAD:
            frame, length = Frame.parse_frame_header(memoryview(bytes(self._input[at : at + HEAD])))
            if length > self._state.max_inbound_frame_size:
                raise ProtocolError("a frame is too large")
            end = at + HEAD + length
            if len(self._input) < end:
                break
            whole, at = bytes(self._input[at:end]), end
            if isinstance(frame, GoAwayFrame):
                frame.parse_body(memoryview(whole)[HEAD:])
                self._take_goaway(frame.last_stream_id)
            else:
                yield whole
        del self._input[:at]

    def _take(self, event: events.Event) -> None:
        match event:
            case events.DataReceived():
                self._take_data(event)
            case events.ResponseReceived():
                self._take_headers(event)
            case events.StreamEnded() | events.StreamReset():
                self._take_end(event)
            case events.RemoteSettingsChanged():
                if (most := event.changed_settings.get(SettingCodes.MAX_CONCURRENT_STREAMS)) is not None:
                    self._most = most.new_value
                self._next_turns(len(self._queue))
                self._wake()
            case events.WindowUpdated():
                self._wake(event.stream_id)

    def _take_end(self, event: events.StreamEnded | events.StreamReset) -> None:
        if (stream := self._streams.get(event.stream_id or 0)) is None:
            return
        if isinstance(event, events.StreamReset):
            refused = event.error_code == ErrorCodes.REFUSED_STREAM
            self._end(stream, (Unprocessed if refused else ConnectionResetError)("the server ended the answer"))
            return
        stream.ended = True
        stream.wake()

    def _take_data(self, event: events.DataReceived) -> None:
        """What all streams share is given back at once: each of them is bounded by itself."""
        self._received += event.flow_controlled_length or 0
        if self._received >= BUFFER:
            self._state.increment_flow_control_window(self._received)
            self._received = 0
        if (stream := self._streams.get(event.stream_id or 0)) is not None:
            stream.waiting += event.data or b""
            stream.wake()

    def _take_headers(self, event: events.ResponseReceived) -> None:
        if (stream := self._streams.get(event.stream_id or 0)) is None:
            return
        said = {str(name): str(value) for name, value in event.headers or ()}
        stream.status, stream.retry_after = int(said[":status"]), said.get("retry-after", "")
        stream.wake()

    def _take_goaway(self, last: int) -> None:
        """No request after the last of those that the server has begun with; those go on."""
        self.closed = True
        self._next_turns(len(self._queue))
        for each in [each for each in self._streams.values() if each.number > last]:
            self._end(each, Unprocessed("the server takes no more requests over this connection"))

    def _wake(self, number: int | None = 0) -> None:
        """Who waits for room: on one stream, or on all."""
        for each in self._streams.values() if not number else filter(None, [self._streams.get(number)]):
            each.wake()

    def _end(self, stream: Stream, error: OSError) -> None:
        if not stream.ended:
            stream.ended, stream.error = True, error
        stream.wake()

    def _fail(self, error: OSError) -> None:
        self.closed = True
        self._next_turns(len(self._queue))
        for each in list(self._streams.values()):
            self._end(each, error)

    def _flush(self) -> None:
        said = self._state.data_to_send()
        if said and self._transport is not None and not self._transport.is_closing():
            self._transport.write(said)
