"""Answers are asked for once, count for a while, and are so many at most."""

from __future__ import annotations

import asyncio

import pytest

from provider.statuspage.kept import Kept


class Asked:
    """Counts how often; `now` is its clock."""

    def __init__(self) -> None:
        self.times, self.now, self.fails = 0, 0.0, False
        self.kept: Kept[str, int] = Kept(10.0, 2, lambda: self.now)

    async def __call__(self) -> int:
        self.times += 1
        await asyncio.sleep(0)
        if self.fails:
            raise ValueError("no")
        return self.times


async def test_who_asks_at_the_same_time_gets_the_same_answer_and_so_does_who_asks_soon() -> None:
    asked = Asked()
    assert await asyncio.gather(*(asked.kept.get("a", asked) for _ in range(5))) == [1] * 5
    asked.now = 9.9
    assert await asked.kept.get("a", asked) == 1
    asked.now = 10.0
    assert await asked.kept.get("a", asked) == 2


async def test_a_failure_is_not_kept() -> None:
    asked = Asked()
    asked.fails = True
    with pytest.raises(ValueError, match="no"):
        await asked.kept.get("a", asked)
    asked.fails = False
    assert await asked.kept.get("a", asked) == 2


async def test_of_too_many_the_one_goes_that_was_asked_for_least_lately() -> None:
    asked = Asked()
    for each in ("a", "b", "a", "c"):
        await asked.kept.get(each, asked)
    assert asked.times == 3
    await asked.kept.get("a", asked)
    assert asked.times == 3
    await asked.kept.get("b", asked)
    assert asked.times == 4


async def test_who_goes_away_does_not_take_the_answer_along() -> None:
    asked = Asked()
    first = asyncio.create_task(asked.kept.get("a", asked))
    await asyncio.sleep(0)
    first.cancel()
    assert await asked.kept.get("a", asked) == 1
