"""Log lines, metrics and traces: set up once by `__main__`; `table` names all metrics, and nobody else does.

Nothing here or elsewhere logs an object, a Secret's content or an answer's body.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from prometheus_client import Histogram, disable_created_metrics, start_http_server

from provider.settings import Settings
from provider.telemetry import table, tracing
from provider.telemetry.instruments import (
    API_SECONDS,
    BIRTHS,
    CONTROL_PLANE_BIRTHS,
    GRANT_DRIFT,
    LEADER,
    STORE_UPKEEP,
    QueueGauges,
)
from provider.telemetry.metric import Metric
from provider.telemetry.subjects import Subject, subjects

__all__ = [
    "API_SECONDS",
    "BIRTHS",
    "CONTROL_PLANE_BIRTHS",
    "GRANT_DRIFT",
    "LEADER",
    "QUIET",
    "STORE_UPKEEP",
    "JsonLines",
    "QueueGauges",
    "hide_ends",
    "hide_store",
    "hide_tenant",
    "hide_usage",
    "show_birth",
    "show_ends",
    "show_usage",
    "start",
    "subjects",
    "table",
    "tracing",
]

QUIET = {"aiohttp": logging.WARNING, "kopf": logging.WARNING, "etcd3aio": logging.WARNING, "asyncio": logging.WARNING}
"""Libraries whose everyday lines are not ours."""

USAGE = {"bytes": table.STORAGE_BYTES, "keys": table.STORAGE_KEYS, "writes": table.STORAGE_WRITES}


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the traceback when there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def show_usage(namespace: str, name: str, store: str, usage: Mapping[str, float]) -> None:
    """What a tenant takes up in a store, by the keys of `USAGE`."""
    for what, value in usage.items():
        subjects.lay(USAGE[what], (namespace, name), {(store,): value})


def hide_usage(namespace: str, name: str, store: str) -> None:
    """The tenant is gone from the store."""
    for metric in USAGE.values():
        subjects.drop(metric, (namespace, name), [(store,)])


def hide_store(store: str) -> None:
    """The store is gone."""
    subjects.hide("store", (store,))
    for counter in (STORE_UPKEEP, GRANT_DRIFT):
        counter.remove_by_labels({"datastore_name": store})


def hide_tenant(namespace: str, name: str) -> None:
    """The tenant is gone."""
    for of in ("tenant", "credential"):
        subjects.hide(of, (namespace, name))


def show_birth(metric: Metric, births: Histogram, subject: Subject, phases: Mapping[str, float]) -> None:
    """Seconds of each phase of one birth, of the subject and among all births. Once for each birth."""
    subjects.show(metric, subject, {(phase,): seconds for phase, seconds in phases.items()})
    for phase, seconds in phases.items():
        births.labels(phase).observe(seconds)


def show_ends(namespace: str, name: str, ends: Mapping[str, datetime]) -> None:
    """When certificates of a tenant or a DataStore end; what is not among them any more goes."""
    told: dict[tuple[str, ...], float] = {(certificate,): end.timestamp() for certificate, end in ends.items()}
    subjects.show(table.CERTIFICATE_END, (namespace, name), told)


def hide_ends(namespace: str, name: str) -> None:
    """The tenant or the DataStore is gone."""
    subjects.hide("credential", (namespace, name))


def start(settings: Settings) -> None:
    """Log to standard error as the settings say, and serve metrics on their port (0: not at all)."""
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if settings.log_format == "json" else plain)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)
    tracing.start(settings)
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each counter, which nobody asks for
    if settings.metrics_port:
        start_http_server(settings.metrics_port)
