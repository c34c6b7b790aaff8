"""`lab up` and `lab down` as named steps. Each step can be taken again; a second `up` finds everything as it should be."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence

from rich.console import Console

from lab import capi, cluster, debian, deploy, images, programs, registry
from lab.machine import cgroups
from lab.network import ip, namespaces
from lab.state import Lab

Step = tuple[str, Callable[[], object]]


def build_steps() -> list[Step]:
    """What a machine of any lab needs, once per version."""
    steps: list[Step] = [("Debian packages", debian.ensure)]
    for module, program in programs.missing():
        steps.append((f"build {program} {module.version}", lambda name=program: programs.path(name)))  # type: ignore[misc]
    return [*steps, ("images", images.all_images), ("golden image store", images.golden)]


def up_steps(lab: Lab) -> list[Step]:
    """From nothing, or from whatever a killed lab left, to a management cluster with the provider's image loaded."""
    return [
        ("clear what a killed lab left", lambda: clear(lab)),
        ("management machine", lambda: cluster.boot(lab)),
        ("registry", lambda: registry.start(lab)),
        ("Kubernetes by kubeadm", lambda: cluster.initialize(lab)),
        ("DNS and volumes", lambda: cluster.services(lab)),
        ("provider image", images.provider),
        *capi.up_steps(lab),
    ]


def provider_steps(lab: Lab) -> list[Step]:
    """The provider as the sources are now, and the store it makes."""
    return [
        ("provider by clusterctl init", lambda: deploy.provider(lab)),
        ("default DataStore ready", lambda: deploy.store(lab)),
    ]


def take(steps: Sequence[Step], console: Console) -> None:
    """Take them in order, with a line and the seconds of each."""
    for name, do in steps:
        started = time.monotonic()
        with console.status(f"{name} …"):
            do()
        console.print(f"[green]✓[/] {name} [dim]{time.monotonic() - started:.1f} s[/]")


def clear(lab: Lab) -> None:
    """Find and clear what a killed lab of this name left: namespaces, cgroups and records of what no longer runs."""
    for process in lab.processes():
        if process.pid() is None:
            process.end()
    known = {machine.netns for machine in lab.machines()}
    for each in namespaces():
        if each.startswith(f"{lab.name}.") and each not in known and each != lab.network().bridge_netns:
            ip("netns", "delete", each)
    running = {machine.cgroup for machine in lab.machines() if machine.running()}
    cgroups.remove_all(lab.name, keep=running)


def down(lab: Lab) -> None:
    """End everything of this lab and nothing else: processes by their recorded ids, then what they stood on."""
    for process in lab.processes():
        process.end()
    for machine in lab.machines():
        machine.delete()
    for each in namespaces():
        if each.startswith(f"{lab.name}."):
            ip("netns", "delete", each)
    cgroups.remove_all(lab.name, keep=set())
    if lab.root.exists():
        shutil.rmtree(lab.root)
