"""Resource quantities (k8s.io/apimachinery resource.Quantity): "512Mi", "1.5G", "2e9". Read where a limit sizes something."""

from __future__ import annotations

import re
from decimal import Decimal

SUFFIXES = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate(("K", "M", "G", "T", "P", "E"), start=1)},
}
BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
LARGEST = 2**63 - 1  # Kubernetes takes larger ones for this
SHAPE = re.compile(r"([+-]?(?:[0-9]+[.]?[0-9]*|[.][0-9]+))(?:[eE]([+-]?[0-9]{1,9})|([A-Za-z]{0,2}))", re.ASCII)


def whole(quantity: str | int | float) -> int:
    """The quantity in whole units (bytes of memory), rounded up. ValueError when it is none."""
    return _rounded(quantity, Decimal(1))


def milli(quantity: str | int | float) -> int:
    """The quantity in thousandths (of a core), rounded up. ValueError when it is none."""
    return _rounded(quantity, Decimal(1000))


def of_milli(thousandths: int) -> str:
    """So many thousandths, as an API server writes them."""
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)


def of_bytes(size: int) -> str:
    """So many bytes, as an API server writes what came with a binary suffix."""
    power = 0
    while size and size % 1024 == 0 and power < len(BINARY) - 1:
        size, power = size // 1024, power + 1
    return f"{size}{BINARY[power]}"


def _rounded(quantity: str | int | float, scale: Decimal) -> int:
    found = SHAPE.fullmatch(str(quantity))
    if found is None or (found[3] or "") not in SUFFIXES:
        raise ValueError(f"{quantity!r} is no quantity such as 512Mi")
    number, exponent, suffix = found.groups()
    value = Decimal(f"{number}e{exponent or 0}")
    if not value:
        return 0
    if value.adjusted() > 40:  # so large that writing it out would take for ever
        return LARGEST if value > 0 else -LARGEST
    value *= SUFFIXES[suffix or ""] * scale
    return max(-LARGEST, min(LARGEST, int(value.to_integral_value(rounding="ROUND_CEILING"))))
