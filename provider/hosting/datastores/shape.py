"""What every driver is: one shape, so that passes know no driver. Found by name in `reconcile.drivers`.

A store is opened with `Access`, by its root or with what a tenant's API server has, and entered with `async with`. Whatever
is wrong comes as a `StoreError`. Each call can be done twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from provider.hosting.datastores.errors import IsolationBroken
from provider.hosting.storeview import Look
from provider.hosting.view import Keyspace

UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What one tenant takes up."""

    bytes: int
    keys: int  # rows of kine's table, where that is what holds them: old revisions count until they are compacted
    writes: int = 0  # since ever, where the store counts them


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """Proof that a tenant is gone: what was deleted, and that nothing is left was looked at."""

    keys: int


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of one thing that no tenant may do: a cell of the isolation table."""

    question: str  # stable and short, the same for every tenant of a driver
    reached: str = ""  # what it was let do, in words for people; empty: it was refused


def judge(answers: Iterable[Answer]) -> None:
    """IsolationBroken says all that was not refused."""
    if reached := "; ".join(each.reached for each in answers if each.reached):
        raise IsolationBroken(reached)


class Driver(Protocol):
    """One store."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def tried(self) -> Look:
        """As root: raise unless tenants may be let in. It is who it should be, lets us in, and can be written and read."""

    async def check_free(self, keyspace: Keyspace) -> None:
        """As root, before a keyspace is claimed: Taken when somebody else has it, NameRefused when it cannot be a name."""

    async def ensure(self, keyspace: Keyspace, password: str = "") -> bool:
        """As root: the tenant gets in, to its own place and to nothing else. True when something changed."""

    async def asked(self, keyspace: Keyspace) -> tuple[Answer, ...]:
        """As the tenant: what it is let do beyond its own, question by question. StoreDenied when it does not reach its own.

        Nobody is hurt by what is asked, also where it is let through.
        """

    async def verify(self, keyspace: Keyspace) -> None:
        """The same, judged: IsolationBroken when it reaches more than its own."""

    async def measure(self, keyspace: Keyspace) -> Usage:
        """As root: what the tenant takes up."""

    async def drop(self, keyspace: Keyspace) -> Erasure:
        """As root: the tenant's data and user go, with proof. Taken, and nothing is touched, when they are another's."""


@runtime_checkable
class Housing(Driver, Protocol):
    """A server whose tenants are databases or buckets, which others may have there as well."""

    async def residents(self) -> tuple[Keyspace, ...]:
        """As root: all that is not the server's own, with whose it is; and users with names that we give, who have nothing."""

    async def is_tenants(self, keyspace: Keyspace) -> bool:
        """As root: whether it is as tenants' are. What holds anything that kine did not put there is not."""


def named_by_us(schema: str) -> bool:
    """Whether a schema is the UID that a tenant gets when nobody names one."""
    return UID.fullmatch(schema) is not None
