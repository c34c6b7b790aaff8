"""A cgroup of a machine's own in every hierarchy (cgroup v1): the kubelet's root, removed with all pods' groups in it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

BASE = Path("/sys/fs/cgroup")


def hierarchies() -> Iterator[Path]:
    """Mount points of the hierarchies; links to them are left out."""
    yield from (each for each in sorted(BASE.iterdir()) if each.is_dir() and not each.is_symlink())


def create(name: str) -> None:
    """Make the group where it is missing. A cpuset takes no process before it has cpus and memory nodes."""
    for hierarchy in hierarchies():
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        for file in ("cpuset.cpus", "cpuset.mems"):
            if (group / file).exists() and not (group / file).read_text().strip():
                (group / file).write_text((hierarchy / file).read_text())


def remove(name: str) -> None:
    """Remove the group with all groups in it, innermost first. What still has a process stays, and its parents."""
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(hierarchy / name, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()


def remove_all(lab: str, *, keep: set[str]) -> None:
    """Remove the groups of every machine of a lab, those in `keep` left out."""
    found = {each.name for hierarchy in hierarchies() for each in hierarchy.glob(f"{lab}.*") if each.is_dir()}
    for name in found - keep:
        remove(name)
