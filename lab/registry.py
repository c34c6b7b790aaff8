"""A registry on the lab's bridge: what is pushed there, every machine can pull under the name it really has.

Debian's docker-registry, in the management machine's network namespace. containerd asks it for every registry name, and only
it: nothing is reachable outside. Called by `lab up` and `lab image load`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from lab.machine import Machine
from lab.state import MANAGEMENT, Lab

PORT = 5000
MIRRORED = ("registry.k8s.io", "docker.io", "quay.io", "ghcr.io", "gcr.io")


def start(lab: Lab) -> None:
    """Let it run and let the management machine know it."""
    machine = lab.machine(MANAGEMENT)
    folder = lab.root / "registry"
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yml"
    document = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": f"{machine.address}:{PORT}"},
        "log": {"level": "warn", "accesslog": {"disabled": True}},
    }
    config.write_text(yaml.safe_dump(document))
    enter = ["nsenter", f"--net=/run/netns/{machine.netns}"]
    program = shutil.which("docker-registry") or "/usr/bin/docker-registry"
    lab.process("registry").start([*enter, program, "serve", str(config)], lab.log("registry"))
    know(machine)


def know(machine: Machine) -> None:
    """Write containerd's hosts.toml files, which it reads at every pull."""
    server = f"http://{machine.lab.machine(MANAGEMENT).address}:{PORT}"
    for name in MIRRORED:
        file = machine.root / "fs/etc/lab/registries" / name / "hosts.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        _write(
            file, f'server = "{server}"\n[host."{server}"]\ncapabilities = ["pull", "resolve"]\nskip_verify = true\n'
        )


def _write(file: Path, content: str) -> None:
    if not file.exists() or file.read_text() != content:
        file.write_text(content)
