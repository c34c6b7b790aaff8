"""What to do next about a reason: `runbook.toml`, read. Used by `explain`, and by the page docs/runbook.md."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

BLANK = re.compile(r"\b(NAMESPACE|NAME|STORE)\b")


@dataclass(frozen=True, slots=True)
class Advice:
    """A sentence, commands that show more, and commands that mend it, as far as one sentence can know."""

    next: str
    look: tuple[str, ...]
    mend: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()  # of a TenantControlPlane's spec: what a user set there may be the cause

    def about(self, namespace: str, name: str, store: str) -> Advice:
        """The same with these names put in."""
        put = {"NAMESPACE": namespace, "NAME": name, "STORE": store or "<store>"}
        look, mend = (
            tuple(BLANK.sub(lambda found: put[found[0]], each) for each in some) for some in (self.look, self.mend)
        )
        return replace(self, look=look, mend=mend)


SPEC = Advice(
    "Change what the message names; nothing moves until then.", ("kubectl -n NAMESPACE edit tenantcontrolplane NAME",)
)


@cache
def groups() -> tuple[tuple[tuple[str, ...], Advice], ...]:
    """All of it: the reasons, and what is said of them."""
    read = tomllib.loads(resources.files("provider.overview").joinpath("runbook.toml").read_text())
    return tuple((tuple(each["reasons"]), _advice(each)) for each in read["advice"])


def _advice(said: Mapping[str, Any]) -> Advice:
    commands = {key: tuple(said.get(key, ())) for key in ("look", "mend", "fields")}
    return Advice(said["next"], **commands)


def advice(reason: str) -> Advice:
    """For a reason; one that no group has is a fault of the spec's."""
    return next((each for reasons, each in groups() if reason in reasons), SPEC)
