"""What a tenant's own certificate is let do beyond its own range, question by question. Called by `store.EtcdStore.asked`.

Two kinds of look. What etcd has written down: the user has one role, the role one permission. And what etcd does: it is asked
for everything that one tenant must not do to another or to the store. So that a store which lets it through is found and not
hurt, what is asked does nothing where it is allowed: keys are asked for in a transaction whose condition never holds (etcd
judges a transaction's operations before it looks at the condition), a member, a user or a revision is named that does not
exist, or a lease that the provider makes anew. What cannot be asked so, to turn auth off and to defragment, is asked by a twin
that stands behind the same check of etcd's: to delete nobody, to hand the lead to nobody. The tests ask the real ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
from etcd3aio import EtcdPermissionDeniedError, EtcdUnauthenticatedError
from etcd3aio._protobuf import RangeRequest, RequestOp, TxnRequest
from etcd3aio.kv import KVService
from etcd3aio.maintenance import AlarmType

from provider.hosting.datastores.errors import StoreDenied
from provider.hosting.datastores.etcd import dialing, grants
from provider.hosting.datastores.etcd.fitness import LEASE
from provider.hosting.datastores.etcd.ranges import PROBE, range_of
from provider.hosting.datastores.shape import Answer
from provider.hosting.view import Keyspace

Ask = Callable[..., Awaitable[Any]]
"""A call of etcd's client that lacks only its limit of time."""

FIRST, OPEN = b"\0", b"\0"  # as a range's start the first key of all, as its end: no end
NOBODY = 1  # no member's id: those are hashes
NO_USER = f"{PROBE.decode()}-nobody"
NEVER = 2**62  # no store's revision
NOT_LET_IN = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT)  # no such user, no such role
# A full store, and one whose members hold different data, turn writes down before they look who asks, and do not do them.
TURNED_DOWN = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DATA_LOSS)
REFUSED = (grpc.StatusCode.PERMISSION_DENIED, *TURNED_DOWN)
# What etcd says of a wish that it would have granted, had it made sense.
LET_THROUGH = (*NOT_LET_IN, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.UNKNOWN)


async def asked(wire: Any, keyspace: Keyspace, limit: float, *, writable: bool) -> tuple[Answer, ...]:
    """All questions with their answers. `wire` is a client connected with the tenant's certificate, `limit` seconds a call.

    Not `writable`: to read its range is all that it may. StoreDenied when it does not reach the keyspace's own range.
    """
    return await _Proof(wire, keyspace, limit, writable).answers()


