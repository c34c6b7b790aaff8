"""How files of the rings that take long are shared out between workers: the longest first, so that all end at about one time.

xdist would begin with the files of the most tests, and a file of one test that takes minutes might begin last. It would also
hand out the next file two tests too early, which may be minutes too early, while another worker has nothing to do.
Called by tests/conftest.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xdist.scheduler import LoadFileScheduling

FIRST = ("e2e/test_two_clusters.py", "e2e/test_suite.py")
"""The one needs both labs, and what it brings to the other would be a trace or a fault in the eyes of some files. So it begins,
and beside it the one that takes longest and looks at nothing but its own tenant."""
ONE_AFTER_ANOTHER = frozenset(
    f"tests/conformance/test_{each}.py"
    for each in ("a10_topology", "a22_many_clusters", "a22_many_machines", "a23_autoscaler")
)
"""Their machines live in the memory of Cluster API's infrastructure provider for development, which listens on ports that are
always the same. So one worker has them all: first the file that starts a provider of its own, then those that share one."""
RING = Path(__file__).parent
SHORT = 30  # seconds that a file takes of which nothing is said
SECONDS = {
    "e2e/test_two_clusters.py": 300,
    "e2e/test_suite.py": 420,
    "e2e/test_upgrade.py": 500,
    "e2e/test_rotation.py": 200,
    "e2e/test_main_job.py": 300,
    "e2e/test_capi_specs.py": 240,
    "e2e/test_pool.py": 160,
    "e2e/test_pool_under_load.py": 400,
    "e2e/test_konnectivity.py": 200,
    "e2e/infrastructure/test_lab_machines.py": 170,
    "e2e/test_clusterctl.py": 200,
    "e2e/test_samples.py": 300,
    "e2e/test_bad_days.py": 150,
    "e2e/test_tenant.py": 150,
    "e2e/test_migration.py": 150,
    "e2e/test_rebalancing.py": 150,
    "e2e/test_scaling.py": 150,
    "e2e/test_exposure.py": 120,
    "e2e/test_bad_input.py": 110,
    "e2e/test_databases.py": 110,
    "e2e/test_backup.py": 100,
    "e2e/test_adoption.py": 90,
    "e2e/test_command_line.py": 80,
    "e2e/test_dual_stack.py": 80,
    "e2e/test_kubeconfiggenerator.py": 80,
    "e2e/test_write_permissions.py": 70,
    "e2e/test_status_page.py": 60,
    "integration/test_migration.py": 300,
    "integration/test_encryption.py": 240,
    "conformance/test_a22_many_clusters.py": 260,
    "integration/test_pool_authority.py": 240,
    "integration/test_pool_members.py": 210,
    "conformance/test_a22_vsphere.py": 190,
    "integration/test_cli.py": 180,
    "conformance/test_hundred_clusters.py": 150,
    "integration/test_growth.py": 140,
    "integration/test_backup.py": 140,
    "integration/test_tenants_on_databases.py": 110,
    "integration/test_pool_under_load.py": 100,
    "integration/test_autoscaling.py": 100,
    "conformance/test_a10_topology.py": 101,
    "conformance/test_a22_many_machines.py": 100,
    "conformance/test_a23_autoscaler.py": 99,
    "integration/test_tenant_pass.py": 90,
    "conformance/test_a09_workers_with_core.py": 90,
    "conformance/test_a14_clusterctl_move.py": 80,
    "integration/test_pool_snapshots.py": 80,
    "conformance/test_a07_with_core.py": 80,
    "integration/test_rotation.py": 70,
    "integration/test_weight.py": 60,
    "integration/test_write_permissions.py": 60,
    "integration/test_pool_upgrade.py": 50,
    "integration/test_store_authority.py": 50,
}
"""About how long each takes on two cores. A run says how long each took; only their order counts."""


def order(file: Path) -> tuple[int, int]:
    """Sorts files by when they are to begin."""
    name = file.relative_to(RING).as_posix()
    turn = FIRST.index(name) if name in FIRST else len(FIRST)
    return turn, -SECONDS.get(name, SHORT)


class LongestFirst(LoadFileScheduling):
    """Files in the order in which they were collected; the next one when the last test of the one before is to begin."""

    def __init__(self, config: Any, log: Any = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "one after another" if file in ONE_AFTER_ANOTHER else file

    def _reschedule(self, node: Any) -> None:
        # A worker begins a test only once it knows which one comes after it, so one has to be waiting.
        if not self.workqueue or self._pending_of(self.assigned_work[node]) < 2:
            super()._reschedule(node)
