"""The etcd driver: a store as its root. Grants exactly one range to a tenant, takes it back with proof; `proof` proves it.

A tenant is a user without password (its certificate's common name logs it in), a role of the schema's name, and one permission.
Every call has a limit of time; errors are `errors.StoreError`s without secrets.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self

import grpc
from etcd3aio import (
    Etcd3Client,
    EtcdConnectionError,
    EtcdError,
    EtcdPermissionDeniedError,
    EtcdTransientError,
    EtcdUnauthenticatedError,
)

from provider.hosting.datastores.errors import ErasureIncomplete, StoreError, Taken
from provider.hosting.datastores.etcd import dialing, fitness, grants, proof, refusals, usage
from provider.hosting.datastores.etcd.fitness import ROOT
from provider.hosting.datastores.etcd.ranges import PROBE, copy_of, range_of
from provider.hosting.datastores.shape import Answer, Erasure, Usage, judge
from provider.hosting.storeview import Look
from provider.hosting.view import Keyspace
from provider.manifest.x509 import Pair

LIMIT = 5.0  # seconds for one call
AT_ONCE = 32  # users asked about at the same time


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a store has of a keyspace."""

    users: frozenset[str]  # all of the store
    role: bool  # whether the schema's exists
    held: frozenset[str]  # roles of the keyspace's user


