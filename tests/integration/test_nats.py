"""The driver for NATS against the real server: one account a tenant, and what is left of its bucket."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from nats.errors import Error
from nats.js.api import ConsumerConfig, KeyValueConfig, StreamConfig
from nats.js.errors import APIError, NotFoundError

from lab.servers import Authority
from provider.hosting.datastores.errors import (
    IsolationBroken,
    NameRefused,
    StoreError,
    Taken,
)
from provider.hosting.datastores.nats import Guarded
from provider.hosting.datastores.shape import Driver, Usage
from provider.hosting.reconcile import drivers
from provider.hosting.view import Keyspace
from tests.integration.databases import ROOT, Nats

MINE = Keyspace(schema="mine", user=ROOT)
SERVERS = {
    "plain": Nats,
    "with TLS": lambda: Nats(authority=Authority()),
    "with certificates": lambda: Nats(authority=Authority(), certified=True),
}


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Nats]:
    with SERVERS[request.param]().running() as found:
        yield found


def root(server: Nats, **changes: Any) -> Driver:
    return drivers.opened(server.access(**changes))


async def bucket(server: Nats, name: str, *keys: str) -> None:
    """Behind the driver's back."""
    client, access, tls = Guarded(), server.access(), None
    if server.authority:
        async with root(server) as store:
            tls = store._tls  # type: ignore[attr-defined]
    await client.connect(f"nats://{server.endpoint}", user=access.user, password=access.password, tls=tls)
    made = await client.jetstream().create_key_value(KeyValueConfig(bucket=name))
    for each in keys:
        await made.put(each, b"value")
    await client.close()


async def test_a_bucket_is_measured_and_goes_with_all_that_is_in_it(server: Nats) -> None:
    async with root(server) as store:
        await store.tried()
        assert await store.measure(MINE) == Usage(bytes=0, keys=0)
        await store.check_free(MINE)
        assert not await store.ensure(MINE, "")
        await bucket(server, "mine", "a", "b")
        found = await store.measure(MINE)
        assert (found.keys, found.bytes > 0, found.writes) == (2, True, 2)
        await store.verify(MINE)
        assert (await store.drop(MINE)).keys == 2
        assert (await store.drop(MINE)).keys == 0
        await store.check_free(MINE)


async def test_a_bucket_that_is_there_cannot_be_claimed(server: Nats) -> None:
    theirs = Keyspace(schema="theirs", user=ROOT)
    async with root(server) as store:
        await bucket(server, "theirs", "a")
        with pytest.raises(Taken):
            await store.check_free(theirs)
        with pytest.raises(IsolationBroken, match="reaches KV_theirs as well"):
            await store.verify(MINE)
        await store.drop(theirs)
        await store.verify(MINE)


@pytest.mark.parametrize("name", ["a.b", "a*", ">", "", "a b", "a" * 300])
async def test_what_cannot_be_a_bucket_is_refused(server: Nats, name: str) -> None:
    async with root(server) as store:
        for ask in (store.check_free, store.ensure, store.drop):
            with pytest.raises(NameRefused):
                await ask(Keyspace(schema=name, user=ROOT))


# Accounts

NEIGHBOUR = {"user": "neighbour", "password": "a-password-of-the-neighbours"}
THEIRS = "KV_theirs"
BUCKET = StreamConfig(name=THEIRS, subjects=["$KV.theirs.>"], max_msgs_per_subject=5, allow_direct=True)
"""As a bucket is stored, but for what a bucket refuses its owner as well: that messages are deleted."""


@dataclass
class Shared(Nats):
    """With a second account beside root's."""

    def _command(self) -> list[str]:
        found, conf = super()._command(), self.folder / "conf"
        kept = [each for each in conf.read_text().splitlines() if not each.startswith("authorization")]
        accounts = [
            f'{account}: {{ jetstream: enabled, users: [ {{ user: "{user}", password: "{password}" }} ] }}'
            for account, user, password in (
                ("MINE", ROOT, self.PASSWORD),
                ("THEIRS", NEIGHBOUR["user"], NEIGHBOUR["password"]),
            )
        ]
        kept.append(f"accounts {{ {', '.join(accounts)} }}")
        conf.write_text("\n".join(kept))
        return found


Ask = Callable[[Any, Any], Awaitable[Any]]


def api(subject: str, said: bytes = b"") -> Ask:
    """By the server's own protocol, of which the client has no word."""

    async def ask(client: Any, _: Any) -> None:
        answer = json.loads((await client.request(f"$JS.API.{subject}", said, timeout=5)).data)
        if "error" in answer:
            raise NotFoundError(**answer["error"])

    return ask


