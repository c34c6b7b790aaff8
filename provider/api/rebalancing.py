"""How a DataStorePool moves tenants between its stores, and what its status tells of that. Part of `datastorepool`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from provider.api.model import Model
from provider.api.schema import one_of


class Rebalancing(Model):
    """How the pool moves tenants between its stores: off those that are drained, and off those that hold too much.

    Who names a store in `spec.dataStore` stays there.
    """

    mode: Annotated[
        Literal["Plan", "Move"],
        Field(
            description="Plan: which tenants would be moved off a store that holds too much is told in status.moves. Move: they"
            ' are. A store with the annotation x.kamaji.clastix.io/drain: "true" is emptied in either case.'
        ),
    ] = "Plan"
    above_percent: Annotated[
        Annotated[int, Field(ge=10, le=100)] | None,
        Field(
            description="Share of one of its limits above which a store is relieved; none comes above it by a move."
            " Where absent, only drained stores are."
        ),
    ] = None
    moves_at_once: Annotated[int, Field(ge=1, le=10, description="Tenants of the pool that move at the same time.")] = 1
    hours: Annotated[
        Annotated[str, Field(pattern="^([01][0-9]|2[0-3])-([01][0-9]|2[0-3])$")] | None,
        Field(description="In which moves begin, in UTC, such as 22-06. Where absent, at any time."),
    ] = None


class MoveStatus(Model):
    """A tenant that the pool moves, would move, or cannot."""

    tenant: str  # namespace/name
    source: str
    target: str = ""  # empty: there is no room for it, or it stays
    state: Annotated[str, one_of("Moving", "Planned", "NoRoom", "Stays", "GivenUp")]
    why: str = ""
