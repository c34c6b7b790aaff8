"""What a tenant costs, by a file with prices. Pure; called by `top`."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from provider.cli.trouble import Trouble
from provider.manifest import yamltext

GIB = 2**30
MINUTES = 730 * 60  # in a month
KEYS = ("currency", "tenant", "cpu", "memory", "storage", "writes")
LONGEST = 8  # characters of a currency


@dataclass(frozen=True, kw_only=True)
class Amount:
    """What a tenant has and takes; of CPU and memory what it asks for or uses, whichever is more."""

    cores: float
    memory: int  # bytes
    storage: int  # bytes
    writes: int  # a minute


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Of a month, but for `writes`: of a million of them."""

    currency: str = ""
    tenant: float = 0.0
    cpu: float = 0.0  # of a core
    memory: float = 0.0  # of a GiB
    storage: float = 0.0  # of a GiB in the store
    writes: float = 0.0

    def of(self, amount: Amount) -> float:
        """A month of that."""
        return round(
            self.tenant
            + self.cpu * amount.cores
            + self.memory * amount.memory / GIB
            + self.storage * amount.storage / GIB
            + self.writes * amount.writes * MINUTES / 1e6,
            2,
        )


def read(text: str, file: str) -> Prices:
    """Trouble names what is wrong in it."""
    try:
        found = yamltext.read(text.encode())
    except (yaml.YAMLError, ValueError) as error:
        raise Trouble(f"{file} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict) or not found:
        raise Trouble(f"{file} has no prices: write some of {', '.join(KEYS)}, each with a number")
    for key in found:
        if key not in KEYS:
            close = difflib.get_close_matches(str(key), KEYS, 1)
            raise Trouble(f"{file}: there is no price {key!r}; " + (f"did you mean {close[0]}?" if close else _known()))
    return Prices(currency=_currency(found, file), **{key: _number(found, key, file) for key in KEYS[1:]})


def _known() -> str:
    return f"there are {', '.join(KEYS)}"


def _currency(found: Mapping[str, Any], file: str) -> str:
    value = found.get("currency", "")
    if not isinstance(value, str) or len(value) > LONGEST or not value.isprintable():
        raise Trouble(f"{file}: currency is a word of at most {LONGEST} letters, such as EUR")
    return value


def _number(found: Mapping[str, Any], key: str, file: str) -> float:
    value = found.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise Trouble(f"{file}: {key} is a number that is not below 0, such as 18.5")
    return float(value)
