"""What a metric is, before it is counted: its name, type, labels and words. `table` has all that there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Of = Literal["process", "tenant", "store", "pool", "credential", "schedule", "controlplane"]

SUBJECTS: dict[Of, tuple[str, ...]] = {
    "process": (),
    "tenant": ("tcp_namespace", "tcp_name"),
    "store": ("datastore_name",),
    "pool": ("datastorepool_name",),
    "credential": ("namespace", "name"),
    "controlplane": ("kcp_namespace", "kcp_name"),
    "schedule": ("schedule_namespace", "schedule_name"),
}
"""The first labels of each metric: whose it is. With the subject its series go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric. Counters are exposed with `_total`, histograms with `_bucket`, `_sum` and `_count`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    of: Of = "process"
    more: tuple[str, ...] = ()  # labels beside the subject's
    values: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # all that such a label can be, where that is few
    buckets: tuple[float, ...] = ()
    where: str  # the module that sets it

    @property
    def labels(self) -> tuple[str, ...]:
        """All of them, in order."""
        return (*SUBJECTS[self.of], *self.more)

    @property
    def series(self) -> tuple[str, ...]:
        """Under which names it is exposed."""
        match self.kind:
            case "counter":
                return (f"{self.name}_total",)
            case "histogram":
                return tuple(f"{self.name}_{each}" for each in ("bucket", "sum", "count"))
            case _:
                return (self.name,)
