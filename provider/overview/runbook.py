"""What to do next about a reason: `runbook.toml`, read. Used by `explain`, and by the page docs/runbook.md."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

BLANK = re.compile(r"\b(NAMESPACE|NAME|STORE)\b")


@dataclass(frozen=True, slots=True)
class Advice:
    """A sentence, and commands that show more."""

    next: str
    look: tuple[str, ...]

    def about(self, namespace: str, name: str, store: str) -> Advice:
        """The same with these names put in."""
        put = {"NAMESPACE": namespace, "NAME": name, "STORE": store or "<store>"}
        return Advice(self.next, tuple(BLANK.sub(lambda found: put[found[0]], each) for each in self.look))


SPEC = Advice(
    "Change what the message names; nothing moves until then.", ("kubectl -n NAMESPACE edit tenantcontrolplane NAME",)
)


@cache
def groups() -> tuple[tuple[tuple[str, ...], Advice], ...]:
    """All of it: the reasons, and what is said of them."""
    read = tomllib.loads(resources.files("provider.overview").joinpath("runbook.toml").read_text())
    return tuple((tuple(each["reasons"]), Advice(each["next"], tuple(each["look"]))) for each in read["advice"])


def advice(reason: str) -> Advice:
    """For a reason; one that no group has is a fault of the spec's."""
    return next((each for reasons, each in groups() if reason in reasons), SPEC)
