"""The real kine with the very arguments and environment of a tenant's container; only paths differ. Ended by its own id."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

from lab import programs
from lab.servers import PATIENCE
from provider.hosting.desired.deployment import kine
from provider.manifest import Manifest

SOCKET = kine.SOCKET


def of(folder: Path, container: Manifest, secrets: dict[str, dict[str, bytes]]) -> subprocess.Popen[bytes]:
    """With its socket there. Secrets as the kubelet hands them over: by name, or by the volume in which they are."""
    certificates = folder / "certs"
    certificates.mkdir(parents=True, exist_ok=True)
    for name, content in secrets.get(kine.CONFIG_VOLUME, {}).items():
        (certificates / name).write_bytes(content)
    args = [each.replace(SOCKET, socket(folder)) for each in container["args"]]
    args = [each.replace(f"={kine.CERTIFICATES}/", f"={certificates}/") for each in args]
    with (folder / "kine.log").open("ab") as log:
        command = [programs.path("kine"), *args]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=_environment(container, secrets))
    deadline = time.monotonic() + PATIENCE
    while not Path(socket(folder).removeprefix("unix://")).exists():
        said = (folder / "kine.log").read_text()
        assert process.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
    return process


def end(process: subprocess.Popen[bytes], folder: Path) -> None:
    """At once, and its socket with it."""
    process.kill()
    process.wait()
    Path(socket(folder).removeprefix("unix://")).unlink(missing_ok=True)


def socket(folder: Path) -> str:
    """A short path: a Unix socket's has at most 108 letters."""
    return f"unix://{tempfile.gettempdir()}/kine-{abs(hash(str(folder))) % 10**10}"


def _environment(container: Manifest, secrets: dict[str, dict[str, bytes]]) -> dict[str, str]:
    """Each variable may name those before it, as the kubelet expands them."""
    found: dict[str, str] = {}
    for each in container["env"]:
        if "valueFrom" in each:
            reference = each["valueFrom"]["secretKeyRef"]
            found[each["name"]] = secrets[reference["name"]][reference["key"]].decode()
            continue
        value = each["value"]
        for name, said in found.items():
            value = value.replace(f"$({name})", said)
        found[each["name"]] = value
    return found
