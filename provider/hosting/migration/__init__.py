"""A tenant that changes its DataStore: the steps of that, when each is taken, and where the tenant's home is in each. Pure.

    Copying ──▶ StandingBy ──▶ Frozen ──▶ Switching ──▶ Moved ──▶ (over)   home: the source up to Frozen, the target
       │            │             │            │                             from Switching on
       └────────────┴─▶ Failed ◀──┴─────── Returning                         Failed and Returning: the source again

Copying    the source is written as ever; its keys are copied, then its changes
StandingBy pods of the target come up beside those that serve, read what is copied, and are sent nothing (`standby`)
Frozen     the tenant may only read, in both stores; the copy is made level, compared and sealed
Switching  pods of the target take the place of the others; the tenant may only read there as well
Moved      the tenant writes to the target; what is in the source is erased after a while
Returning  the pods roll back; nobody has been served from the target
Failed     the tenant writes to the source; what is in the target is erased, and the reason stays until the spec changes

A step is recorded in `status.storage.migration`, together with the home (`status.storage.dataStoreName`), before anything is
done for it, and all that is done for a step can be done twice. `after` is the whole protocol; a test explores all its crashes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from provider.api.verdict import Verdict
from provider.hosting.view import Move
from provider.manifest.condition import timestamp

FREEZE_PATIENCE = timedelta(seconds=30)  # until a frozen tenant whose copy does not come level is given back
SWITCH_PATIENCE = timedelta(seconds=120)  # until one whose pods do not serve from the target is
STANDBY_PATIENCE = timedelta(seconds=180)  # until one whose pods do not come up beside the others stays where it is
SLACK = 2_000  # revisions that the source may make from the seal until its last pod has ended
KEPT = timedelta(minutes=10)  # for which what is left in the source can be looked at


class Phase(StrEnum):
    """Steps, as they are recorded."""

    COPYING = "Copying"
    STANDING_BY = "StandingBy"
    FROZEN = "Frozen"
    SWITCHING = "Switching"
    MOVED = "Moved"
    RETURNING = "Returning"
    FAILED = "Failed"


UNDER_WAY = frozenset({Phase.COPYING, Phase.STANDING_BY, Phase.FROZEN, Phase.SWITCHING, Phase.RETURNING})
COPIED = frozenset({Phase.COPYING, Phase.STANDING_BY, Phase.FROZEN})
"""In which a copy is at work."""


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What is seen of a move, now."""

    wanted: str  # the DataStore that the spec asks for
    now: datetime
    level: bool = False  # the copy has all keys, and hears of changes as they come
    floor: int = 0  # revision of the target, far above the source's, that it has had since it was level
    sealed: bool = False  # it is the same as the frozen source, and nobody writes it
    last: int = 0  # revision of the source when it was sealed
    beside: bool = False  # pods can come up beside those that serve, and may read the target
    up: bool = False  # all that shall stand by do
    failure: Verdict | None = None  # the copy cannot go on
    trouble: str = ""  # what it cannot do just now
    calm: bool = True  # no upgrade is under way, which would roll the pods as well
    strangers: bool = False  # a pod, or the Deployment, uses another store than the home
    served: bool = False  # a pod that uses the home answers
    rolled_out: bool = False  # all pods are what the Deployment asks for
    left: bool = True  # the store that is not the home may hold something


def home(move: Move) -> str:
    """The DataStore in which the tenant's state lives."""
    return move.target if move.phase in (Phase.SWITCHING, Phase.MOVED) else move.source


def away(move: Move) -> str:
    """The other one."""
    return move.source if home(move) == move.target else move.target


def all_frozen(move: Move | None) -> bool:
    """Whether that is so of all that is in the main store, not of some resources that are elsewhere."""
    return move is not None and frozen(move) and not move.resources


def frozen(move: Move | None) -> bool:
    """Whether the tenant may only read in its home. In the other store it may never do more."""
    return move is not None and move.phase in (Phase.FROZEN, Phase.SWITCHING, Phase.RETURNING)


def kept(move: Move | None, wanted: str, now: datetime) -> frozenset[str]:
    """The stores of which nothing is erased now. A tenant that goes on to another store is not waited for."""
    if move is None:
        return frozenset()
    rests = move.phase == Phase.MOVED and wanted == move.target and now - move.since < KEPT
    return frozenset({move.source, move.target} if rests or move.phase in UNDER_WAY else {home(move)})


def after(move: Move, seen: Sight) -> Move | None:
    """The next step, or the same when it is not time; None when the move is over and nothing of it is left."""
    return _STEPS[Phase(move.phase)](move, seen)


def _copying(move: Move, seen: Sight) -> Move:
    """Tenants whose pods cannot come up beside each other, and those that sleep, are frozen at once."""
    if why := _in_the_way(move, seen):
        return _given_up(move, seen, *why)
    if not (seen.level and seen.calm):
        return move
    if seen.beside and seen.floor:
        return replace(_step(move, seen, Phase.STANDING_BY), standby=seen.floor)
    return _step(move, seen, Phase.FROZEN)


