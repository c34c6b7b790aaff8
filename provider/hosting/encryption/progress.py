"""How far a tenant's encryption is, for its status and its condition. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from provider.api.verdict import Verdict
from provider.hosting import encryption, rotation
from provider.hosting.encryption import phases, wish
from provider.hosting.encryption.phases import Held, Wish
from provider.hosting.view import Stored, View

Phase = Literal["Preparing", "Writing", "Rewriting", "Encrypted"]
"""Pods learn to read; they change over to who writes; what is stored is written once more; all is as wished."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What can be said."""

    phase: Phase
    wish: Wish
    held: Held
    by: str  # who writes in the end, in words
    stored: Stored | None

    @property
    def encrypted(self) -> bool:
        """Whether everything that shall be is, also while another key takes the place of one."""
        return self.wish.on and bool(self.held.by)


def of(view: View) -> Progress | None:
    """None while nothing is encrypted, or nothing can be said of it."""
    try:
        asked, found = wish.of(view), encryption.held(view)
    except Verdict:
        return None
    if found is None or not found.mounted:
        return None
    phase, stored = _phase(view, found, asked), encryption.known(view)
    if phase == "Encrypted" and view.stored is not None and view.stored.done:
        stored = view.stored  # it was about the configuration from which this pass went on
    return Progress(phase=phase, wish=asked, held=found, by=_by(found, asked), stored=stored)


def _phase(view: View, held: Held, asked: Wish) -> Phase:
    if phases.steady(held, asked):
        return "Encrypted"
    if not phases.writes_as_wished(held, asked):
        return "Preparing"
    settled = rotation.settled(view, encryption.SECRET(view.name), encryption.LABEL)
    return "Rewriting" if settled else "Writing"


def _by(held: Held, asked: Wish) -> str:
    aim = phases.goal(held, asked)
    return aim.readers[0].words if aim is not None and aim.readers else ""
