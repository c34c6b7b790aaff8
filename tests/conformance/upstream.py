"""Upstream's own kinds, out of the Go modules of its releases, and what of ours takes less than they do.

`upstream.toml` names the modules by version and sum; nothing of them is kept here. Called by the tests of A20.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lab import capi_repository
from provider.manifest import Manifest

CONFIG = Path(__file__).parents[2] / "config" / "crd"
TABLE = Path(__file__).with_name("upstream.toml")
Schema = dict[str, Any]
AT_MOST, AT_LEAST = ("maximum", "maxLength", "maxItems"), ("minimum", "minLength", "minItems")
RULES, UNIQUE, FREE = "x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-preserve-unknown-fields"
EITHER = "x-kubernetes-int-or-string"


@dataclass(frozen=True)
class Pair:
    """One kind: upstream's CRD of the release, and ours."""

    kind: str
    theirs: Manifest
    ours: Manifest

    def schemas(self) -> Iterator[tuple[str, Schema, Schema]]:
        """What upstream's newest version says, beside each version of ours."""
        (last,) = [each for each in self.theirs["spec"]["versions"] if each["storage"]]
        for each in self.ours["spec"]["versions"]:
            yield each["name"], _schema(last), _schema(each)


@cache
def table() -> dict[str, Any]:
    """upstream.toml."""
    return tomllib.loads(TABLE.read_text())


def module(name: str) -> Path:
    """Folder of a release's module, fetched by the Go client."""
    return capi_repository.fetched(table()["modules"][name], TABLE)


@cache
def pairs() -> list[Pair]:
    """All kinds that upstream has, by the file of ours."""
    found = []
    for name, row in table()["modules"].items():
        for ours, theirs in row["crds"].items():
            document = _read(module(name) / theirs)
            found.append(Pair(document["spec"]["names"]["kind"], document, _read(CONFIG / ours)))
    return found


def less(theirs: Schema, ours: Schema, path: str = "") -> Iterator[str]:
    """What ours does not take, or reads otherwise, of what theirs takes: `path: word of the schema`."""
    for word in _words(theirs, ours):
        yield f"{path}: {word}"
    if ours.get(FREE):
        return
    for name, said in (theirs.get("properties") or {}).items():
        below = f"{path}.{name}" if path else name
        known = (ours.get("properties") or {}).get(name)
        if known is None:
            yield f"{below}: missing"
        else:
            yield from less(said, known, below)
    for word, sign in (("items", "[]"), ("additionalProperties", ".*")):
        if isinstance(said := theirs.get(word), dict):
            yield from less(said, ours.get(word) or {}, f"{path}{sign}")


def _words(theirs: Schema, ours: Schema) -> Iterator[str]:
    if theirs.get("type") != ours.get("type") or bool(theirs.get(EITHER)) != bool(ours.get(EITHER)):
        yield "type"
    if "default" in theirs and theirs["default"] != ours.get("default"):
        yield "default"
    if "default" in ours and "default" not in theirs:
        yield "default of ours"
    yield from (word for word in AT_MOST if word in ours and ours[word] < theirs.get(word, float("inf")))
    yield from (word for word in AT_LEAST if word in ours and ours[word] > theirs.get(word, 0))
    if "pattern" in ours and ours["pattern"] != theirs.get("pattern"):
        yield "pattern"
    if "enum" in ours and not set(theirs.get("enum") or [None]) <= set(ours["enum"]):
        yield "enum"
    if ours.get(UNIQUE) in ("set", "map") and theirs.get(UNIQUE) not in ("set", "map"):
        yield "unique"
    yield from (f"required {each}" for each in ours.get("required") or () if each not in (theirs.get("required") or ()))
    if {each["rule"] for each in ours.get(RULES) or ()} - {each["rule"] for each in theirs.get(RULES) or ()}:
        yield "rules"


def _read(file: Path) -> Manifest:
    """By the C parser, for CRDs are long."""
    found: Manifest = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)
    return found


def _schema(version: dict[str, Any]) -> Schema:
    found: Schema = version["schema"]["openAPIV3Schema"]
    return found