class EtcdStore:
    """One etcd cluster, to be entered with `async with`: as its root, and to `verify` with a tenant's certificate."""

    def __init__(self, endpoints: Sequence[str], ca: bytes, client: Pair) -> None:
        self._endpoints, self._ca, self._pair = tuple(endpoints), ca, client
        self._client: Etcd3Client | None = None

    async def __aenter__(self) -> Self:
        self._client = await dialing.client(self._endpoints, self._ca, self._pair)
        await self._client.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.close()

    async def tried(self) -> Look:
        """Auth is on, no alarm is, and root can write and read."""
        health = await self.health()
        fitness.judge(health)
        return Look(
            version=health.version,
            identity=health.identity,
            revision=await self.probe(),
            size=health.size,
            in_use=health.in_use,
            quota=health.quota,
        )

    async def health(self) -> fitness.Health:
        """Version, auth, size, alarms. IsolationUnsafe for a version that does not keep tenants apart."""
        async with self.told():
            return await fitness.health(self.wire, LIMIT)

    async def probe(self) -> int:
        """Write and read as root, outside of every tenant's range; the revision. StoreDenied when we are no root."""
        async with self.told():
            return await fitness.probe(self.wire, LIMIT)

    async def enable_auth(self) -> None:
        """Root as user and role, then auth on. Can be done twice, and goes on where it was interrupted."""
        async with self.told():
            await fitness.close(self.wire, LIMIT)

    async def check_free(self, keyspace: Keyspace) -> None:
        """Before a keyspace is claimed. Taken when another user has it, or keys lie in its range that are no tenant's.

        Without this a tenant that names `registry` would be given, and once deleted would erase, whatever lies there.
        """
        self._refuse_root(keyspace)
        async with self.told():
            standing = await self._standing(keyspace)
            await self._refuse_taken(keyspace, standing)
            if keyspace.schema not in standing.held and (count := await self.count(keyspace.schema)):
                raise Taken(f"keyspace {keyspace.schema!r} of the store holds {count} keys of somebody else")

    async def ensure(self, keyspace: Keyspace, password: str = "", *, writable: bool = True) -> bool:
        """User, role and exactly one permission; what is wider or more is revoked. Nobody logs in by a password.

        Not `writable`: the tenant may read what is there, and from the moment that this returns has written for the last time.
        Taken when the role is another user's or the user has another role: two tenants never share one.
        """
        self._refuse_root(keyspace)
        async with self.told():
            auth, standing, own = self.wire.auth, await self._standing(keyspace), range_of(keyspace.schema)
            await self._refuse_taken(keyspace, standing)
            changed = False
            if not standing.role:
                await auth.role_add(keyspace.schema, timeout=LIMIT)
                changed = True
            changed |= await grants.exact(self.wire, keyspace.schema, own, writable=writable, limit=LIMIT)
            if keyspace.user not in standing.users:
                await auth.user_add(keyspace.user, "", no_password=True, timeout=LIMIT)
                changed = True
            if keyspace.schema not in standing.held:
                await auth.user_grant_role(keyspace.user, keyspace.schema, timeout=LIMIT)
                changed = True
            return changed

    async def asked(self, keyspace: Keyspace, *, writable: bool = True) -> tuple[Answer, ...]:
        """Of a store that was opened with a tenant's certificate: what it is let do beyond its own range.

        Not `writable`: beyond reading that. StoreDenied when it is not let into it. No key is read or written.
        """
        async with self.told():
            return await proof.asked(self.wire, keyspace, LIMIT, writable=writable)

    async def verify(self, keyspace: Keyspace, *, writable: bool = True) -> None:
        """IsolationBroken says what it reaches."""
        judge(await self.asked(keyspace, writable=writable))

    async def drop(self, keyspace: Keyspace) -> Erasure:
        """Revoke first, so that a running API server can write no more; then keys, role, user; then look that all is gone.

        What a copy noted beside the keys goes with them: one that still runs elsewhere writes no more.

        Taken, and nothing is touched, when the keyspace is another user's: then this one was never let in.
        """
        self._refuse_root(keyspace)
        own = range_of(keyspace.schema)
        async with self.told():
            auth, standing = self.wire.auth, await self._standing(keyspace)
            if keyspace.schema not in standing.held:
                await self._refuse_taken(keyspace, standing)
            for role in sorted(standing.held):
                await auth.user_revoke_role(keyspace.user, role, timeout=LIMIT)
            erased = await dialing.settled(partial(self.wire.kv.delete, own.start, own.end, timeout=LIMIT))
            await dialing.settled(partial(self.wire.kv.delete, copy_of(keyspace.schema), timeout=LIMIT))
            if standing.role:
                await auth.role_delete(keyspace.schema, timeout=LIMIT)
            if keyspace.user in standing.users:
                await auth.user_delete(keyspace.user, timeout=LIMIT)
            left = await self.count(keyspace.schema)
            if left or keyspace.user in await self.users() or keyspace.schema in await self.roles():
                raise ErasureIncomplete(f"{left} keys, the user or the role of {keyspace.schema} are still there")
        return Erasure(keys=erased.deleted)

    async def measure(self, keyspace: Keyspace) -> Usage:
        """Keys and bytes of keys and values. etcd does not know: they are read, some at a time."""
        async with self.told():
            return await usage.of(self.wire, range_of(keyspace.schema), LIMIT)

    async def written(self, seconds: float) -> Mapping[str, int]:
        """Keys written or deleted from now on for so many seconds, by keyspace; also of those who are no tenants."""
        async with self.told():
            return await usage.written(self.wire, seconds, LIMIT)

    async def identity(self) -> int:
        """The number of the etcd cluster itself: two DataStores may lead to one."""
        async with self.told():
            return int((await self.wire.maintenance.status(timeout=LIMIT)).header.cluster_id)

    async def count(self, schema: str) -> int:
        """How many keys a keyspace has."""
        own = range_of(schema)
        async with self.told():
            count = partial(self.wire.kv.get, own.start, own.end, count_only=True, timeout=LIMIT)
            return int((await dialing.settled(count)).count)

    async def users(self) -> frozenset[str]:
        """Names of all users."""
        async with self.told():
            return frozenset((await self.wire.auth.user_list(timeout=LIMIT)).users)

    async def roles(self) -> frozenset[str]:
        """Names of all roles."""
        async with self.told():
            return frozenset((await self.wire.auth.role_list(timeout=LIMIT)).roles)

    async def keyspaces(self) -> frozenset[str]:
        """First segments of all keys below `/`, tenants' or not. Each is stepped over at once, however many keys it has."""
        found: set[str] = set()
        start = b"/"
        async with self.told():
            while True:
                first = partial(self.wire.kv.get, start, b"0", limit=1, keys_only=True, timeout=LIMIT)
                if not (kvs := (await dialing.settled(first)).kvs):
                    return frozenset(found)
                segment = bytes(kvs[0].key).split(b"/")[1]
                found.add(segment.decode(errors="replace"))
                start = b"/" + segment + b"0"

    async def _standing(self, keyspace: Keyspace) -> Standing:
        users = await self.users()
        return Standing(
            users=users,
            role=keyspace.schema in await self.roles(),
            held=await self._roles_of(keyspace.user) if keyspace.user in users else frozenset(),
        )

    async def _refuse_taken(self, keyspace: Keyspace, standing: Standing) -> None:
        """Taken when user or role are somebody else's. etcd does not say who has a role: all users are asked, some at a time.

        Who has the role already was asked so when it got it; to ask again for each of a thousand tenants is a million calls.
        """
        if standing.held - {keyspace.schema}:
            raise Taken(f"user {keyspace.user!r} of the store has the role of another keyspace")
        if keyspace.schema in standing.held or not standing.role:
            return
        rivals = sorted(standing.users - {keyspace.user, ROOT})
        for some in (rivals[start : start + AT_ONCE] for start in range(0, len(rivals), AT_ONCE)):
            if any(keyspace.schema in roles for roles in await asyncio.gather(*map(self._roles_of, some))):
                raise Taken(f"keyspace {keyspace.schema!r} of the store belongs to another user")

    async def _roles_of(self, user: str) -> frozenset[str]:
        """Roles of a user; none of one that went since it was listed."""
        try:
            return frozenset((await self.wire.auth.user_get(user, timeout=LIMIT)).roles)
        except grpc.aio.AioRpcError as error:
            if refusals.NO_USER in str(error.details()):
                return frozenset()
            raise

    @staticmethod
    def _refuse_root(keyspace: Keyspace) -> None:
        if ROOT in (keyspace.schema, keyspace.user):
            raise Taken(f"{ROOT!r} is etcd's own and cannot be a tenant's")

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[Any]:
        """etcd's client, for what `upkeep` asks of it."""
        async with self.told():
            yield self.wire

    async def revision(self) -> int:
        """The store's revision: that of the latest change of any key of any tenant."""
        async with self.told():
            return int((await dialing.settled(partial(self.wire.kv.get, PROBE, timeout=LIMIT))).header.revision)

    @property
    def wire(self) -> Any:
        """The connected client, for this folder; its services are typed as optional, which they are not after connecting."""
        assert self._client is not None, "entered with `async with`"
        return self._client

    @asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Whatever the client raises inside becomes a StoreError."""
        try:
            yield
        except StoreError:
            raise
        except (EtcdConnectionError, EtcdTransientError, TimeoutError) as error:
            raise await dialing.why(self._endpoints, self._ca, self._pair) from error
        except (EtcdPermissionDeniedError, EtcdUnauthenticatedError) as error:
            raise refusals.denied() from error
        except (EtcdError, grpc.aio.AioRpcError) as error:
            detail = error.details() if isinstance(error, grpc.aio.AioRpcError) else str(error)
            raise refusals.of(str(detail)) from error
