"""Long work that is followed: its end, good or bad, and who stops looking."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from provider.cli import following
from provider.cli.following import Progress, followed
from provider.cli.trouble import Trouble
from provider.cluster.errors import Forbidden, Unreachable

LONG = timedelta(seconds=20)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "INTERVAL", 0.01)


def steps(*found: Progress | Exception) -> Callable[[], Awaitable[Progress]]:
    """One after the other; the last for ever."""
    left = list(found)

    async def look() -> Progress:
        step = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(step, Exception):
            raise step
        return step

    return look


async def test_each_step_is_said_once_and_the_last_is_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    copying, ended = Progress(words="Copying: \x1b[2Jkeys\n"), Progress(words="it is there", done=True)
    assert await followed(steps(copying, copying, Progress(words="Frozen"), ended), LONG, "") == ended
    said = capsys.readouterr()
    assert (said.err, said.out) == ("Copying: [2Jkeys\nFrozen\n", "")


async def test_a_bad_end_is_a_sentence_and_a_no() -> None:
    with pytest.raises(Trouble, match="CopyDiffers") as caught:
        await followed(steps(Progress(words="CopyDiffers: mend that", failed=True)), LONG, "")
    assert caught.value.status == 1


async def test_who_waits_no_longer_is_told_that_it_goes_on_and_what_he_can_do() -> None:
    with pytest.raises(Trouble, match="goes on by itself; look there") as caught:
        await followed(steps(Progress(words="Copying")), timedelta(seconds=0.05), "look there")
    assert caught.value.status == 1


async def test_who_stops_it_leaves_it_going_on_and_is_told_so() -> None:
    task = asyncio.create_task(followed(steps(Progress(words="Copying")), LONG, "look there"))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(Trouble, match="no longer followed; it goes on by itself; look there") as caught:
        await task
    assert caught.value.status == 130


async def test_a_server_that_is_away_for_a_moment_is_asked_again_and_one_that_says_no_is_not() -> None:
    ended = Progress(words="there", done=True)
    assert await followed(steps(Unreachable("gone"), ended), LONG, "") == ended
    with pytest.raises(Forbidden):
        await followed(steps(Forbidden(403, "Forbidden", "no")), LONG, "")
