"""A machine's disk: folders that lie over the host's, and containerd's store filled from the golden one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lab import images

FOLDERS = (
    "/etc/kubernetes",
    "/etc/cni",
    "/etc/lab",
    "/var/lib/kubelet",
    "/var/lib/containerd",
    "/var/lib/etcd",
    "/var/lib/cni",
    "/var/log",
    "/run",
)


def lay_out(root: Path) -> None:
    """Make what is missing of a machine's disk. The store is filled last and at once: half of it is never taken for all."""
    for each in FOLDERS:
        (root / "fs" / each.lstrip("/")).mkdir(parents=True, exist_ok=True)
    (root / "log").mkdir(exist_ok=True)
    (root / "folders").write_text("".join(f"{each}\n" for each in FOLDERS))
    fill(root / "fs" / "var/lib/containerd", images.golden())


def fill(store: Path, golden: Path) -> None:
    """Hard links to the golden store's files, which containerd never writes to; copies of its databases, which it does."""
    if (store / "filled").exists():
        return
    shutil.rmtree(store, ignore_errors=True)
    # It ends with us: `lab down` after a kill must not clear a disk that still fills.
    with_us = ["setpriv", "--pdeathsig", "KILL"]
    subprocess.run([*with_us, "cp", "--archive", "--link", str(golden), str(store)], check=True)
    for database in store.rglob("*.db"):
        copy = database.with_suffix(".copy")
        shutil.copy2(database, copy)
        copy.replace(database)
    (store / "filled").touch()
