"""Whether two values of Kubernetes' JSON say the same: what Go writes with omitempty, and what an API server fills in.

Called by `cluster.ownership` and by builders that look at what stands. Objects are dicts, as JSON is read: asking for any
Mapping took a tenth of a quiet pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def equal(one: Any, other: Any) -> bool:
    """Equality in which an absent value and an empty one are the same, as in what Go writes with omitempty."""
    if isinstance(one, dict) and isinstance(other, dict):
        return all(equal(one.get(key), other.get(key)) for key in one.keys() | other.keys())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other) or (not one and not other and None in (one, other))


def contained(desired: Any, live: Any) -> bool:
    """Whether `live` says all that `desired` says: objects key by key, lists item by item and of equal length."""
    if isinstance(desired, dict) and isinstance(live, dict):
        return all(contained(value, live.get(key)) for key, value in desired.items())
    if isinstance(desired, list) and isinstance(live, list):
        return len(desired) == len(live) and all(map(contained, desired, live))
    return equal(desired, live)


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Where two values differ, as paths. Names of keys, of named items and of flags; never a value, which may be a secret."""
    if equal(one, other):
        return
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            word = f"[{key}]" if "/" in key or "." in key else f".{key}" if path else key
            yield from differences(one.get(key), other.get(key), path + word)
    elif isinstance(one, list) and isinstance(other, list):
        yield from _of_lists(one, other, path)
    else:
        yield path


def _of_lists(one: list[Any], other: list[Any], path: str) -> Iterator[str]:
    """Item by item where they have names, else by the set of them; where that is the same, it is the order."""
    found, wanted = _named(one), _named(other)
    if len(found) < len(one) or len(wanted) < len(other):
        yield path
        return
    for name in sorted(found.keys() | wanted.keys()):
        yield from differences(found.get(name), wanted.get(name), f"{path}[{name}]")
    if found.keys() == wanted.keys() and list(found) != list(wanted):
        yield f"{path} (order)"


def _named(items: list[Any]) -> dict[str, Any]:
    """Items by their names: objects that have one, flags. What has none, or the name of another, is left out."""
    found: dict[str, Any] = {}
    for each in items:
        if isinstance(each, dict) and isinstance(each.get("name"), str):
            found.setdefault(each["name"], each)
        elif isinstance(each, str) and each.startswith("-"):
            found.setdefault(each.partition("=")[0], each)
    return found


def without_nulls(value: Any) -> Any:
    """What an API server answers may hold nulls, such as a template's creationTimestamp, which say nothing."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value
