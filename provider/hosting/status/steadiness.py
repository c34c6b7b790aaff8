"""What a status tells of a number that moves by itself: the value it was told at last, until it is far from that.

So an unchanged world writes nothing although no store is ever quite still. The metrics have every value.
"""

from __future__ import annotations

from collections.abc import Mapping

SHARE = 10  # percent of what was told


def far(told: int, now: int, floor: int) -> bool:
    """Whether a value is worth another word: it moved by more than `floor` and by more than a tenth of what was told."""
    return abs(now - told) > max(floor, told * SHARE // 100)


def steady(told: Mapping[str, int], now: Mapping[str, int], floors: Mapping[str, int]) -> dict[str, int]:
    """What to tell, number by number. One without a floor is told as it is."""
    return {
        name: value
        if name not in floors or name not in told or far(int(told[name]), value, floors[name])
        else told[name]
        for name, value in now.items()
    }
