"""A store as something that tenants can be put in, and the choice among several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

MI = 2**20


@dataclass(frozen=True, kw_only=True)
class Stock:
    """Something of which a store has only so much: bytes, or writes a minute."""

    each: int  # set aside for a tenant
    measured: int = 0  # what is taken up, as far as it is known
    promised: int = 0  # what is set aside for tenants that do not take it up, or not yet
    most: int | None = None  # None: no limit

    @property
    def taken(self) -> int:
        """What counts as used: a tenant that has not written yet will."""
        return self.measured + self.promised

    @property
    def free(self) -> float:
        """For how many more tenants there is enough; infinite without a limit."""
        return float("inf") if self.most is None else max(0, (self.most - self.taken) // self.each)

    @property
    def share(self) -> float:
        """Of the limit, 0 without one."""
        return self.taken / self.most if self.most else 0.0

    def with_these(self, measured: int, *, leave: bool = False) -> Stock:
        """The stock after a tenant that takes up so much came, or left."""
        promised, sign = max(0, self.each - measured), -1 if leave else 1
        return replace(
            self,
            measured=max(0, self.measured + sign * measured),
            promised=max(0, self.promised + sign * promised),
        )

    def with_one_more(self) -> Stock:
        """The stock after a tenant was let in."""
        return replace(self, promised=self.promised + self.each)


BYTES = Stock(each=16 * MI)
WRITES = Stock(each=120)


@dataclass(frozen=True, kw_only=True)
class Resident:
    """What one tenant takes up in a store, as its status says; None: it was not measured, or not there."""

    bytes: int | None = None
    writes: int | None = None  # a minute


@dataclass(frozen=True, kw_only=True)
class Room:
    """What is in a store, and its limits; None: no such limit."""

    name: str
    made: bool = False
    hindrance: str = ""  # why nobody is placed in it, whatever is in it
    weight: int = 1
    tenants: int = 0
    placed: int = 0  # those of them that were put in since it was looked at
    max_tenants: int | None = None
    bytes: Stock = BYTES
    writes: Stock = WRITES  # a minute

    @property
    def free(self) -> float:
        """How many more tenants its limits allow; infinite without any."""
        by_count = float("inf") if self.max_tenants is None else max(0, self.max_tenants - self.tenants)
        return min(by_count, self.bytes.free, self.writes.free)

    @property
    def fullness(self) -> float:
        """Share of the tightest limit that is taken, 0 without any."""
        by_count = self.tenants / self.max_tenants if self.max_tenants else 0.0
        return max(by_count, self.bytes.share, self.writes.share)

    @property
    def worth(self) -> float:
        """Tenants in it, more where what was measured is as much as that of more: one that writes for ten counts as ten."""
        measured = max(each.measured / each.each for each in (self.bytes, self.writes))
        return max(self.tenants - self.placed, measured) + self.placed

    @property
    def refusal(self) -> str:
        """Why no tenant fits; empty when one does."""
        if self.hindrance:
            return self.hindrance
        return "" if self.free >= 1 else f"it is full: {self.load}"

    @property
    def load(self) -> str:
        """For people: `3 of 50 tenants, 48Mi of 3686Mi, 360 of 6000 writes a minute`."""
        tenants = f"{self.tenants} of {self.max_tenants}" if self.max_tenants is not None else str(self.tenants)
        size = f"{self.bytes.taken // MI}Mi" + (f" of {self.bytes.most // MI}Mi" if self.bytes.most is not None else "")
        most = f" of {self.writes.most}" if self.writes.most is not None else ""
        return f"{tenants} tenants, {size}, {self.writes.taken}{most} writes a minute"

    def with_resident(self, resident: Resident, *, leave: bool = False) -> Room:
        """The room after a tenant that is known came, or left."""
        return replace(
            self,
            tenants=max(0, self.tenants + (-1 if leave else 1)),
            bytes=self.bytes.with_these(resident.bytes or 0, leave=leave),
            writes=self.writes.with_these(resident.writes or 0, leave=leave),
        )

    def with_one_more(self) -> Room:
        """The room after a tenant was put in it."""
        return replace(
            self,
            tenants=self.tenants + 1,
            placed=self.placed + 1,
            bytes=self.bytes.with_one_more(),
            writes=self.writes.with_one_more(),
        )


def choose(rooms: Sequence[Room], policy: str) -> Room | None:
    """The room for one more tenant; None when none of them takes it. Equal ones go by name, so that the answer is stable."""
    open_ones = [each for each in rooms if not each.refusal]
    if not open_ones:
        return None
    if policy == "BinPack":
        return min(open_ones, key=lambda each: (-each.weight, -each.fullness, each.name))
    return min(open_ones, key=lambda each: ((each.worth + 1) / each.weight, each.fullness, each.name))


def why(chosen: Room, rooms: Sequence[Room], policy: str) -> str:
    """Why it was this one: of what it had at that moment, and what was left out."""
    rule = "the fullest that has room" if policy == "BinPack" else "the least in it for its weight"
    out = [each for each in rooms if each.refusal]
    left = f"; left out {', '.join(f'{each.name} ({each.refusal})' for each in out[:5])}" if out else ""
    more = f" and {len(out) - 5} more" if len(out) > 5 else ""
    return f"{policy}: {rule} among {len(rooms)} ({chosen.load} before){left}{more}"
