"""The queue between events and passes: equal keys merge, one pass a key, back-off a key, and an orderly end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from provider.api.verdict import NotReady
from provider.cluster import queue
from provider.cluster.errors import ApiError, Conflict
from provider.cluster.queue import KeyedQueue

Handler = Callable[[str], Awaitable[float | None]]


class Told:
    """Gauges that remember."""

    def __init__(self) -> None:
        self.depths: list[int] = []
        self.waits: list[float] = []
        self.outcomes: list[str] = []
        self.reasons: list[str] = []

    def depth(self, queue: str, waiting: int) -> None:
        self.depths.append(waiting)

    def waited(self, queue: str, seconds: float) -> None:
        self.waits.append(seconds)

    def passed(self, queue: str, outcome: str, seconds: float) -> None:
        self.outcomes.append(outcome)

    def failed(self, queue: str, reason: str) -> None:
        self.reasons.append(reason)


class Passes:
    """A handler that notes its keys and does what it is told to."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.at_once = self.most_at_once = 0
        self.answers: list[float | Exception | None] = []

    async def __call__(self, key: str) -> float | None:
        self.keys.append(key)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.005)
        self.at_once -= 1
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """No jitter, and pauses a test can wait for."""
    monkeypatch.setattr(queue.random, "uniform", lambda low, high: 1.0)
    monkeypatch.setattr(queue, "FIRST_PAUSE", 0.01)


@asynccontextmanager
async def working(keys: KeyedQueue[str], handler: Handler, workers: int = 1) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(keys.run(handler, workers))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not met():
            await asyncio.sleep(0.002)


async def settled() -> None:
    """Long enough for anything that a test's handler still had to do."""
    await asyncio.sleep(0.05)


@pytest.mark.keeps("better.workers")
async def test_equal_keys_merge_and_the_others_come_in_order() -> None:
    keys, passes = KeyedQueue[str]("t"), Passes()
    for each in ("a", "b", "a", "c", "b"):
        keys.add(each)
    assert len(keys) == 3
    async with working(keys, passes):
        await until(lambda: len(passes.keys) == 3)
        await settled()
    assert passes.keys == ["a", "b", "c"]


async def test_several_workers_never_look_at_one_key_at_the_same_time() -> None:
    keys, passes = KeyedQueue[str]("t"), Passes()
    async with working(keys, passes, workers=4):
        for _ in range(10):
            keys.add("a")
            await asyncio.sleep(0.002)
        await settled()
    assert passes.most_at_once == 1
    assert len(passes.keys) > 1


@pytest.mark.keeps("better.workers")
async def test_different_keys_are_looked_at_side_by_side_up_to_the_number_of_workers() -> None:
    keys, passes = KeyedQueue[str]("t"), Passes()
    for each in "abcdef":
        keys.add(each)
    async with working(keys, passes, workers=3):
        await until(lambda: len(passes.keys) == 6)
    assert passes.most_at_once == 3


async def test_a_key_added_during_its_own_pass_is_looked_at_once_more_after_it() -> None:
    keys = KeyedQueue[str]("t")
    seen: list[str] = []

    async def adds_itself(key: str) -> None:
        seen.append(key)
        if len(seen) == 1:
            keys.add(key)
            keys.add(key)

    keys.add("a")
    async with working(keys, adds_itself):
        await until(lambda: len(seen) == 2)
        await settled()
    assert seen == ["a", "a"]


async def test_a_pass_that_wants_another_look_gets_it_and_one_that_does_not_rests() -> None:
    keys, passes = KeyedQueue[str]("t"), Passes()
    passes.answers = [0.01, 0.01, None]
    keys.add("a")
    async with working(keys, passes):
        await until(lambda: len(passes.keys) == 3)
        await settled()
    assert len(passes.keys) == 3


async def test_pauses_of_a_key_that_fails_double_up_to_the_longest_and_begin_anew_after_a_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue, "LONGEST_PAUSE", 0.05)
    keys, passes = KeyedQueue[str]("t"), Passes()
    pauses: list[float] = []
    monkeypatch.setattr(keys, "add_after", lambda key, seconds: (pauses.append(seconds), keys.add(key)))
    down = ApiError(500, "InternalError", "down")
    passes.answers = [down, down, down, down, down, 0.0, down, None]
    keys.add("a")
    async with working(keys, passes):
        await until(lambda: len(passes.keys) == 8)
    assert pauses == [0.01, 0.02, 0.04, 0.05, 0.05, 0.0, 0.01]


async def test_a_key_that_fails_does_not_slow_down_another() -> None:
    keys, passes = KeyedQueue[str]("t"), Passes()
    passes.answers = [ApiError(500, "InternalError", "down")]
    keys.add("a")
    async with working(keys, passes):
        await until(lambda: bool(passes.keys))
        keys.add("b")
        await until(lambda: "b" in passes.keys)
    assert passes.keys[:2] == ["a", "b"]


