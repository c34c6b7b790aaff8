"""The condition `Migrated`: how far a tenant is on its way to another DataStore, or why it does not go. There only then."""

from __future__ import annotations

from typing import Literal

from provider.api.verdict import Invalid
from provider.hosting import migration
from provider.hosting.migration import Phase
from provider.hosting.view import Move, View
from provider.manifest.condition import Condition

TYPE = "Migrated"
MOVING = {
    Phase.COPYING: ("Copying", "keys are copied from DataStore {source} to {target}; the tenant is served as ever"),
    Phase.STANDING_BY: (
        "StandingBy",
        "pods that use DataStore {target} come up beside those that serve; the tenant is served from {source} as ever",
    ),
    Phase.FROZEN: (
        "WritesFrozen",
        "writes are refused for the seconds in which the copy in DataStore {target} is compared",
    ),
    Phase.SWITCHING: (
        "SwitchingOver",
        "pods that use DataStore {target} take the place of those that use {source}; they serve on",
    ),
    Phase.RETURNING: ("Returning", "pods that use DataStore {source} come back: {message}"),
}
"""Reason and message of each step that goes on by itself."""
MOVED = (
    "{what} in DataStore {target}; what is left of it in {source}, which it may not write, is erased some minutes later"
)
FAILED = (
    "{message}. The tenant is served from DataStore {source} as before, and what was copied is erased. Mend that, set"
    " {asked} to {source}, then to {target} again"
)


def condition(view: View) -> Condition | None:
    """None for a tenant that stays, and one whose move is long over."""
    move = view.move
    if move is not None and move.phase == Phase.MOVED:
        return Condition(type=TYPE, status="True", reason=TYPE, message=_told(MOVED, move))
    if move is not None and move.phase == Phase.FAILED:
        return _false(move.reason or "Failed", _told(FAILED, move))
    if view.held_up is not None:
        return _false(view.held_up.reason, view.held_up.message)
    return _moving(move) if move is not None else None


def under_way(view: View) -> bool:
    """Whether the tenant moves, as upstream's word Migrating says it."""
    return view.move is not None and view.move.phase in migration.UNDER_WAY


def worth(view: View) -> Literal["Stalled", "Reconciling"] | None:
    """What it is to tools that wait: it goes on by itself, or not until somebody changes the spec or what it names."""
    if under_way(view):
        return "Reconciling"
    failed = view.move is not None and view.move.phase == Phase.FAILED
    refused = view.move is None and isinstance(view.held_up, Invalid)
    return "Stalled" if failed or refused else None


def _moving(move: Move) -> Condition:
    reason, message = MOVING[Phase(move.phase)]
    return _false(reason, _told(message, move))


def _told(message: str, move: Move) -> str:
    what = f"objects of {', '.join(move.resources)} are" if move.resources else "the tenant's state is"
    return message.format(**vars(move), what=what, asked=migration.asked_by(move))


def _false(reason: str, message: str) -> Condition:
    return Condition(type=TYPE, status="False", reason=reason, message=message)
