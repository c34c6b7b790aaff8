"""What a process takes, as the kernel counts it, and what was written to an API server, as its audit log tells."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ["system:apiserver"]
- level: Metadata
  verbs: [create, update, patch, delete, deletecollection]
- level: None
"""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Reading:
    """Of one process at one moment: MiB, and seconds of CPU since its start."""

    resident: float
    anonymous: float
    cpu: float


def of(pid: int) -> Reading:
    """Now. FileNotFoundError when it has ended."""
    said = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Reading(
        resident=int(said["VmRSS"].split()[0]) / 1024,
        anonymous=int(said["RssAnon"].split()[0]) / 1024,
        cpu=(int(fields[11]) + int(fields[12])) / TICKS,
    )


@dataclass(frozen=True)
class Audit:
    """The writes that one API server was asked for."""

    folder: Path

    @property
    def _log(self) -> Path:
        return self.folder / "audit.log"

    def flags(self) -> tuple[str, ...]:
        """What the API server is started with."""
        self.folder.mkdir(parents=True, exist_ok=True)
        policy = self.folder / "audit.yaml"
        policy.write_text(POLICY)
        return (f"--audit-policy-file={policy}", f"--audit-log-path={self._log}")

    def writes(self, user: str) -> Counter[str]:
        """By resource, of all users whose name begins so; since its start."""
        found: Counter[str] = Counter()
        for line in self._log.read_text().splitlines() if self._log.exists() else ():
            said = json.loads(line)
            if said["user"]["username"].startswith(user):
                found[(said.get("objectRef") or {}).get("resource", "")] += 1
        return found
