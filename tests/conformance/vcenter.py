"""A vCenter on loopback: govmomi's simulator in a program of the lab's (lab/modules/vcsim), asked as any client asks one."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lab import programs
from lab.servers import Authority, Process, free_port, listens

USERNAME, PASSWORD = "user", "pass"  # the simulator's
TEMPLATE = "ubuntu-2404-kube-v1.36.3"


@dataclass(frozen=True)
class VCenter:
    """One datacenter with one cluster, and a template in it."""

    port: int
    thumbprint: str

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """What a user says of it to our templates."""
        return {
            "VSPHERE_SERVER": self.address,
            "VSPHERE_TLS_THUMBPRINT": self.thumbprint,
            "VSPHERE_DATACENTER": "DC0",
            "VSPHERE_DATASTORE": "LocalDS_0",
            "VSPHERE_FOLDER": "vm",
            "VSPHERE_RESOURCE_POOL": "*/Resources",
            "VSPHERE_NETWORK": "VM Network",
            "VSPHERE_TEMPLATE": TEMPLATE,
        }

    def machines(self) -> dict[str, dict[str, Any]]:
        """What it says of its machines, by name; templates are none."""
        command = [programs.path("vcsim"), "show", f"https://{USERNAME}:{PASSWORD}@{self.address}/sdk"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        return {each["name"]: each for each in found if not each["template"]}


@contextmanager
def running(folder: Path, algorithm: str) -> Iterator[VCenter]:
    """Until the block ends. `algorithm`: of the thumbprint by which users know it."""
    pair = Authority().server("vcenter")
    (folder / "vcenter.crt").write_bytes(pair.certificate)
    (folder / "vcenter.key").write_bytes(pair.key)
    port, process = free_port(), Process("vcsim", folder)
    flags = [
        *("serve", f"-listen=127.0.0.1:{port}", f"-template={TEMPLATE}"),
        *(f"-cert={folder / 'vcenter.crt'}", f"-key={folder / 'vcenter.key'}"),
    ]
    process.start(flags, lambda: listens(port) and "serving" in process.log.read_text())
    try:
        yield VCenter(port, thumbprint(pair.certificate, algorithm))
    finally:
        process.stop()


def thumbprint(certificate: bytes, algorithm: str) -> str:
    """As vSphere writes that of a certificate."""
    content = x509.load_pem_x509_certificate(certificate).public_bytes(Encoding.DER)
    return hashlib.new(algorithm, content, usedforsecurity=False).digest().hex(":").upper()


def guestinfo(machine: dict[str, Any], key: str) -> str:
    """What the machine's cloud-init reads under `guestinfo.<key>`."""
    said = machine["extra"][f"guestinfo.{key}"]
    assert machine["extra"][f"guestinfo.{key}.encoding"] == "base64"
    return base64.b64decode(said).decode()
