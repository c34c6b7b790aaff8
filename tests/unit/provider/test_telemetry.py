"""Log lines that people or machines read, other libraries kept low, and metrics under the names that are documented."""

from __future__ import annotations

import gc
import json
import logging
import re
import sys
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, exposition

from provider import telemetry
from provider.settings import Settings
from provider.telemetry import JsonLines, QueueGauges, table
from provider.telemetry.metric import Metric
from provider.telemetry.subjects import SHOWN, Subjects

ROOT = Path(__file__).parents[3]
CERTIFICATES = tuple(f"certificate-{each}" for each in range(14))


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in telemetry.QUIET}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def record(message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("provider.x", logging.WARNING, "x.py", 1, message, arguments, info)
    made.created = 1795521600.25
    return made


def test_a_json_line_says_when_how_loud_who_and_what() -> None:
    line = JsonLines().format(record("tenant %s: %s", "tenants/demo", "wärtet\nlange"))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-11-24T12:00:00.250+00:00",
        "level": "warning",
        "logger": "provider.x",
        "message": "tenant tenants/demo: wärtet\nlange",
    }


def test_a_json_line_has_the_traceback_when_there_is_one() -> None:
    try:
        raise RuntimeError("ours")
    except RuntimeError as error:
        line = JsonLines().format(record("failed", error=error))
    assert "\n" not in line
    assert "RuntimeError: ours" in json.loads(line)["traceback"]


@pytest.mark.parametrize(("form", "kind"), [("json", JsonLines), ("plain", logging.Formatter)])
def test_lines_are_written_as_the_settings_say(form: str, kind: type) -> None:
    telemetry.start(Settings(log_format=form, metrics_port=0))
    (handler,) = logging.getLogger().handlers
    assert type(handler.formatter) is kind
    assert isinstance(handler, logging.StreamHandler)
    assert handler.stream is sys.stderr


