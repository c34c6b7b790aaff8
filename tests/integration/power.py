"""A power cut at a chosen write: the process that a test runs a pass in dies, as far as API servers and stores can tell.

Requests go to the real programs until so many writes were sent; from then on neither a write nor a read leaves. What was
under way arrives all the same, as it does when a process is killed. A severed cable is the same for API servers alone, and
the process lives on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from etcd3aio.base import BaseService

from provider.cluster.errors import Unreachable
from provider.cluster.multiplexed import Multiplexed
from provider.cluster.transport import Request
from provider.hosting.datastores.etcd import proof

READS = {
    *("KV.Range", "KV.Txn", "Maintenance.Status", "Maintenance.Alarm"),  # a proof's transactions never hold
    *("Auth.Status", "Auth.UserGet", "Auth.UserList", "Auth.RoleGet", "Auth.RoleList"),
    *("Lease.Revoke", "Cluster.MemberRemove", "KV.Compact", "Maintenance.MoveLeader"),  # a proof asks in vain
}


class PowerCut(BaseException):
    """Nothing can be done any more. Not an Exception: no handler of ours may live through it."""


@dataclass
class Power:
    """How many writes are left, and which were sent."""

    writes: int
    fault: type[BaseException]
    sent: list[str] = field(default_factory=list)
    cut: bool = False

    def spend(self, what: str, *, write: bool) -> None:
        if write and len(self.sent) >= self.writes:
            self.cut = True
        if self.cut:
            raise self.fault(f"after {self.sent}")
        if write:
            self.sent.append(what)


@contextmanager
def lasting(writes: int) -> Iterator[Power]:
    """Inside, there is power for so many writes to API servers and stores."""
    power, call = Power(writes, PowerCut), BaseService._rpc

    async def called(self: BaseService, stub: Any, asked: Any, *, operation: str, **options: Any) -> Any:
        in_vain = operation == "Auth.UserDelete" and asked.name == proof.NO_USER
        power.spend(operation, write=operation not in READS and not in_vain)
        return await call(self, stub, asked, operation=operation, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseService, "_rpc", called)
        _spend_on_api_servers(patch, power)
        yield power


@contextmanager
def severed_after(writes: int) -> Iterator[Power]:
    """Inside, API servers are out of reach after so many writes to them."""
    power = Power(writes, Unreachable)
    with pytest.MonkeyPatch.context() as patch:
        _spend_on_api_servers(patch, power)
        yield power


def _spend_on_api_servers(patch: pytest.MonkeyPatch, power: Power) -> None:
    send = Multiplexed.send

    async def sent(self: Multiplexed, request: Request) -> bytes:
        power.spend(f"{request.method} {request.path}", write=request.method != "GET")
        return await send(self, request)

    patch.setattr(Multiplexed, "send", sent)
