"""The next request of one container for one resource.

It is raised when most of it is in use at two looks, which a start alone seldom is, and lowered when little of it was for ten
minutes. Both aim between the two, so that a load that stays as it is changes a request once and no more.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

HIGH, AIM, LOW = 85, 60, 40  # percent of a request that is in use: raised above, what is aimed at, lowered below
STEP = 150  # percent of it that a raised request is at least: who starves takes no more than it is given
PATIENCE = 600.0  # seconds for which little has to be in use


@dataclass(frozen=True, kw_only=True)
class Range:
    """What may be asked for."""

    least: int
    most: int

    def clamped(self, value: int) -> int:
        """The value, or the end that is next to it."""
        return max(self.least, min(self.most, value))


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is taken now for sure, and the most that was lately; None: that is not known for long enough."""

    now: int
    peak: int | None = None


@dataclass
class History:
    """What was taken in the last while."""

    taken: deque[tuple[float, int]] = field(default_factory=deque)

    def seen(self, now: float, value: int) -> Load:
        """The load with this value, at this moment (monotonic seconds)."""
        before = self.taken[-1][1] if self.taken else 0
        self.taken.append((now, value))
        whole = now - self.taken[0][0] >= PATIENCE
        while now - self.taken[0][0] > PATIENCE:
            self.taken.popleft()
        return Load(now=min(before, value), peak=max(each for _, each in self.taken) if whole else None)


def decided(asked: int, load: Load, bounds: Range, grain: int) -> int:
    """The next request, in whole grains where the bounds let it be."""
    asked = bounds.clamped(asked)
    if load.now * 100 > asked * HIGH:
        return bounds.clamped(_rounded(max(_aimed(load.now), -(-asked * STEP // 100)), grain))
    if load.peak is not None and load.peak * 100 < asked * LOW:
        return bounds.clamped(min(asked, _rounded(_aimed(load.peak), grain)))
    return asked


def _aimed(taken: int) -> int:
    return -(-taken * 100 // AIM)


def _rounded(value: int, grain: int) -> int:
    return -(-value // grain) * grain
