"""docs/runbook.md: what to do about each reason of a condition, out of the same data that `kamaji explain` speaks from,
and about each alert."""

from __future__ import annotations

import re

from docs import alerts
from provider.overview import runbook
from provider.overview.runbook import Advice

HEAD = """# Runbook

Made from `provider/overview/runbook.toml` by `make generate`. Conditions of TenantControlPlanes, DataStores and
DataStorePools say in `message` what is wrong; this says what to do next and where to look, by `reason`. `kamaji explain
NAMESPACE/NAME` prints the entries that a tenant needs, with its names put in. A reason that is not here is the spec's: change
what its message names. What to do about an [alert](#alerts) is at the end. `NAMESPACE/NAME` is the tenant's.
"""
SHOWN = 3  # reasons in a heading


def page() -> str:
    """The whole file."""
    groups = list(runbook.groups())
    return "\n".join([HEAD, _index(groups), *(_entry(*each) for each in groups), alerts.section()])


def _index(groups: list[tuple[tuple[str, ...], Advice]]) -> str:
    """Each reason, by letter, and where it is told of."""
    found = {reason: _anchor(_heading(reasons)) for reasons, _ in groups for reason in reasons}
    rows: dict[str, list[str]] = {}
    for reason in sorted(found):
        rows.setdefault(reason[0], []).append(f"[{reason}](#{found[reason]})")
    listed = "\n".join(f"| {letter} | {', '.join(each)} |" for letter, each in rows.items())
    return f"## Reasons by letter\n\n| | reason |\n|---|---|\n{listed}\n"


def _heading(reasons: tuple[str, ...]) -> str:
    words = ", ".join(f"`{each}`" for each in sorted(reasons)[:SHOWN])
    return f"{words} and more" if len(reasons) > SHOWN else words


def _anchor(heading: str) -> str:
    """As forges and the site make it."""
    return re.sub(r"[`,]", "", heading).lower().replace(" ", "-")


def _entry(reasons: tuple[str, ...], advice: Advice) -> str:
    others = ", ".join(f"`{each}`" for each in sorted(reasons)[SHOWN:])
    also = f"Also {others}.\n\n" if others else ""
    return f"## {_heading(reasons)}\n\n{also}{advice.next}\n\n{_block(advice.look)}{_mends(advice)}"


def _mends(advice: Advice) -> str:
    """What ends it, as far as that can be said of all tenants."""
    fields = ", ".join(f"`spec.{each}`" for each in advice.fields)
    taken = f"\nWhere one of these is set, `kamaji explain` prints how it is taken back: {fields}.\n" if fields else ""
    return (f"\nThis mends it:\n\n{_block(advice.mend)}" if advice.mend else "") + taken


def _block(commands: tuple[str, ...]) -> str:
    return "```sh\n" + "\n".join(commands) + "\n```\n"
