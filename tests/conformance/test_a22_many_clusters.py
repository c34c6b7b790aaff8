"""A22 in short what `make bench` does with a hundred: Clusters with an in-memory machine each, all at once, from birth to end.

Everything that acts is real, also the hosting room; pods and kubelets are played (lab/bench/scale/clusters.py).
"""

from __future__ import annotations

import pytest

from lab.bench.scale import clusters

pytestmark = pytest.mark.nightly

COUNT = 10


async def test_a22_clusters_with_a_machine_each_are_born_scaled_upgraded_and_ended_at_once_without_a_loop() -> None:
    found = await clusters.lived(COUNT)
    assert found.writes == 0  # at rest
    assert found.loops() == {}
    assert found.left == []
