"""Counters, histograms and the few gauges of the process itself, made from the table."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from provider.telemetry import table
from provider.telemetry.metric import Metric


def _gauge(metric: Metric) -> Gauge:
    return Gauge(metric.name, metric.help, metric.labels)


def _counter(metric: Metric) -> Counter:
    return Counter(metric.name, metric.help, metric.labels)


def _histogram(metric: Metric) -> Histogram:
    return Histogram(metric.name, metric.help, metric.labels, buckets=metric.buckets)


RECONCILE_SECONDS = _histogram(table.RECONCILE_SECONDS)
QUEUE_DEPTH = _gauge(table.QUEUE_DEPTH)
QUEUE_WAIT = _histogram(table.QUEUE_WAIT)
RECONCILE_ERRORS = _counter(table.RECONCILE_ERRORS)
LEADER = _gauge(table.LEADER)
BIRTHS = _histogram(table.BIRTHS)
CONTROL_PLANE_BIRTHS = _histogram(table.CONTROL_PLANE_BIRTHS)
API_SECONDS = _histogram(table.API_SECONDS)
STORE_UPKEEP = _counter(table.STORE_UPKEEP)
GRANT_DRIFT = _counter(table.GRANT_DRIFT)


class QueueGauges:
    """What a `cluster.queue.KeyedQueue` tells, as metrics."""

    def depth(self, queue: str, waiting: int) -> None:
        """How many keys wait for a worker."""
        QUEUE_DEPTH.labels(queue).set(waiting)

    def waited(self, queue: str, seconds: float) -> None:
        """A key's pass begins."""
        QUEUE_WAIT.labels(queue).observe(seconds)

    def passed(self, queue: str, outcome: str, seconds: float) -> None:
        """A pass is over."""
        RECONCILE_SECONDS.labels(queue, outcome).observe(seconds)

    def failed(self, queue: str, reason: str) -> None:
        """A pass failed."""
        RECONCILE_ERRORS.labels(queue, reason).inc()
