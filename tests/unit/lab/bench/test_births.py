"""Births are measured in a namespace of their own, of which nothing is left."""

from __future__ import annotations

from typing import Any

from lab.bench import births
from provider.api import kinds
from provider.api.kinds import Kind


class Ending:
    """A management cluster in which a namespace takes a few looks to go."""

    def __init__(self) -> None:
        self.asked: list[tuple[Kind, str]] = []
        self.looks = 3

    async def delete(self, kind: Kind, name: str) -> bool:
        self.asked.append((kind, name))
        return True

    async def get(self, kind: Kind, name: str) -> dict[str, Any] | None:
        assert self.asked, "it is asked to go first"
        self.looks -= 1
        return {"metadata": {"name": name}} if self.looks else None


async def test_the_namespace_of_births_is_gone_when_they_are_over() -> None:
    management = Ending()
    await births.Births(management=management, version="v1.36.3").leave()  # type: ignore[arg-type]
    assert (management.asked, management.looks) == ([(kinds.NAMESPACE, births.NAMESPACE)], 0)
