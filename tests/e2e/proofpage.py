"""The table of what was asked and what failed during each rotation, as a page of docs/: written when a run is told to.

A row that was measured again takes the place of the one before; the others stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tests.e2e.proving import Row

PAGE = Path(__file__).parents[2] / "docs/rotation-proof.md"
HEAD = """# Rotations under clients that ask

Measured in the lab, on two cores, by `tests/e2e/test_rotation_proof.py` and `tests/e2e/test_rotation_soak.py`, both by
`make soak`, which write this page when they are run with `--write-proof`; both fail when one request does, but for the last
column, of which [decision 0044](decisions/0044-a-pools-authority.md) tells. A tenant of two
replicas has workers behind a wall, which the control plane reaches through konnectivity, a pod with a projected token, an
admission webhook and an aggregated API. Ten times a second each, over a connection of its own, these ask: an administrator,
the controller manager, the scheduler, a kubelet, an in-cluster client with the pod's token, a client of the aggregated API, one
whose object the webhook judges, and one that reads a log through the tunnel; once a second somebody runs a command in a pod as
`kubectl exec` does. Each goes by what its like goes by (a Secret, a file of its machine, what the kubelet projects).

"""
COLUMNS = (
    "rotation",
    "seconds",
    "requests made",
    "requests failed",
    "beside these, in the tunnel of a pod that came or went",
)
ROW = re.compile(r"\| (.+?) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|")


def write(rows: Iterable[Row]) -> None:
    """The page with these rows."""
    kept = {each[1]: each[0] for each in ROW.finditer(PAGE.read_text() if PAGE.exists() else "")}
    kept |= {each.rotation: line(each) for each in rows}
    table = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}", *kept.values()]
    PAGE.write_text(HEAD + "\n".join(table) + "\n")


def line(row: Row) -> str:
    """One of the table's."""
    return f"| {row.rotation} | {row.seconds:.0f} | {row.asked} | {len(row.failed)} | {row.unconnected} |"
