"""How often pods are made anew without a change of the spec: more than a few times an hour is a loop, and is stopped.

Called by the tenant pass: `judged` before its walk, `noted` when the Deployment was applied. What is counted is what the API
server makes of our words, so that it is a rollout and no other way to write the same. State lives in this process only: after
a restart a loop has its budget once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from provider.api import names
from provider.hosting.view import View
from provider.manifest import Manifest, checksum, compare, meta

Key = tuple[str, str]
"""(namespace, name) of a TenantControlPlane."""

LIMIT = 6  # rollouts, where no setting says otherwise; a rotation of everything that signs takes three or four
WINDOW = timedelta(hours=1)
RETRY = timedelta(days=1)  # after which one is let through: what was renewed has to reach the pods some day
NAMED = 8  # differences that are told


@dataclass
class _Record:
    """Of one tenant, since its spec or an annotation of ours changed last."""

    cause: str
    times: list[datetime] = field(default_factory=list)  # of rollouts; as many of the last as may be
    differences: tuple[str, ...] = ()  # between what the pods were made of before and after the last
    stopped: bool = False


@dataclass
class Rollouts:
    """The rollouts of all tenants."""

    limit: int = LIMIT
    _records: dict[Key, _Record] = field(default_factory=dict)

    def judged(self, key: Key, view: View) -> View:
        """The view that knows whether the pods are to stay as they are."""
        record = self._records.get(key)
        if record is None or record.cause != _cause(view):
            self._records[key] = _Record(_cause(view))
            return view
        recent = [each for each in record.times if view.now - each < WINDOW]
        record.stopped = record.stopped or len(recent) >= self.limit
        held = record.stopped and view.now - record.times[-1] < RETRY
        return replace(view, stopped=record.differences) if held else view

    def noted(self, key: Key, view: View, before: Manifest | None, applied: Manifest) -> None:
        """What came of the Deployment: another template rolls the pods, if there are any."""
        record = self._records.get(key)
        if record is None or before is None or not applied["spec"].get("replicas"):
            return
        found = tuple(compare.differences(before["spec"]["template"], applied["spec"]["template"]))
        if found:
            more = (f"and {len(found) - NAMED} more",) if len(found) > NAMED else ()
            record.times = [*record.times, view.now][-self.limit :]
            record.differences = (*found[:NAMED], *more)
        elif record.stopped and not view.stopped:
            self._records[key] = _Record(record.cause)  # it was let through and had nothing to change: the loop is over

    def forget(self, key: Key) -> None:
        """The tenant is gone."""
        self._records.pop(key, None)


def _cause(view: View) -> str:
    """What a user says: the spec, and the annotations that are ours. Who asks for a pool's authority says it of the pool."""
    said: Mapping[str, str] = meta.annotations_of(view.raw)
    ours = sorted((key, value) for key, value in said.items() if names.KAMAJI_GROUP in key)
    pooled = checksum.of({"": view.store.ca}) if view.store is not None and view.store.pooled else ""
    return f"{view.tcp.metadata.generation} {ours} {pooled}"
