"""docs/runbook.md: what to do about each reason of a condition, out of the same data that `kamaji explain` speaks from,
and about each alert."""

from __future__ import annotations

from docs import alerts
from provider.overview import runbook

HEAD = """# Runbook

Made from `provider/overview/runbook.toml` by `make generate`. Conditions of TenantControlPlanes, DataStores and DataStorePools
say in `message` what is wrong; this says what to do next and where to look, by `reason`. `kamaji explain NAMESPACE/NAME` prints
the entries that a tenant needs, with its names put in. A reason that is not here is the spec's: change what its message names.
What to do about an [alert](#alerts) is at the end.
"""


def page() -> str:
    """The whole file."""
    return "\n".join([HEAD, *(_entry(reasons, advice) for reasons, advice in runbook.groups()), alerts.section()])


def _entry(reasons: tuple[str, ...], advice: runbook.Advice) -> str:
    words = ", ".join(f"`{each}`" for each in sorted(reasons))
    commands = "\n".join(advice.look)
    return f"## {words}\n\n{advice.next}\n\n```sh\n{commands}\n```\n"
