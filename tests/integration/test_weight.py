"""A short form of `make bench`'s weight, in what a busy machine does not change: bytes, and writes to etcd.

Measured after minutes of rest on a quiet one: what decision 0042 says. Go's own settings would make it half as heavy again.
"""

from __future__ import annotations

import pytest

from lab.bench import weight

ROOM = 1.25  # above the goal, for one that has only just started


@pytest.mark.keeps("better.light")
async def test_an_idle_control_plane_is_light_and_hardly_writes() -> None:
    found = {each.what: each for each in await weight.rows(runs=1, settling=10.0)}
    memory, writes = found[weight.MEMORY], found[weight.WRITES]
    assert memory.limit is not None and writes.limit is not None
    assert memory.middle < memory.limit * ROOM, "MiB"
    assert writes.middle < writes.limit * 2, "a second"
