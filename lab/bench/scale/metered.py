"""The provider with a meter: how much time of the processor each tenant's passes took, with all that they began.

`python -m lab.bench.scale.metered run …` is `python -m provider run …`; what was measured is written when it ends, to the file
that `BENCH_METER` names. What runs in other threads (gRPC's, the making of keys) is not in it.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import sys
import time
import types
from collections import defaultdict
from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from provider import __main__ as provider
from provider.hosting.reconcile.tenant import TenantPass

FILE = "BENCH_METER"
Key = tuple[str, str]
Steps = Coroutine[Any, Any, Any]
OWNER: ContextVar[Key | None] = ContextVar("owner", default=None)
SPENT: defaultdict[Key, float] = defaultdict(float)


@types.coroutine
def _stepwise(inner: Steps, key: Key) -> Generator[Any, Any, Any]:
    """Do each step of a coroutine by a stopwatch that stands still while others run."""
    value, error = None, None
    while True:
        began = time.thread_time()
        try:
            yielded = inner.throw(error) if error is not None else inner.send(value)
        except StopIteration as done:
            return done.value
        finally:
            SPENT[key] += time.thread_time() - began
        try:
            value, error = (yield yielded), None
        except BaseException as raised:
            value, error = None, raised


async def _metered(inner: Steps, key: Key) -> Any:
    return await _stepwise(inner, key)


def _task(loop: asyncio.AbstractEventLoop, steps: Any, **options: Any) -> asyncio.Task[Any]:
    """Of a tenant's pass, and of whatever that began, each task is measured."""
    owner = OWNER.get()
    return asyncio.Task(_metered(steps, owner) if owner else steps, loop=loop, **options)


def _with_meter(passing: Callable[[TenantPass, Key], Steps]) -> Callable[[TenantPass, Key], Steps]:
    async def measured(self: TenantPass, key: Key) -> Any:
        asyncio.get_running_loop().set_task_factory(_task)
        token = OWNER.set(key)
        try:
            return await _metered(passing(self, key), key)
        finally:
            OWNER.reset(token)

    return measured


def _tell() -> None:
    Path(os.environ[FILE]).write_text(json.dumps({"/".join(key): spent for key, spent in SPENT.items()}))


if __name__ == "__main__":
    TenantPass.__call__ = _with_meter(TenantPass.__call__)  # type: ignore[method-assign, assignment]
    atexit.register(_tell)
    sys.exit(provider.main())
