"""How the files of this ring are shared out between two labs: the longest first, so that both end at about the same time.

xdist would begin with the files of the most tests, and a file of one test that takes minutes might begin last. It would also
hand out the next file two tests too early, which may be minutes too early, while the other lab has nothing to do.
"""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadFileScheduling

FIRST = ("test_two_clusters.py", "test_suite.py")
"""The one needs both labs, and what it brings to the other would be a trace or a fault in the eyes of some files. So it begins,
and beside it the one that takes longest and looks at nothing but its own tenant."""
SECONDS = {
    "test_two_clusters.py": 300,
    "test_suite.py": 420,
    "test_upgrade.py": 540,
    "test_rotation.py": 400,
    "test_main_job.py": 360,
    "test_capi_specs.py": 330,
    "test_pool.py": 300,
    "test_konnectivity.py": 300,
    "test_lab_machines.py": 240,
    "test_clusterctl.py": 200,
    "test_samples.py": 200,
    "test_bad_days.py": 180,
    "test_tenant.py": 180,
    "test_migration.py": 150,
    "test_rebalancing.py": 150,
    "test_scaling.py": 150,
    "test_exposure.py": 120,
    "test_bad_input.py": 110,
    "test_databases.py": 110,
    "test_backup.py": 100,
    "test_adoption.py": 90,
    "test_command_line.py": 80,
    "test_dual_stack.py": 80,
    "test_kubeconfiggenerator.py": 80,
    "test_write_permissions.py": 70,
}
"""About how long each takes on two cores. A run says how long each took; only their order counts."""


def order(file: str) -> tuple[int, int]:
    """Sorts files by when they are to begin. One that is not known, for it is new, is not left for the end."""
    turn = FIRST.index(file) if file in FIRST else len(FIRST)
    return turn, -SECONDS.get(file, max(SECONDS.values()))


class LongestFirst(LoadFileScheduling):
    """Files in the order in which they were collected; the next one when the last test of the one before is to begin."""

    def __init__(self, config: Any, log: Any = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _reschedule(self, node: Any) -> None:
        # A worker begins a test only once it knows which one comes after it, so one has to be waiting.
        if not self.workqueue or self._pending_of(self.assigned_work[node]) < 2:
            super()._reschedule(node)