def _standing_by(move: Move, seen: Sight) -> Move:
    """Nobody has been sent to pods that stand by: to give them up costs nothing, and the tenant notices neither."""
    if why := _in_the_way(move, seen):
        return _given_up(move, seen, *why)
    if seen.up and seen.level and seen.calm:
        return _step(move, seen, Phase.FROZEN)
    if seen.now - move.since > STANDBY_PATIENCE:
        message = (
            f"no pods that use DataStore {move.target} came up beside the others within {STANDBY_PATIENCE.seconds} s"
        )
        return _given_up(move, seen, "PodsNotServing", message)
    return move


def _frozen(move: Move, seen: Sight) -> Move:
    if why := _in_the_way(move, seen):
        return _given_up(move, seen, *why)
    if seen.sealed:
        return replace(_step(move, seen, Phase.SWITCHING), standby=_fit_to_serve(move, seen))
    return _given_up(move, seen, *_late(seen)) if seen.now - move.since > FREEZE_PATIENCE else move


def _fit_to_serve(move: Move, seen: Sight) -> int:
    """Pods that stand by have seen the copy come. A client that went on from a revision of that time would be shown it again:
    the source, whose revisions clients have, must not have come so far. Else pods are made anew, which see what is sealed."""
    return move.standby if seen.last + SLACK < move.standby else 0


def _switched(move: Move, seen: Sight) -> Move:
    """On, once no pod of the source is left to show its clients what is old; back only while nobody saw the target."""
    if seen.rolled_out and not seen.strangers:
        return _step(move, seen, Phase.MOVED)
    if seen.served:
        return move
    if seen.wanted != move.target:
        return replace(_step(move, seen, Phase.RETURNING), reason="Withdrawn", message=_withdrawn(move, seen))
    if seen.now - move.since > SWITCH_PATIENCE:
        message = f"no pod served from DataStore {move.target} within {SWITCH_PATIENCE.seconds} s"
        return replace(_step(move, seen, Phase.RETURNING), reason="PodsNotServing", message=message)
    return move


def _returning(move: Move, seen: Sight) -> Move:
    return move if seen.strangers else _step(move, seen, Phase.FAILED)


def _moved(move: Move, seen: Sight) -> Move | None:
    return move if seen.left else None


def _failed(move: Move, seen: Sight) -> Move | None:
    """Until the spec asks for something else: the same is not tried for ever."""
    return move if seen.left or seen.wanted == move.target else None


def _in_the_way(move: Move, seen: Sight) -> tuple[str, str] | None:
    if seen.wanted != move.target:
        return "Withdrawn", _withdrawn(move, seen)
    return (seen.failure.reason, seen.failure.message) if seen.failure else None


def _withdrawn(move: Move, seen: Sight) -> str:
    return f"{asked_by(move)} was set to {seen.wanted} on the way to {move.target}"


def _late(seen: Sight) -> tuple[str, str]:
    trouble = f": {seen.trouble}" if seen.trouble else ""
    return "CopyLate", f"the copy was not level and compared within {FREEZE_PATIENCE.seconds} s of the freeze{trouble}"


def _given_up(move: Move, seen: Sight, reason: str, message: str) -> Move:
    return replace(_step(move, seen, Phase.FAILED), reason=reason, message=message)


def _step(move: Move, seen: Sight, phase: Phase) -> Move:
    return replace(move, phase=phase, since=seen.now)


_STEPS: dict[Phase, Callable[[Move, Sight], Move | None]] = {
    Phase.COPYING: _copying,
    Phase.STANDING_BY: _standing_by,
    Phase.FROZEN: _frozen,
    Phase.SWITCHING: _switched,
    Phase.MOVED: _moved,
    Phase.RETURNING: _returning,
    Phase.FAILED: _failed,
}


def asked_by(move: Move) -> str:
    """What of the spec says where it goes."""
    return "spec.dataStoreOverrides" if move.resources else "spec.dataStore"


def begun(source: str, target: str, now: datetime, resources: tuple[str, ...] = ()) -> Move:
    """The first step."""
    began = timestamp(now)
    return Move(phase=Phase.COPYING, source=source, target=target, began=began, since=now, resources=resources)


def recorded(storage: Mapping[str, Any]) -> Move | None:
    """What `status.storage` says; None when no move is under way or was given up."""
    said = storage.get("migration")
    if not said:
        return None
    return Move(
        phase=said["phase"],
        source=said["source"],
        target=said["target"],
        began=said["began"],
        since=datetime.fromisoformat(said["since"]),
        resources=tuple(said.get("resources") or ()),
        standby=said.get("standbyRevision") or 0,
        reason=said.get("reason") or "",
        message=said.get("message") or "",
    )


def record(move: Move) -> dict[str, Any]:
    """The same as it is written."""
    said = {"phase": str(move.phase), "source": move.source, "target": move.target, "began": move.began}
    why = {key: value for key, value in (("reason", move.reason), ("message", move.message)) if value}
    standby = {"standbyRevision": move.standby or None}  # None takes it away where it stood
    some = {"resources": list(move.resources)} if move.resources else {}
    return {**said, "since": timestamp(move.since), **some, **standby, **why}
