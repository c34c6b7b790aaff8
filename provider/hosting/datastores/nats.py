"""The NATS driver: a tenant is a bucket of JetStream, and the only one that the DataStore's user reaches.

NATS has no way to make a user over the wire: tenants log in as the DataStore's. So one DataStore is one tenant's, as upstream
has it, and several tenants on one server are several accounts with a DataStore each. kine makes the bucket itself.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from nats.aio.client import Client
from nats.errors import Error, NoServersError
from nats.js import JetStreamContext
from nats.js.api import DeliverPolicy, KeyValueConfig, StorageType, StreamState
from nats.js.errors import APIError, NotFoundError

from provider.cluster import tls
from provider.hosting.datastores.errors import (
    ErasureIncomplete,
    NameRefused,
    StoreDenied,
    StoreError,
    StoreUnreachable,
    StoreUntrusted,
    Taken,
)
from provider.hosting.datastores.shape import Answer, Erasure, Usage, judge, named_by_us
from provider.hosting.storematerial import Access
from provider.hosting.storeview import Look
from provider.hosting.view import Keyspace

LIMIT = 5  # seconds for a connection, and for one answer
NAME = re.compile(r"[A-Za-z0-9_-]{1,200}")
PROBE = "x-kamaji-probe"
KINES = "Holds kine key/values"  # the description of its buckets
BUCKET = "KV_"  # a bucket is a stream that is called so
OPERATION, SIZE = "KV-Operation", "Nats-Msg-Size"  # headers of a message of a bucket
DELETIONS = ("DEL", "PURGE")


class Guarded(Client):
    """The client, but for this: asked for TLS it says no password without. By itself it does as the server announces.

    Who stands between the two can take the announcement away.
    """

    def _connect_command(self) -> bytes:
        writer = getattr(self._transport, "_io_writer", None)
        if "tls" in self.options and (writer is None or writer.get_extra_info("ssl_object") is None):
            raise ssl.SSLError("the server offers no TLS")
        return super()._connect_command()


class NatsStore:
    """One account of a server. Each call makes its own connection."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._tls: ssl.SSLContext | None = None
        self._version = ""  # the server says it to everybody who connects

    async def __aenter__(self) -> Self:
        self._tls = _context(self._access) if self._access.ca else None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tls = None

    async def tried(self) -> Look:
        """JetStream is on for the account, and a bucket can be made, written and read."""
        async with self._connected() as stream:
            account = await stream.account_info()
            probe = await stream.create_key_value(KeyValueConfig(bucket=PROBE, storage=StorageType.MEMORY))
            try:
                await probe.put("probe", b"x")
                await probe.get("probe")
            finally:
                await stream.delete_key_value(PROBE)
        return Look(version=self._version, size=account.storage, quota=max(0, account.limits.max_storage))

    async def check_free(self, keyspace: Keyspace) -> None:
        """Nothing may be there: NATS does not say whose a bucket is."""
        _refuse_names(keyspace)
        async with self._connected() as stream:
            if await _state(stream, keyspace) is not None:
                raise Taken(f"bucket {keyspace.schema!r} of the store is somebody else's")

    async def ensure(self, keyspace: Keyspace, password: str = "") -> bool:
        """Nothing has to be made: the user is the DataStore's, and kine makes the bucket as it wants it."""
        _refuse_names(keyspace)
        async with self._connected() as stream:
            await stream.account_info()
        return False

    async def asked(self, keyspace: Keyspace) -> tuple[Answer, ...]:
        """Whether its account holds anything but its bucket, and lets in somebody who does not know the password."""
        async with self._connected() as stream:
            others = sorted(name for name in await _streams(stream) if name not in _own(keyspace))
        more = f"user {self._access.user} of the store reaches {', '.join(others[:3])} as well: give it its own account"
        return (
            Answer(question="other buckets", reached=more if others else ""),
            Answer(question="without password", reached=await self._let_in()),
        )

    async def verify(self, keyspace: Keyspace) -> None:
        """IsolationBroken says what it reaches."""
        judge(await self.asked(keyspace))

    async def _let_in(self) -> str:
        try:
            async with self._connected(f"not-{self._access.password}"):
                return "the store lets everybody in, whatever password he says"
        except StoreDenied:
            return ""

    async def measure(self, keyspace: Keyspace) -> Usage:
        """Messages of the bucket, old revisions among them, and bytes of the newest of each key: the others go late."""
        async with self._connected() as stream:
            state = await _state(stream, keyspace)
            if state is None:
                return Usage(bytes=0, keys=0)
            size = await _standing(stream, keyspace) if state.messages else 0
        return Usage(bytes=size, keys=state.messages, writes=state.last_seq)

    async def drop(self, keyspace: Keyspace) -> Erasure:
        """The bucket goes; then look that it is gone. A kine that still runs would make it anew: its pods have to be gone."""
        _refuse_names(keyspace)
        async with self._connected() as stream:
            state = await _state(stream, keyspace)
            if state is not None:
                await stream.delete_stream(BUCKET + keyspace.schema)
            if await _state(stream, keyspace) is not None:
                raise ErasureIncomplete(f"bucket {keyspace.schema} is still there")
        return Erasure(keys=state.messages if state else 0)

    async def residents(self) -> tuple[Keyspace, ...]:
        """All buckets of the account, which has one user."""
        async with self._connected() as stream:
            found = [each.removeprefix(BUCKET) for each in await _streams(stream) if each.startswith(BUCKET)]
        return tuple(Keyspace(schema=each, user=self._access.user) for each in sorted(found) if each != PROBE)

    async def is_tenants(self, keyspace: Keyspace) -> bool:
        """A bucket that kine describes as its own, or that is called like a UID."""
        async with self._connected() as stream:
            try:
                said = (await stream.stream_info(BUCKET + keyspace.schema)).config.description
            except NotFoundError:
                return False
        return named_by_us(keyspace.schema) or said == KINES

    @asynccontextmanager
    async def _connected(self, password: str = "") -> AsyncIterator[JetStreamContext]:
        """A connection of its own; whatever the client raises inside becomes a StoreError."""
        access = self._access
        try:
            async with asyncio.timeout(2 * LIMIT):
                client = Guarded()
                await client.connect(
                    f"nats://{access.endpoints[0]}",
                    user=access.user,
                    password=password or access.password,
                    tls=self._tls,
                    name="kamaji",
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=LIMIT,
                    error_cb=_silence,
                )
        except (Error, OSError, TimeoutError, ValueError) as error:
            raise _why(access, error) from None
        try:
            said = client.connected_server_version
            self._version = f"{said.major}.{said.minor}.{said.patch}"
            yield client.jetstream(timeout=LIMIT)
        except APIError as error:
            raise StoreError(f"JetStream refused: error {error.err_code or error.code}: {error.description}") from error
        except (Error, OSError, TimeoutError) as error:
            raise StoreError(
                f"{access.endpoints[0]} takes connections and gives no answer about JetStream: is it on for user {access.user}?"
            ) from error
        finally:
            await client.close()


