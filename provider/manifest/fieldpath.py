"""Dotted paths into parsed JSON, as users write them: `metadata.labels.team`, `metadata.labels.example\\.com/team`.

A backslash makes the character after it part of a name, as in kubectl's JSON paths.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ESCAPE = "\\"


def segments(path: str) -> tuple[str, ...]:
    """The names along a path. ValueError when one is empty, or the path ends in a backslash."""
    names, name, escaped = [], "", False
    for character in path:
        if escaped or character not in (ESCAPE, "."):
            name, escaped = name + character, False
        elif character == ESCAPE:
            escaped = True
        else:
            names.append(name)
            name = ""
    names.append(name)
    if escaped or "" in names:
        raise ValueError(path)
    return tuple(names)


def at(document: Mapping[str, Any], path: str) -> Any:
    """The value a path leads to. KeyError when nothing is there; ValueError when it is no path. Lists are not entered."""
    found: Any = document
    for name in segments(path):
        if not isinstance(found, Mapping):
            raise KeyError(path)
        found = found[name]
    return found
