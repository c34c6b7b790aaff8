"""The driver for NATS against the real server: one account a tenant, and what is left of its bucket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from nats.js.api import KeyValueConfig

from lab.servers import Authority
from provider.hosting.datastores.errors import (
    IsolationBroken,
    NameRefused,
    StoreDenied,
    StoreError,
    StoreUnreachable,
    StoreUntrusted,
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


async def test_a_server_is_tried_and_nothing_is_left_of_that(server: Nats) -> None:
    async with root(server) as store:
        await store.tried()
        await store.tried()
        await store.verify(MINE)


async def test_a_wrong_password_is_denied(server: Nats) -> None:
    with pytest.raises(StoreDenied, match="is the password right"):
        async with root(server, password="wrong") as store:
            await store.tried()


async def test_nobody_there_is_told_as_that(server: Nats) -> None:
    with pytest.raises(StoreUnreachable, match=r"nobody answers at 127[.]0[.]0[.]1:1"):
        async with root(server, endpoints=("127.0.0.1:1",)) as store:
            await store.tried()


async def test_another_authority_is_not_trusted_nor_a_server_that_offers_no_tls(server: Nats) -> None:
    with pytest.raises(StoreUntrusted):
        async with root(server, ca=Authority().certificate) as store:
            await store.tried()


async def test_a_bucket_is_measured_and_goes_with_all_that_is_in_it(server: Nats) -> None:
    async with root(server) as store:
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


async def test_no_message_of_a_failure_holds_the_password(server: Nats) -> None:
    for changes in ({"password": "topsecret"}, {"ca": Authority().certificate}, {"endpoints": ("127.0.0.1:1",)}):
        with pytest.raises(StoreError) as caught:
            async with root(server, **changes) as store:
                await store.tried()
        assert "topsecret" not in str(caught.value)
        assert server.PASSWORD not in str(caught.value)


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