def _refuse_names(keyspace: Keyspace) -> None:
    if not NAME.fullmatch(keyspace.schema):
        raise NameRefused(f"schema {keyspace.schema!r} cannot name a bucket of NATS: letters, digits, _ and - only")
    if keyspace.schema == PROBE:
        raise Taken(f"bucket {PROBE} is the provider's own")


def _own(keyspace: Keyspace) -> tuple[str, str]:
    """Streams that may be there: the tenant's, and for a moment ours."""
    return (BUCKET + keyspace.schema, BUCKET + PROBE)


async def _streams(stream: JetStreamContext) -> list[str]:
    return [str(each.config.name) for each in await stream.streams_info()]


async def _state(stream: JetStreamContext, keyspace: Keyspace) -> StreamState | None:
    try:
        return (await stream.stream_info(BUCKET + keyspace.schema)).state
    except NotFoundError:
        return None


async def _standing(stream: JetStreamContext, keyspace: Keyspace) -> int:
    """Bytes of what stands: of each key the newest message, of which the server sends the header alone."""
    subject, size = f"$KV.{keyspace.schema}.>", 0
    newest = await stream.subscribe(
        subject,
        stream=BUCKET + keyspace.schema,
        deliver_policy=DeliverPolicy.LAST_PER_SUBJECT,
        headers_only=True,
        ordered_consumer=True,
    )
    try:
        info = await newest.consumer_info()
        left = (info.num_pending or 0) + (
            info.delivered.consumer_seq if info.delivered else 0
        )  # some may be here already
        while left:
            message = await newest.next_msg(timeout=LIMIT)
            said = message.headers or {}
            if said.get(OPERATION) not in DELETIONS:
                size += len(message.subject) - len(subject) + 1 + int(said.get(SIZE, 0))
            left = message.metadata.num_pending
        return size
    finally:
        await newest.unsubscribe()


async def _silence(error: Exception) -> None:
    """What goes wrong is raised where it was asked for; the client would print it as well."""


def _context(access: Access) -> ssl.SSLContext:
    """The server has to be who it says, as kine has it."""
    try:
        return tls.trusting(access.ca, access.client)
    except (ssl.SSLError, ValueError):
        raise StoreUntrusted("the DataStore's certificates or keys are no PEM that belong together") from None


def _why(access: Access, error: BaseException) -> StoreError:
    """Why nobody was let in, in words that stay the same."""
    where = access.endpoints[0]
    said = f"{error} {error.__cause__ or ''} {error.__context__ or ''}".lower()
    if "authorization" in said or "authentication" in said:
        return StoreDenied(f"{where} does not let user {access.user} in: is the password right?")
    if any(isinstance(each, ssl.SSLError) for each in (error, error.__cause__, error.__context__)) or "tls" in said:
        return StoreUntrusted(
            f"{where} speaks TLS and tlsConfig does not or the other way round, shows a certificate that"
            " tlsConfig.certificateAuthority did not sign or for another name, or does not take the client certificate"
        )
    if isinstance(error, NoServersError | OSError | TimeoutError):
        return StoreUnreachable(f"nobody answers at {where}: is NATS up, and is the address right?")
    return StoreError(f"{where} ended the connection")