@dataclass(frozen=True)
class _Proof:
    wire: Any
    keyspace: Keyspace
    limit: float
    writable: bool

    async def answers(self) -> tuple[Answer, ...]:
        own, get, delete = range_of(self.keyspace.schema), KVService.txn_op_get, KVService.txn_op_delete
        grant = Answer(question="grant", reached=await self._more_than_its_grant())
        erase = delete(own.start, range_end=own.end)
        if not grant.reached:  # of another grant than it should be nothing is known to be let in
            await self._reached(self._judged(get(own.start, range_end=own.end)))
            if self.writable:
                await self._reached(self._judged(erase))
        questions = self._of_keys() | self._of_the_store()
        if not self.writable:
            questions["write"] = {"its own range to write, which it may only read": self._judged(erase)}
        return grant, *await asyncio.gather(*(self._answer(*each) for each in questions.items()))

    def _of_keys(self) -> dict[str, dict[str, Ask]]:
        own, kv = range_of(self.keyspace.schema), self.wire.kv
        get, put, delete = KVService.txn_op_get, KVService.txn_op_put, KVService.txn_op_delete
        below = own.start[:-1] + b".\xff"  # `.` is the byte before `/`: no key that others use is nearer
        areas = {
            "everything after its range": (own.end, OPEN),
            "everything before its range": (FIRST, own.start),
            "everything from its range on": (own.start, OPEN),
            "everything up to the end of its range": (FIRST, own.end),
        }
        nested = RequestOp(request_txn=TxnRequest(success=[RequestOp(request_range=RangeRequest(key=PROBE))]))
        return {
            "range": {
                "a key of the provider": partial(kv.get, PROBE),
                "the key after its range": partial(kv.get, own.end),
                "a key just before its range": partial(kv.get, below),
            },
            "txn": {f"reading {what}": self._judged(get(start, range_end=end)) for what, (start, end) in areas.items()},
            "nested txn": {"reading a key of the provider in a transaction within another": self._judged(nested)},
            "prev kv": {"what a key of the provider held before": self._judged(put(PROBE, b"", prev_kv=True))},
            "delete range": {
                f"deletion of {what}": self._judged(delete(start, range_end=end, prev_kv=True))
                for what, (start, end) in areas.items()
            },
            "watch from key": {
                f"watching {what}": partial(self._watch, start, end) for what, (start, end) in areas.items()
            },
        }

    def _of_the_store(self) -> dict[str, dict[str, Ask]]:
        wire = self.wire
        return {
            "lease": {"the end of a lease of the provider": self._end_lease},
            "alarm": {
                "taking alarms off": partial(wire.maintenance.alarm_deactivate, AlarmType.CORRUPT, member_id=NOBODY)
            },
            "members": {"removal of a member": partial(wire.cluster.member_remove, NOBODY)},
            "compact": {"compaction": partial(wire.kv.compact, NEVER)},
            "auth off": {
                # Whether auth is on etcd 3.7 tells everybody; the list of roles no version does.
                "what only root may (is the store's auth off?)": wire.auth.role_list,
                "changes of users": partial(wire.auth.user_delete, NO_USER),
            },
            "snapshot": {"a snapshot": self._snapshot},
            "defragment": {"the members' upkeep": partial(wire.maintenance.move_leader, NOBODY)},
        }

    async def _answer(self, question: str, asks: Mapping[str, Ask]) -> Answer:
        refused = await asyncio.gather(*map(self._refused, asks.values()))
        reached = [what for what, denied in zip(asks, refused, strict=True) if not denied]
        return Answer(
            question=question,
            reached=f"a tenant's certificate reaches {' and '.join(reached)}" if reached else "",
        )

    async def _more_than_its_grant(self) -> str:
        """etcd tells a user of its own roles, and of nobody else's: the answer also proves whose certificate this is."""
        schema, user, own = self.keyspace.schema, self.keyspace.user, range_of(self.keyspace.schema)
        roles = (await self._reached(partial(self.wire.auth.user_get, user))).roles
        if others := sorted(set(roles) - {schema}):
            return f"user {user} of the store has other roles than {schema}: {', '.join(others)}"
        found = (await self._reached(partial(self.wire.auth.role_get, schema))).perm
        said = {(each.permType, each.key, each.range_end) for each in found}
        if said - {grants.permission(own, self.writable)}:
            may = "read and write" if self.writable else "read"
            return f"role {schema} of the store permits other things than to {may} its own range"
        return ""

    def _judged(self, *operations: Any) -> Ask:
        """Ask whether it may, without doing it: no key has ever had version -1."""
        never = KVService.txn_compare_version(range_of(self.keyspace.schema).start, -1)
        return partial(self.wire.kv.txn, [never], operations)

    async def _watch(self, start: bytes, end: bytes, timeout: float) -> None:  # noqa: ASYNC109 (as etcd's client has it)
        """etcd lets anybody open a stream, and says no to each watch on it. Of what is yet to come, so nothing is read."""
        async with asyncio.timeout(timeout):
            while True:
                async with aclosing(self.wire.watch.watch(start, end)) as answers:
                    answer = await anext(answers)
                if not answer.canceled:
                    return
                if dialing.OLD_REVISION not in answer.cancel_reason:
                    raise EtcdPermissionDeniedError(answer.cancel_reason)

    async def _end_lease(self, timeout: float) -> None:  # noqa: ASYNC109
        """A store that was not tried yet has no such lease, and nothing to be asked for."""
        try:
            await self.wire.lease.revoke(LEASE, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.NOT_FOUND:
                raise
            raise EtcdPermissionDeniedError("no such lease") from error

    async def _snapshot(self, timeout: float) -> None:  # noqa: ASYNC109
        """The first piece tells; the others are not fetched."""
        async with aclosing(self.wire.maintenance.snapshot(timeout=timeout)) as pieces:
            await anext(pieces)

    async def _reached(self, ask: Ask) -> Any:
        try:
            return await dialing.settled(partial(ask, timeout=self.limit))
        except (EtcdPermissionDeniedError, EtcdUnauthenticatedError, grpc.aio.AioRpcError) as error:
            if isinstance(error, grpc.aio.AioRpcError) and error.code() in TURNED_DOWN:
                return None
            if isinstance(error, grpc.aio.AioRpcError) and error.code() not in NOT_LET_IN:
                raise
            raise StoreDenied(
                f"the tenant's certificate is not let into keyspace {self.keyspace.schema}:"
                f" are role {self.keyspace.schema} and user {self.keyspace.user} still there?"
            ) from error

    async def _refused(self, ask: Ask) -> bool:
        try:
            await dialing.settled(partial(ask, timeout=self.limit))
        except EtcdPermissionDeniedError:
            return True
        except grpc.aio.AioRpcError as error:
            if error.code() in REFUSED:
                return True
            if error.code() not in LET_THROUGH:
                raise
        return False
