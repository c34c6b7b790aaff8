"""Which LabMachine a machine of the lab belongs to, on disk, so that names never mix up two owners.

A claim is made before the machine and dropped after it: a machine without a claim is someone's own (`lab machine create`) and
is never touched here. Called by `machines`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ownership:
    """Claims in `folder`, one file a machine, its content the LabMachine's UID."""

    folder: Path

    def owner(self, machine: str) -> str | None:
        """The UID that has the machine; None when nobody has."""
        try:
            return (self.folder / machine).read_text()
        except FileNotFoundError:
            return None

    def claim(self, machine: str, uid: str) -> bool:
        """Claim a name; True when it is now, or was already, this UID's."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".{uid}"
        draft.write_text(uid)
        try:
            os.link(draft, self.folder / machine)  # whole or not at all, and never over another's
        except FileExistsError:
            return self.owner(machine) == uid
        finally:
            draft.unlink()
        return True

    def hand_on(self, machine: str, uid: str) -> None:
        """To the same LabMachine under another UID, as a move leaves it."""
        draft = self.folder / f".{uid}"
        draft.write_text(uid)
        draft.replace(self.folder / machine)

    def drop(self, machine: str, uid: str) -> None:
        """Give the name back; another's claim stays."""
        if self.owner(machine) == uid:
            (self.folder / machine).unlink(missing_ok=True)
