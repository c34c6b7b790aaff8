"""What moves inside tenants wakes their passes: bounded in number and in pace, and over when the session is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from provider.api import kinds
from provider.cluster.errors import Expired
from provider.cluster.session import Tenants
from provider.hosting.tenantwatch import TenantWatch

KINDS = (kinds.CONFIG_MAP, kinds.SERVICE)
SEEN = {kinds.CONFIG_MAP: "7", kinds.SERVICE: "8", kinds.LEASE: "9"}
ONE, TWO = ("ns", "one"), ("ns", "two")
MOVED = "moved"


@dataclass
class Quiet:
    """A session whose changes the test puts in."""

    changes: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    followed: list[tuple[Any, str]] = field(default_factory=list)
    closed: bool = False

    async def follow(self, kind: Any, since: str, **_: Any) -> AsyncIterator[None]:
        self.followed.append((kind, since))
        while True:
            if isinstance(change := await self.changes.get(), Exception):
                raise change
            yield

    async def close(self) -> None:
        self.closed = True


async def until(true: Any) -> None:
    async with asyncio.timeout(2):
        while not true():
            await asyncio.sleep(0.005)


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def attended(watch: TenantWatch, key: Any, session: Quiet) -> asyncio.Task[None]:
    task = asyncio.create_task(watch.attend(key, session))
    await asyncio.sleep(0.01)
    return task


async def test_changes_are_followed_from_where_a_pass_has_looked() -> None:
    woken: list[Any] = []
    watch, session = TenantWatch(kinds=KINDS, wake=woken.append, quiet=0), Quiet()
    task = await attended(watch, ONE, session)
    assert not watch.watches(ONE) and session.followed == []
    watch.looked(ONE, SEEN)
    assert watch.watches(ONE)
    await until(lambda: sorted(session.followed, key=str) == [(kinds.CONFIG_MAP, "7"), (kinds.SERVICE, "8")])
    assert woken == []
    session.changes.put_nowait(MOVED)
    await until(lambda: woken == [ONE])
    await ended(task)
    assert not watch.watches(ONE)


async def test_where_a_version_is_forgotten_a_pass_looks_again_and_says_from_where_to_go_on() -> None:
    woken: list[Any] = []
    watch, session = TenantWatch(kinds=KINDS, wake=woken.append, quiet=0), Quiet()
    task = await attended(watch, ONE, session)
    watch.looked(ONE, SEEN)
    await until(lambda: len(session.followed) == 2)
    watch.looked(ONE, {kinds.CONFIG_MAP: "later"})
    session.changes.put_nowait(Expired(410, "Expired", "too old"))
    await until(lambda: woken == [ONE])
    assert not watch.watches(ONE)
    session.followed.clear()
    watch.looked(ONE, {kinds.CONFIG_MAP: "70", kinds.SERVICE: "80"})
    await until(lambda: sorted(session.followed, key=str) == [(kinds.CONFIG_MAP, "70"), (kinds.SERVICE, "80")])
    assert watch.watches(ONE)
    await ended(task)


@pytest.mark.keeps("better.workers")
async def test_a_tenant_that_writes_without_end_wakes_its_pass_now_and_then() -> None:
    woken: list[Any] = []
    watch, session = TenantWatch(kinds=KINDS, wake=woken.append, quiet=0.2), Quiet()
    task = await attended(watch, ONE, session)
    watch.looked(ONE, SEEN)
    began = time.monotonic()
    for _ in range(50):
        session.changes.put_nowait(MOVED)
        await asyncio.sleep(0.005)
    assert 1 <= len(woken) <= 2 + (time.monotonic() - began) / watch.quiet
    await ended(task)


@pytest.mark.keeps("better.workers")
async def test_beyond_the_limit_a_tenant_is_watched_when_another_is_gone() -> None:
    watch = TenantWatch(kinds=KINDS, wake=lambda key: None, limit=1)
    first = await attended(watch, ONE, Quiet())
    second = await attended(watch, TWO, Quiet())
    watch.looked(ONE, SEEN)
    watch.looked(TWO, SEEN)
    assert watch.watches(ONE) and not watch.watches(TWO)
    await ended(first)
    await asyncio.sleep(0.01)
    watch.looked(TWO, SEEN)
    assert watch.watches(TWO)
    await ended(second)


async def test_a_session_ends_what_attends_it_before_it_closes_and_does_not_idle_meanwhile() -> None:
    opened: list[Quiet] = []

    async def dial(*_: Any) -> Quiet:
        opened.append(Quiet())
        return opened[-1]

    now = [0.0]
    watch = TenantWatch(kinds=KINDS, wake=lambda key: None)
    tenants = Tenants(dial, attend=watch.attend, idle=10, clock=lambda: now[0])
    await tenants.session(ONE, b"one")
    await asyncio.sleep(0.01)
    watch.looked(ONE, SEEN)
    now[0] = 100.0
    await tenants.session(TWO, b"two")
    assert watch.watches(ONE) and not opened[0].closed
    await tenants.session(ONE, b"renewed")
    assert opened[0].closed and not watch.watches(ONE)
    await asyncio.sleep(0.01)
    watch.looked(ONE, SEEN)
    assert watch.watches(ONE)
    await tenants.close_all()
    assert not watch.watches(ONE) and not watch.watches(TWO)
    assert all(each.closed for each in opened)


async def test_without_an_attendance_an_idle_session_is_closed() -> None:
    opened: list[Quiet] = []

    async def dial(*_: Any) -> Quiet:
        opened.append(Quiet())
        return opened[-1]

    now = [0.0]
    tenants = Tenants(dial, idle=10, clock=lambda: now[0])
    await tenants.session(ONE, b"one")
    now[0] = 100.0
    await tenants.session(TWO, b"two")
    assert opened[0].closed and not opened[1].closed
    await tenants.close_all()
