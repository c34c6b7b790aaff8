"""Whether a tenant's store keeps it apart: what was asked with the tenant's own credentials, and that all of it was refused."""

from __future__ import annotations

from collections.abc import Mapping

from provider.api.verdict import Verdict
from provider.hosting.view import View
from provider.manifest.condition import Condition

TYPE = "StorageIsolated"
BROKEN = "IsolationBroken"
PART = "datastore"


def conditions(view: View, declined: Mapping[str, Verdict]) -> list[Condition]:
    """One, and none before the store was reached for the first time."""
    verdict = declined.get(PART)
    if verdict is not None and verdict.reason == BROKEN:
        return [Condition(type=TYPE, status="False", reason=BROKEN, message=verdict.message)]
    if view.refused:
        message = f"tried with its own credentials, and refused: {', '.join(view.refused)}"
        return [Condition(type=TYPE, status="True", reason="Refused", message=message)]
    if verdict is not None and view.keyspace is not None:
        message = f"not proven: {verdict.message}"
        return [Condition(type=TYPE, status="Unknown", reason=verdict.reason, message=message)]
    return []