async def test_an_event_does_not_wait_for_the_back_off() -> None:
    keys, passes = KeyedQueue[str]("t"), Passes()
    keys.add_after("a", 60)
    keys.add("a")
    async with working(keys, passes):
        await until(lambda: passes.keys == ["a"])
        await settled()
    assert passes.keys == ["a"], "the later look has happened already"


async def test_of_several_times_the_earliest_counts() -> None:
    keys, passes = KeyedQueue[str]("t"), Passes()
    async with working(keys, passes):
        keys.add_after("a", 60)
        keys.add_after("a", 0.02)
        keys.add_after("a", 30)
        await until(lambda: passes.keys == ["a"])
        keys.add_after("b", 0)
        await until(lambda: passes.keys == ["a", "b"])


async def test_a_later_look_at_a_key_that_waits_is_no_second_one() -> None:
    keys, passes = KeyedQueue[str]("t"), Passes()
    keys.add("a")
    keys.add_after("a", 0.01)
    async with working(keys, passes):
        await settled()
    assert passes.keys == ["a"]


async def test_when_stopped_passes_under_way_end_and_no_other_begins() -> None:
    keys = KeyedQueue[str]("t")
    ended: list[str] = []
    begun = asyncio.Event()

    async def slow(key: str) -> float | None:
        begun.set()
        await asyncio.sleep(0.03)
        ended.append(key)
        return 0.0

    keys.add("a")
    keys.add("b")
    async with working(keys, slow) as task:
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert ended == ["a"]
    assert len(keys) == 1, "b waits for whoever runs next"


async def test_when_stopped_a_pass_that_hangs_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "DRAIN", 0.02)
    keys = KeyedQueue[str]("t")
    begun, cut = asyncio.Event(), asyncio.Event()

    async def hangs(key: str) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cut.set()
            raise

    keys.add("a")
    async with working(keys, hangs) as task:
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert cut.is_set()


async def test_after_a_stop_it_can_be_run_again_with_what_came_meanwhile() -> None:
    keys, passes = KeyedQueue[str]("t"), Passes()
    async with working(keys, passes):
        await asyncio.sleep(0)
    keys.add("a")
    async with working(keys, passes):
        await until(lambda: passes.keys == ["a"])


async def test_gauges_are_told_depth_outcome_and_reason() -> None:
    told, passes = Told(), Passes()
    keys = KeyedQueue[str]("t", told)
    passes.answers = [None, 60.0, Conflict(409, "Conflict", "x"), RuntimeError("x")]
    for each in "abcd":
        keys.add(each)
    async with working(keys, passes):
        await until(lambda: len(told.outcomes) >= 4)  # what failed is soon tried again
    assert told.depths[:4] == [1, 2, 3, 4]
    assert told.outcomes[:4] == ["done", "again", "failed", "failed"]
    assert told.reasons[:2] == ["Conflict", "RuntimeError"]


async def test_gauges_are_told_how_long_each_key_waited_for_its_worker() -> None:
    told, passes = Told(), Passes()
    keys = KeyedQueue[str]("t", told)
    keys.add("a")
    await asyncio.sleep(0.05)
    async with working(keys, passes):
        await until(lambda: len(told.outcomes) == 1)
        keys.add("b")
        await until(lambda: len(told.outcomes) == 2)
    assert told.waits[0] >= 0.05 > told.waits[1]


async def test_a_reason_is_never_what_an_api_server_says() -> None:
    told, passes = Told(), Passes()
    keys = KeyedQueue[str]("t", told)
    passes.answers = [ApiError(500, "x" * 4096, "y"), NotReady("SecretMissing", "z")]
    for each in "ab":
        keys.add(each)
    async with working(keys, passes):
        await until(lambda: len(told.reasons) >= 2)
    assert told.reasons[:2] == ["ApiError", "SecretMissing"]


@pytest.mark.parametrize(
    ("error", "level", "traceback"),
    [
        (Conflict(409, "Conflict", "somebody wrote meanwhile"), logging.INFO, False),
        (ApiError(500, "InternalError", "etcd is away"), logging.WARNING, False),
        (RuntimeError("ours"), logging.ERROR, True),
    ],
    ids=["a conflict", "an outage", "a bug"],
)
async def test_a_failure_is_told_as_loudly_as_it_deserves(
    error: Exception, level: int, traceback: bool, caplog: pytest.LogCaptureFixture
) -> None:
    keys, passes = KeyedQueue[str]("tenants"), Passes()
    passes.answers = [error]
    keys.add("a")
    with caplog.at_level(logging.INFO, logger=queue.__name__):
        async with working(keys, passes):
            await until(lambda: bool(caplog.records))
    record = caplog.records[0]
    assert (record.levelno, bool(record.exc_info)) == (level, traceback)
    assert record.getMessage().startswith("tenants a")
