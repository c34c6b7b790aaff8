"""Tests that have the machine for themselves: meanwhile those of the other lab wait.

Whether anybody notices what is done to a tenant is a question of time: with two labs at work on two cores the kubelet kills API
servers that have no breath to answer, and kube-proxy hears late. Taken by tests/e2e/conftest.py for every test.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn(folder: Path, *, alone: bool) -> Iterator[None]:
    """As long as the block: nobody else, or nobody who wants to be alone. Who waits to be alone is not overtaken."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "machine").open("w") as machine:
        with (folder / "door").open("w") as door:  # held by who waits, so that whoever comes later stands behind
            fcntl.flock(door, fcntl.LOCK_EX)
            fcntl.flock(machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
