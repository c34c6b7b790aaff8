"""The ordered table of what a tenant is made of, with needs. A wrong need fails at import. Walked by `reconcile`.

Order matters only where a need says so; the table is written in the order a reader would tell it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from provider.hosting.view import View
from provider.manifest import Manifest

Target = Literal["management", "tenant"]


class Part(Protocol):
    """A module that says part of a tenant. It holds no state and reaches no client."""

    NAME: str

    def build(self, view: View) -> Iterator[Manifest]:
        """Whole objects that should exist; none when the part is off. Raises NotReady or Invalid."""

    def report(self, view: View) -> dict[str, Any]:
        """The part's piece of `.status`, from what is seen. Never raises for an absent object: says less."""


@dataclass(frozen=True)
class Step:
    """A part in its place: where its objects go, what has to be applied before, which condition tells of it."""

    part: Part
    condition: str
    needs: tuple[str, ...] = ()
    target: Target = "management"

    @property
    def name(self) -> str:
        """The part's name; also the value of its objects' part label."""
        return self.part.NAME


def catalog(steps: Iterable[Step]) -> Sequence[Step]:
    """Check names and needs. ValueError when a need is unknown or comes later, or a name comes twice."""
    known: set[str] = set()
    ordered = tuple(steps)
    for step in ordered:
        if missing := set(step.needs) - known:
            raise ValueError(f"part {step.name} needs {', '.join(sorted(missing))}, which no earlier part is called")
        if step.name in known:
            raise ValueError(f"two parts are called {step.name}")
        known.add(step.name)
    return ordered
