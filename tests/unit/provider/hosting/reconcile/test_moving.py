"""Copies beside the passes: so many at once, those that are frozen at once, and none after it was told to stop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from provider.hosting.datastores.errors import RevisionGap, StoreError, StoreUnreachable
from provider.hosting.reconcile import moving
from provider.hosting.reconcile.moving import Moving, Order
from provider.hosting.view import Keyspace

ORDER = Order(source="a", target="b", keyspace=Keyspace(schema="s", user="s"), token="t")


class Stores:
    """Instead of a context: who opens a store is counted, and waits, or meets an error."""

    def __init__(self, error: StoreError | None = None) -> None:
        self.error, self.opening, self.tries = error, 0, 0

    async def open_store(self, name: str) -> Any:
        self.tries += 1
        if self.error is not None:
            raise self.error
        self.opening += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.opening -= 1


def copies(stores: Any, woken: list[Any]) -> Moving:
    return Moving(context=stores, wake=woken.append)


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_two_tenants_are_copied_at_once_and_a_frozen_one_waits_for_nobody() -> None:
    stores = Stores()
    found = copies(stores, [])
    for number in range(4):
        await found.drive(("ns", str(number)), ORDER, finish=False)
    await settled()
    assert stores.opening == moving.AT_ONCE == 2
    assert [found.progress(("ns", str(number))).waiting for number in range(4)] == [False, False, True, True]
    await found.drive(("ns", "frozen"), ORDER, finish=True)
    await settled()
    assert stores.opening == 3
    await found.stop(("ns", "0"))
    await settled()
    assert not found.progress(("ns", "2")).waiting, "the next takes its turn"
    await found.stop_all()
    assert stores.opening == 0


async def test_the_same_order_is_one_copy_and_another_takes_its_place() -> None:
    stores, key = Stores(), ("ns", "t")
    found = copies(stores, [])
    for _ in range(3):
        await found.drive(key, ORDER, finish=False)
    await settled()
    assert stores.tries == 1
    await found.drive(key, Order(source="a", target="c", keyspace=ORDER.keyspace, token="u"), finish=False)
    await settled()
    assert (stores.tries, stores.opening) == (2, 1)
    await found.stop_all()


@pytest.mark.parametrize(
    ("error", "reason", "tries"),
    [(RevisionGap("too far"), "RevisionGap", 1), (StoreUnreachable("away"), "DataStoreUnreachable", 3)],
)
async def test_what_no_try_mends_is_told_at_once_and_what_one_may_after_a_while(
    error: StoreError, reason: str, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "PATIENCE", 0.05)
    monkeypatch.setattr(moving, "PAUSE", 0.04)
    stores, key = Stores(error), ("ns", "t")
    woken: list[Any] = []
    found = copies(stores, woken)
    await found.drive(key, ORDER, finish=False)
    async with asyncio.timeout(30):
        while found.progress(key).failure is None:
            await asyncio.sleep(0.01)
    failure = found.progress(key).failure
    assert failure is not None
    assert failure.reason == reason
    assert stores.tries >= min(tries, 2)
    assert woken[-1] == key
    await found.stop_all()
