"""A short form of `make bench`'s births, as a ratio to the bare kube-apiserver of the same minute; the best of three each."""

from __future__ import annotations

import pytest

from lab.bench import floor
from lab.bench.births import Births
from provider.cluster.client import Cluster
from tests.e2e.conftest import VERSION

ROUNDS = 3
MOST = 4.0  # times the floor: the goal on a quiet machine is 1.5, and upstream's birth was 4.3


@pytest.mark.soak  # it is about time, so nothing else may run beside it
@pytest.mark.keeps("better.births")
async def test_a_control_plane_is_born_in_a_few_times_what_its_api_server_takes_alone(management: Cluster) -> None:
    births, floors, born = Births(management=management, version=VERSION), list[float](), list[float]()
    try:
        for _ in range(ROUNDS):
            floors.append(await floor.seconds())
            (birth,) = await births.at_once(1)
            born.append(birth.joinable)
            assert birth.restarts == 0
    finally:
        await births.leave()
    assert min(born) < MOST * min(floors), f"{born} s, the floor {floors} s"
