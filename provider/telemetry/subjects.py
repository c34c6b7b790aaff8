"""Gauges of tenants, stores and pools: many series, which go with what they tell of.

One table of tuples rather than prometheus_client's objects, of which each series has several: at a thousand tenants they would
be a quarter of the process (decision 0046). It is read as a whole when somebody scrapes, which happens in another thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from threading import Lock

from prometheus_client import REGISTRY
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector, CollectorRegistry

from provider.telemetry.metric import Metric, Of
from provider.telemetry.table import TABLE

Subject = tuple[str, ...]
Extra = tuple[str, ...]
"""Values of a metric's labels beside its subject's."""
Values = Mapping[Extra, float]

SHOWN = tuple(each for each in TABLE if each.kind == "gauge" and each.of != "process")


class Subjects(Collector):
    """What is shown of each subject."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._lock = Lock()
        self._shown: dict[str, dict[Subject, tuple[tuple[Extra, float], ...]]] = {each.name: {} for each in SHOWN}
        if registry is not None:
            registry.register(self)

    def show(self, metric: Metric, subject: Subject, values: Values) -> None:
        """All that there is of this metric of the subject; what was shown and is not among it goes."""
        shown, now = self._shown[metric.name], tuple(values.items())
        with self._lock:
            if not now:
                shown.pop(subject, None)
            elif shown.get(subject) != now:
                shown[subject] = now

    def lay(self, metric: Metric, subject: Subject, values: Values) -> None:
        """These beside what is shown already."""
        self.show(metric, subject, {**dict(self._shown[metric.name].get(subject, ())), **values})

    def drop(self, metric: Metric, subject: Subject, gone: Iterable[Extra]) -> None:
        """Some of a subject's series."""
        left = dict(self._shown[metric.name].get(subject, ()))
        for each in gone:
            left.pop(each, None)
        self.show(metric, subject, left)

    def hide(self, of: Of, subject: Subject) -> None:
        """The subject is gone, and all that is shown of it."""
        for metric in SHOWN:
            if metric.of == of:
                self.show(metric, subject, {})

    def describe(self) -> Iterator[Family]:
        """Their names, for the registry."""
        return (Family(each.name, each.help, each.kind) for each in SHOWN)

    def collect(self) -> Iterator[Family]:
        """One after the other, so that only one family is large at a time."""
        for metric in SHOWN:
            family = Family(metric.name, metric.help, metric.kind)
            with self._lock:
                shown = self._shown[metric.name].copy()
            for subject, values in shown.items():
                for extra, value in values:
                    family.add_sample(metric.name, dict(zip(metric.labels, (*subject, *extra), strict=True)), value)
            yield family


subjects = Subjects(REGISTRY)
"""Those of this process."""
