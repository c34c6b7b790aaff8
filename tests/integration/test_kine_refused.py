"""What the real kine says of a write that its database refuses: why no tenant behind it is frozen by rights (decision 0054)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest
from etcd3aio._protobuf import Compare, KVStub, PutRequest, RangeRequest, RequestOp, TxnRequest

from provider.hosting.datastores.postgresql.store import PostgresStore
from provider.hosting.view import Keyspace
from tests.integration import kine_process
from tests.integration.databases import Postgres

KEYSPACE = Keyspace(schema="refused", user="refused")
PASSWORD = "a-password-of-32-letters-and-more"
LIMIT = 20.0  # seconds for a call


@dataclass
class Kine:
    """A kine beside its database, spoken to as kube-apiserver does."""

    database: Postgres
    wire: Any

    async def put(self, key: str, at: int = 0) -> Any:
        """Only where the key was written last at that revision; 0: where there is none."""
        put, get = PutRequest(key=key.encode(), value=b"value"), RangeRequest(key=key.encode())
        held = Compare(result=Compare.EQUAL, target=Compare.MOD, key=key.encode(), mod_revision=at)
        looked = [RequestOp(request_range=get)] if at else []
        asked = TxnRequest(compare=[held], success=[RequestOp(request_put=put)], failure=looked)
        return await self.wire.Txn(asked, timeout=LIMIT)

    async def revision(self, key: str) -> int:
        """At which the key was written last; 0: it is not there."""
        found = await self.wire.Range(RangeRequest(key=key.encode()), timeout=LIMIT)
        return int(found.kvs[0].mod_revision) if found.kvs else 0

    async def frozen(self, *, readable: bool) -> None:
        """The tenant's role may write its table no more."""
        rights = "INSERT, UPDATE, DELETE, TRUNCATE" if readable else "ALL"
        async with await self.database.connected(KEYSPACE.schema, KEYSPACE.user, PASSWORD) as owner:
            await owner.execute(f"REVOKE {rights} ON kine FROM CURRENT_USER")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await owner.execute("INSERT INTO kine (name) VALUES ('refused')")


@pytest.fixture
def database() -> Iterator[Postgres]:
    with Postgres().running() as found:
        yield found


@pytest.fixture
async def kine(database: Postgres, tmp_path: Path) -> AsyncIterator[Kine]:
    async with PostgresStore(database.access()) as store:
        await store.ensure(KEYSPACE, PASSWORD)
    way = f"postgres://{KEYSPACE.user}:{PASSWORD}@{database.endpoint}/{KEYSPACE.schema}"
    args = [f"--listen-address={kine_process.SOCKET}", "--metrics-bind-address=0"]
    container = {"args": args, "env": [{"name": "KINE_ENDPOINT", "value": way}]}
    process = await asyncio.to_thread(kine_process.of, tmp_path, container, {})
    async with grpc.aio.insecure_channel(kine_process.socket(tmp_path).replace("://", ":")) as channel:
        yield Kine(database, KVStub(channel))
    kine_process.end(process, tmp_path)


@pytest.mark.keeps("better.another-driver")
async def test_kine_says_yes_to_a_new_key_that_its_database_has_refused(kine: Kine) -> None:
    """A tenant frozen so would be told that its object is stored. Once this fails, decision 0054 can be looked at again."""
    assert (await kine.put("/registry/before")).succeeded
    at = await kine.revision("/registry/before")
    assert at > 0
    await kine.frozen(readable=True)
    assert (await kine.put("/registry/lost")).succeeded
    assert await kine.revision("/registry/lost") == 0, "it was acknowledged, and is not there"
    assert not (await kine.put("/registry/before", at)).succeeded, "of one that is there it tells the truth"
    assert await kine.revision("/registry/before") == at


async def test_kine_tells_of_a_new_key_that_its_database_refuses_where_it_may_not_read_either(kine: Kine) -> None:
    """So a source could be held without loss, and served from what its API server has in its caches."""
    await kine.frozen(readable=False)
    with pytest.raises(grpc.aio.AioRpcError, match="permission denied"):
        await kine.put("/registry/refused")