def test_our_lines_are_told_and_other_libraries_only_their_warnings() -> None:
    telemetry.start(Settings(metrics_port=0))
    assert logging.getLogger("provider.hosting").isEnabledFor(logging.INFO)
    for name in ("aiohttp.access", "kopf.objects", "etcd3aio.kv", "asyncio"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
        assert logging.getLogger(name).isEnabledFor(logging.WARNING)


@pytest.mark.parametrize(("port", "served"), [(0, []), (8080, [8080])])
def test_metrics_are_served_on_their_port_or_not_at_all(
    port: int, served: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    ports: list[int] = []
    monkeypatch.setattr(telemetry, "start_http_server", ports.append)
    telemetry.start(Settings(metrics_port=port))
    assert ports == served


def value(series: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(series, labels)


def test_what_a_queue_tells_becomes_metrics_by_kind_outcome_and_reason() -> None:
    gauges, kind = QueueGauges(), "of-this-test"
    gauges.depth(kind, 3)
    gauges.waited(kind, 0.2)
    gauges.passed(kind, "done", 0.02)
    gauges.failed(kind, "Conflict")
    gauges.failed(kind, "Conflict")
    assert value("kamaji_queue_depth", kind=kind) == 3
    assert value("kamaji_queue_wait_seconds_sum", kind=kind) == 0.2
    assert value("kamaji_reconcile_seconds_count", kind=kind, outcome="done") == 1
    assert value("kamaji_reconcile_seconds_bucket", kind=kind, outcome="done", le="0.03") == 1
    assert value("kamaji_reconcile_errors_total", kind=kind, reason="Conflict") == 2


def test_what_a_store_and_a_tenant_show_goes_with_them_and_can_go_twice() -> None:
    tenant = {"tcp_namespace": "a", "tcp_name": "b", "datastore_name": "gone"}
    telemetry.show_usage("a", "b", "gone", {"bytes": 5, "keys": 2, "writes": 0.5})
    telemetry.show_usage("a", "b", "other", {"bytes": 6})
    telemetry.subjects.show(table.STORE_BYTES, ("gone",), {("size",): 7.0})
    telemetry.STORE_UPKEEP.labels("gone", "compacted").inc()
    assert value("kamaji_tenant_storage_writes_per_second", **tenant) == 0.5
    assert value("kamaji_datastore_bytes", datastore_name="gone", what="size") == 7
    telemetry.hide_usage("a", "b", "gone")
    for _ in range(2):
        telemetry.hide_store("gone")
    assert value("kamaji_tenant_storage_bytes", **tenant) is None
    assert value("kamaji_tenant_storage_bytes", **{**tenant, "datastore_name": "other"}) == 6
    assert value("kamaji_datastore_bytes", datastore_name="gone", what="size") is None
    assert value("kamaji_datastore_upkeep_total", datastore_name="gone", what="compacted") is None
    telemetry.hide_tenant("a", "b")
    assert value("kamaji_tenant_storage_bytes", **{**tenant, "datastore_name": "other"}) is None


def test_when_certificates_end_is_told_until_their_tenant_is_gone() -> None:
    def told(certificate: str) -> float | None:
        return value(table.CERTIFICATE_END.name, namespace="tenants", name="demo", certificate=certificate)

    end = datetime(2026, 11, 24, tzinfo=UTC)
    telemetry.show_ends("tenants", "demo", {"ca": end, "leaf": end})
    telemetry.show_ends("tenants", "demo", {"ca": end})
    assert (told("ca"), told("leaf")) == (end.timestamp(), None)
    telemetry.hide_ends("tenants", "demo")
    assert told("ca") is None


@pytest.mark.parametrize("metric", table.TABLE, ids=lambda each: each.name)
def test_names_types_and_labels_are_as_prometheus_has_them(metric: Metric) -> None:
    assert re.fullmatch(r"kamaji(_[a-z]+)+", metric.name)
    assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket")), "the exposition adds that"
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", each) and each not in ("le", "quantile") for each in metric.labels)
    assert metric.values.keys() <= set(metric.more)
    assert bool(metric.buckets) == (metric.kind == "histogram")
    if metric.kind == "histogram":
        assert metric.name.endswith("_seconds") and list(metric.buckets) == sorted(metric.buckets)


@pytest.mark.parametrize("metric", table.TABLE, ids=lambda each: each.name)
def test_where_a_metric_is_set_is_where_the_table_says(metric: Metric) -> None:
    (called,) = (name for name, each in vars(table).items() if each is metric)
    path = metric.where.replace(".", "/")
    source = next(each for each in (ROOT / f"{path}.py", ROOT / path / "__init__.py") if each.exists()).read_text()
    words = {"CERTIFICATE_END": "show_ends", "STORAGE": "show_usage"}
    assert called in source or next((word in source for key, word in words.items() if called.startswith(key)), False)


def test_everything_that_is_exposed_is_in_the_table() -> None:
    exposed = {
        family.name: (family.type, tuple(family.samples[0].labels) if family.samples else ())
        for family in REGISTRY.collect()
        if family.name.startswith("kamaji")
    }
    assert exposed.keys() == {each.name for each in table.TABLE}
    for metric in table.TABLE:
        kind, labels = exposed[metric.name]
        assert kind == metric.kind
        assert set(labels) - {"le"} <= set(metric.labels)


def test_a_thousand_tenants_take_little_and_leave_nothing() -> None:
    shown = Subjects()
    gc.collect()
    tracemalloc.start()
    for number in range(1000):
        key = (f"namespace-{number}", f"tenant-{number}")
        for metric in SHOWN:
            if metric.of == "tenant":
                shown.show(metric, key, {tuple(f"{each}-{number}" for each in metric.more): float(number)})
        shown.show(table.CERTIFICATE_END, key, {(each,): float(number) for each in CERTIFICATES})
    taken, _ = tracemalloc.get_traced_memory()
    text = exposition.generate_latest(shown)  # type: ignore[arg-type]
    assert text.count(b"namespace-999") == sum(each.of == "tenant" for each in SHOWN) + len(CERTIFICATES)
    del text
    for number in range(1000):
        for of in ("tenant", "credential"):
            shown.hide(of, (f"namespace-{number}", f"tenant-{number}"))
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 8 * 2**20
    assert left < taken / 4
    assert all(not family.samples for family in shown.collect())
