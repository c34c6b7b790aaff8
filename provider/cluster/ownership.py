"""Whether an object already stands as we would apply it, told from what the API server recorded of our last apply.

`metadata.managedFields` says which fields server-side apply holds for us (KEP-555, in structured-merge-diff's FieldsV1). When
those are exactly the fields we would say now, and the values are there, applying again would change nothing. Pure. Called
by `cluster.apply`. When in doubt the answer is no, which costs one request and no write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from provider.manifest import Manifest
from provider.manifest.compare import contained, equal

IDENTITY = ("apiVersion", "kind")  # never owned
NAMES = ("name", "namespace")
Fields = Mapping[str, Any]
"""FieldsV1: `f:name` a field, `k:{…}` an item of a keyed list, `v:…` a member of a set, `.` the thing itself; {}: a whole."""


def fields_of(live: Manifest, manager: str) -> Fields | None:
    """What `manager` owns of the object by apply, None when it has never applied it in this version."""
    for each in live["metadata"].get("managedFields") or ():
        ours = each.get("manager") == manager and each.get("operation") == "Apply" and not each.get("subresource")
        if ours and each.get("apiVersion") == live.get("apiVersion"):
            fields: Fields = each.get("fieldsV1") or {}
            return fields
    return None


def inherited(live: Manifest, manager: str) -> list[Any] | None:
    """`managedFields` in which what `manager` wrote by Update is its own by apply; None where there is nothing to inherit.

    An operator of our name that wrote whole objects has left its fields to us. Unless they are made ours, what it said and we
    do not say would stay for ever (as in client-go's csaupgrade). Only before we first apply: what comes later by Update under
    this name is a patch of our own.
    """
    entries = list(live["metadata"].get("managedFields") or ())
    theirs = [each for each in entries if _of(each, manager, "Update")]
    if not theirs or any(_of(each, manager, "Apply") for each in entries):
        return None
    first, *rest = theirs
    fields: dict[str, Any] = first.get("fieldsV1") or {}
    for each in rest:
        fields = _united(fields, each.get("fieldsV1") or {})
    ours = {**first, "operation": "Apply", "apiVersion": live["apiVersion"], "fieldsV1": fields}
    return [*(each for each in entries if each not in theirs), ours]


def _of(entry: Mapping[str, Any], manager: str, operation: str) -> bool:
    return (entry.get("manager"), entry.get("operation"), entry.get("subresource", "")) == (manager, operation, "")


def _united(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    both = {key: _united(one[key], other[key]) for key in one.keys() & other.keys()}
    return {**one, **other, **both}


def stands(desired: Manifest, live: Manifest, fields: Fields, *, exact: bool) -> bool:
    """Whether applying `desired` would change nothing.

    `exact` asks that what is owned as a whole (atomic lists and maps) is equal; without it, it may hold more, such as
    defaults. It may be left out only when `desired` is known to be what was applied last.
    """
    said = {key: value for key, value in desired.items() if key not in IDENTITY}
    said["metadata"] = {key: value for key, value in desired["metadata"].items() if key not in NAMES}
    return _stands(said, live, fields, exact)


def emptied(desired: Manifest, fields: Fields) -> dict[str, Any]:
    """Merge patch that takes away what we own inside objects that are said to be empty now; empty when there is none.

    Server-side apply makes null of an object whose last field it takes away, and the API server then refuses its own doing
    where the schema asks for an object (seen with Kubernetes 1.36).
    """
    patch: dict[str, Any] = {}
    for key, value in desired.items():
        inner = fields.get(f"f:{key}") or {}
        if not isinstance(value, dict):
            continue
        owned = {each[2:]: None for each in inner if each.startswith("f:")}
        if found := emptied(value, inner) if value else owned:
            patch[key] = found
    return patch


def _stands(desired: Any, live: Any, fields: Fields, exact: bool) -> bool:
    children = {key: value for key, value in fields.items() if key != "."}
    if not children:
        return equal(desired, live) if exact else contained(desired, live)
    if isinstance(desired, dict):
        return _object_stands(desired, live or {}, children, exact)
    if isinstance(desired, list):
        return _list_stands(desired, live or [], children, exact)
    return False


def _object_stands(desired: Mapping[str, Any], live: Any, fields: Fields, exact: bool) -> bool:
    said = {f"f:{key}": value for key, value in desired.items() if value is not None}
    if said.keys() != fields.keys() or not isinstance(live, dict):
        return False
    return all(_stands(value, live.get(key[2:]), fields[key], exact) for key, value in said.items())


def _list_stands(desired: list[Any], live: Any, fields: Fields, exact: bool) -> bool:
    if len(desired) != len(fields) or not isinstance(live, list):
        return False
    if all(key.startswith("v:") for key in fields):
        members = [json.loads(key[2:]) for key in fields]
        return all(each in members and each in live for each in desired)
    places = []
    for key, inner in fields.items():
        if not key.startswith("k:"):
            return False
        identity = json.loads(key[2:])
        wanted, found = _item(desired, identity, absent=True), _item(live, identity, absent=False)
        if wanted is None or found is None or not _stands(desired[wanted], live[found], inner, exact):
            return False
        places.append((wanted, found))
    in_order = [found for _, found in sorted(places)]
    return in_order == sorted(in_order)  # the order of containers, environment variables and the like means something


def _item(items: Sequence[Any], identity: Mapping[str, Any], *, absent: bool) -> int | None:
    """Index of the one item with this identity; `absent`: a key it does not say may be a default."""
    found = [
        index
        for index, each in enumerate(items)
        if isinstance(each, dict)
        and all(each[key] == value if key in each else absent for key, value in identity.items())
    ]
    return found[0] if len(found) == 1 else None