DENIED: dict[str, Ask] = {
    "bucket": lambda _, stream: stream.key_value("theirs"),
    "stream": lambda _, stream: stream.stream_info(THEIRS),
    "message": lambda _, stream: stream.get_msg(THEIRS, 1),
    "last message": lambda _, stream: stream.get_last_msg(THEIRS, "$KV.theirs.a"),
    "message, direct": lambda client, _: client.request(f"$JS.API.DIRECT.GET.{THEIRS}.$KV.theirs.a", b"", timeout=5),
    "watch": lambda _, stream: stream.subscribe("$KV.theirs.>", stream=THEIRS, ordered_consumer=True),
    "consumer": lambda _, stream: stream.add_consumer(THEIRS, ConsumerConfig(durable_name="mine")),
    "put": lambda _, stream: stream.publish("$KV.theirs.a", b"mine"),
    "message deleted": lambda _, stream: stream.delete_msg(THEIRS, 1),
    "purge": lambda _, stream: stream.purge_stream(THEIRS),
    "bucket changed": lambda _, stream: stream.update_stream(BUCKET),
    "snapshot": api(f"STREAM.SNAPSHOT.{THEIRS}", b'{"deliver_subject": "mine"}'),
    "bucket deleted": lambda _, stream: stream.delete_key_value("theirs"),
    "account": lambda client, _: client.request("$SYS.REQ.ACCOUNT.THEIRS.JSZ", b"", timeout=5),
    "server": lambda client, _: client.request("$SYS.REQ.SERVER.PING.JSZ", b"", timeout=5),
}


@asynccontextmanager
async def told(server: Nats, **who: str) -> AsyncIterator[tuple[Any, Any]]:
    """NATS' own client, and its JetStream."""
    client = Guarded()
    await client.connect(f"nats://{server.endpoint}", **({"user": ROOT, "password": server.PASSWORD} | who))
    yield client, client.jetstream()
    await client.close()


@pytest.mark.keeps("better.isolation-tried")
async def test_one_tenants_credentials_are_denied_everything_on_anothers_bucket() -> None:
    with Shared().running() as server:
        async with told(server, **NEIGHBOUR) as (owner, theirs), told(server) as (client, mine):
            await theirs.add_stream(BUCKET)
            bucket = await theirs.key_value("theirs")
            await bucket.put("a", b"value")
            heard = await client.subscribe(">")
            assert await answered(client, mine) == set()
            assert await mine.streams_info() == []
            async with root(server) as store:
                await store.verify(MINE)
            await (await mine.create_key_value(KeyValueConfig(bucket="theirs"))).put("a", b"one of its own")

            await bucket.put("b", b"value")
            await theirs.publish("$KV.theirs.c", b"value")
            assert [each for each in await drained(heard) if b"value" in each.data] == []
            assert sorted(await bucket.keys()) == ["a", "b", "c"]
            assert (await bucket.get("a")).value == b"value"
            assert (await theirs.stream_info(THEIRS)).state.messages == 3
            assert await answered(owner, theirs) == set(DENIED) - {"account", "server"}, "each question can be answered"


async def answered(client: Any, stream: Any) -> set[str]:
    found = set()
    for what, ask in DENIED.items():
        with contextlib.suppress(Error, APIError):
            await ask(client, stream)
            found.add(what)
    return found


async def drained(heard: Any) -> list[Any]:
    """What came, once nothing comes any more."""
    found = []
    with contextlib.suppress(Error, TimeoutError):
        while True:
            found.append(await heard.next_msg(timeout=0.5))
    return found


@dataclass
class Lacking(Nats):
    """Without a block of its configuration."""

    block: str = ""

    def _command(self) -> list[str]:
        found, conf = super()._command(), self.folder / "conf"
        conf.write_text("\n".join(each for each in conf.read_text().splitlines() if not each.startswith(self.block)))
        return found


async def test_a_server_that_lets_everybody_in_breaks_the_proof() -> None:
    with Lacking(block="authorization").running() as server:
        async with root(server) as store:
            with pytest.raises(IsolationBroken, match="lets everybody in"):
                await store.verify(MINE)


async def test_a_server_without_jetstream_is_not_ready() -> None:
    with Lacking(block="jetstream").running() as server:
        async with root(server) as store:
            with pytest.raises(StoreError, match="JetStream"):
                await store.tried()
