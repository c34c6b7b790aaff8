"""Debian packages the lab needs on its host, installed when they are missing. Called by `lab up` and `lab build`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from lab import state

NEEDED = {  # program → package
    "runc": "runc",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "nft": "nftables",
    "iptables": "iptables",
    "ipset": "ipset",
    "conntrack": "conntrack",
    "ethtool": "ethtool",
    "socat": "socat",
    "mmdebstrap": "mmdebstrap",
    "docker-registry": "docker-registry",
    "cc": "gcc",
    # Databases that tenants live in, in tests
    "pg_ctlcluster": "postgresql",
    "mariadbd": "mariadb-server",
    # Looks at the status page, in tests
    "chromium-headless-shell": "chromium-headless-shell",
}


UNPACKED = {"promtool": "prometheus"}
"""Program → package of which only the files are taken: to install it would start a service."""


class HostError(Exception):
    """The host cannot carry a lab; says what is missing and how to get it."""


def ensure() -> None:
    """Install what is missing. HostError without root, or when apt fails."""
    if os.geteuid() != 0:
        raise HostError("the lab makes namespaces and mounts: run it as root")
    missing = sorted({package for program, package in NEEDED.items() if shutil.which(program) is None})
    lacking = [program for program in UNPACKED if _unpacked(program) is None]
    if missing or lacking:
        _run("apt-get", "update", "-q")
    if missing:
        _run("apt-get", "install", "-qy", "--no-install-recommends", *missing)
    for program in lacking:
        _unpack(program)


def path(program: str) -> Path:
    """A program that was unpacked. HostError before `lab build`."""
    found = _unpacked(program)
    if found is None:
        raise HostError(f"{program} is not there: run `lab build`")
    return found


def _unpacked(program: str) -> Path | None:
    found = sorted(_folder(program).glob(f"*/{program}"))
    return found[-1] if found else None


def _folder(program: str) -> Path:
    return state.cache() / "debian" / UNPACKED[program]


def _unpack(program: str) -> None:
    """Out of the package that Debian serves, as apt checks it by its signed hashes; the folder is called by its version."""
    folder = _folder(program)
    folder.mkdir(parents=True, exist_ok=True)
    _run("apt-get", "download", "-q", UNPACKED[program], folder=folder)
    for package in folder.glob("*.deb"):
        whole = package.with_suffix(".whole")
        _run("dpkg-deb", "-x", str(package), str(whole))
        package.with_suffix("").mkdir(exist_ok=True)
        (whole / "usr/bin" / program).rename(package.with_suffix("") / program)
        shutil.rmtree(whole)
        package.unlink()


def _run(*command: str, folder: Path | None = None) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise HostError(f"{' '.join(command)} failed: {done.stderr.strip()[-1000:]}")
