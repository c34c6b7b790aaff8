"""`kamaji top`: what each tenant takes (CPU, memory, bytes in its store, writes) and costs. Pure; called by `commands`.

CPU and memory are of its control plane's pods, by the metrics server; the store's numbers are those that the provider samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provider.api import names
from provider.cli.format import Order
from provider.cli.prices import Amount, Prices
from provider.hosting import quota
from provider.manifest import Manifest, meta, quantity
from provider.overview.rows import Column, Row

COLUMNS = (
    Column("NAMESPACE", "namespace"),
    Column("NAME", "name"),
    Column("CPU", "cpu"),
    Column("ASKED", "cpuRequested"),
    Column("MEMORY", "memory"),
    Column("ASKED", "memoryRequested"),
    Column("STORED", "storage"),
    Column("WRITES/MIN", "writesPerMinute"),
)
COST = Column("A MONTH", "cost")
OVER = ("Succeeded", "Failed")
SUMS = ("cpu", "cpuRequested", "memory", "memoryRequested", "storage", "writesPerMinute", "cost")
"""What a last line adds up. CPU is in thousandths of a core, memory and storage in bytes."""

Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Pods:
    """What a tenant's pods ask for and use; None: not known."""

    asked: tuple[int, int] | None  # thousandths of a core, bytes
    used: tuple[int, int] | None


def pods(keys: Iterable[Key], found: Iterable[Manifest] | None, measured: Iterable[Manifest] | None) -> dict[Key, Pods]:
    """Of each of these tenants. None: pods cannot be listed, no metrics server tells. A tenant without pods takes nothing."""
    running: dict[Key, list[Manifest]] = {}
    for each in found or ():
        if (each.get("status") or {}).get("phase") not in OVER:
            running.setdefault(_of(each), []).append(each)
    usage = {(*_of(each), each["metadata"]["name"]): _used(each) for each in measured or ()}
    result = {}
    for key in keys:
        some = running.get(key, [])
        known = [usage[name] for each in some if (name := (*key, each["metadata"]["name"])) in usage]
        complete = found is not None and len(known) == len(some)
        asked = None if found is None else _added(map(_asked, some))
        result[key] = Pods(asked=asked, used=_added(known) if complete else None)
    return result


def row(tenant: Manifest, found: Pods, prices: Prices | None) -> Row:
    """Plain numbers; `unmeasured` names what is not known, and so is not in the cost."""
    metadata, storage = tenant["metadata"], (tenant.get("status") or {}).get("storage") or {}
    usage: Mapping[str, Any] = storage.get("usage") or {}
    asked, used = found.asked, found.used
    said: Row = {
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "cpu": used[0] if used else None,
        "cpuRequested": asked[0] if asked else None,
        "memory": used[1] if used else None,
        "memoryRequested": asked[1] if asked else None,
        "storage": usage.get("bytes"),
        "writesPerMinute": usage.get("writesPerMinute"),
    }
    said["unmeasured"] = [key for key in ("cpu", "memory", "storage", "writesPerMinute") if said[key] is None]
    return said if prices is None else said | {"cost": prices.of(_amount(said)), "currency": prices.currency}


def ordered(rows: Sequence[Row], by: Order) -> list[Row]:
    """By name, or the most of something first."""
    if by is Order.NAME:
        return sorted(rows, key=lambda each: (each["namespace"], each["name"]))
    key = {Order.WRITES: "writesPerMinute"}.get(by, str(by))
    return sorted(rows, key=lambda each: (-(each.get(key) or 0), each["namespace"], each["name"]))


def shown(rows: Sequence[Row]) -> list[Row]:
    """The same for a table, with what all of them take together."""
    lines = list(rows)
    if len(lines) > 1:
        sums: Row = {key: sum(each.get(key) or 0 for each in rows) for key in SUMS}
        some = {each for line in rows for each in line["unmeasured"]}
        lines.append({"name": "together", **sums, "unmeasured": sorted(some), "currency": rows[0].get("currency")})
    return [_worded(each) for each in lines]


def _worded(each: Row) -> Row:
    least = "≥ " if each["unmeasured"] else ""
    cost = None if each.get("cost") is None else f"{least}{each['cost']:.2f} {each['currency']}".rstrip()
    return {
        **each,
        **{key: _words(each[key], quantity.of_milli) for key in ("cpu", "cpuRequested")},
        **{key: _words(each[key], quota.words) for key in ("memory", "memoryRequested", "storage")},
        "cost": cost,
    }


def _words(value: int | None, words: Any) -> str | None:
    return None if value is None else str(words(value))


def _amount(said: Row) -> Amount:
    return Amount(
        cores=max(said["cpu"] or 0, said["cpuRequested"] or 0) / 1000,
        memory=max(said["memory"] or 0, said["memoryRequested"] or 0),
        storage=said["storage"] or 0,
        writes=said["writesPerMinute"] or 0,
    )


def _of(pod: Manifest) -> Key:
    return (pod["metadata"]["namespace"], meta.labels_of(pod).get(names.LABEL_NAME, ""))


def _asked(pod: Manifest) -> tuple[int, int]:
    return _added(_read((each.get("resources") or {}).get("requests")) for each in pod["spec"].get("containers") or ())


def _used(measured: Manifest) -> tuple[int, int]:
    return _added(_read(each.get("usage")) for each in measured.get("containers") or ())


def _read(said: Mapping[str, Any] | None) -> tuple[int, int]:
    return quantity.milli((said or {}).get("cpu", 0)), quantity.whole((said or {}).get("memory", 0))


def _added(found: Iterable[tuple[int, int]]) -> tuple[int, int]:
    both = list(found)
    return sum(each[0] for each in both), sum(each[1] for each in both)
