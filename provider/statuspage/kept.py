"""Answers that count for some seconds, so that a page that asks all the time asks the API server seldom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass
class Kept(Generic[Key, Value]):
    """Of at most `size` keys; who asks while an answer is awaited gets the same one. A failure is not kept."""

    life: float  # seconds
    size: int
    monotonic: Callable[[], float]
    _found: dict[Key, tuple[float, asyncio.Task[Value]]] = field(default_factory=dict)

    async def get(self, key: Key, ask: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """The answer; asked for where it is not known, or not any more."""
        now = self.monotonic()
        until, task = self._found.pop(key, (0.0, None))
        if task is None or until <= now or _failed(task):
            until, task = now + self.life, asyncio.create_task(ask())
        self._found[key] = until, task  # at the end: what was asked for least lately goes first
        while len(self._found) > self.size:
            del self._found[next(iter(self._found))]
        return await asyncio.shield(task)


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
