"""Traces go to whom the setting names, a pass with its parts, and to nobody without it. The collector is a real HTTP server."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from provider.api.verdict import NotReady
from provider.cluster.errors import Unreachable
from provider.settings import Settings
from provider.telemetry import tracing

SECRET = "a tenant's own words"


class Collector(BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    taken: list[Span]
    services: set[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        plain = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
        for each in ExportTraceServiceRequest.FromString(plain).resource_spans:
            self.services.update(
                one.value.string_value for one in each.resource.attributes if one.key == "service.name"
            )
            for scope in each.scope_spans:
                self.taken.extend(scope.spans)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def endpoint() -> Iterator[str]:
    Collector.taken, Collector.services = [], set()
    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def nobody_listens_afterwards() -> Iterator[None]:
    yield
    if tracing._tracer is not None:
        tracing._tracer.span_processor.shutdown()
        tracing._tracer = None


def attributes(span: Span) -> dict[str, str]:
    return {each.key: each.value.string_value for each in span.attributes}


async def passed(key: tuple[str, str]) -> float | None:
    with tracing.span("part service"):
        pass
    for error in (NotReady("SecretMissing", SECRET), Unreachable(SECRET)):
        try:
            with tracing.span("part deployment"):
                raise error
        except Exception as raised:
            assert raised is error
    return 5.0


async def test_a_pass_is_a_span_with_its_parts_in_it_and_no_message(endpoint: str) -> None:
    tracing.start(Settings(traces_endpoint=endpoint))
    assert await tracing.passes("tenant", passed)(("tenants", "demo")) == 5.0
    tracing._tracer.span_processor.force_flush()
    by_name: dict[str, list[Span]] = {}
    for each in Collector.taken:
        by_name.setdefault(each.name, []).append(each)
    (whole,) = by_name["pass tenant"]
    assert Collector.services == {tracing.SERVICE}
    assert attributes(whole) == {"k8s.namespace.name": "tenants", "kamaji.name": "demo"}
    parts = [*by_name["part service"], *by_name["part deployment"]]
    assert {each.parent_span_id for each in parts} == {whole.span_id}
    assert [attributes(each) for each in by_name["part deployment"]] == [
        {"kamaji.reason": "SecretMissing"},
        {"kamaji.reason": "Unreachable"},
    ]
    assert SECRET not in str(Collector.taken)


async def test_without_the_setting_a_pass_is_the_same_and_nothing_is_sent(endpoint: str) -> None:
    tracing.start(Settings())
    assert await tracing.passes("tenant", passed)(("tenants", "demo")) == 5.0
    assert tracing._tracer is None
    assert Collector.taken == []


async def test_a_pass_whose_collector_is_away_is_not_held_up() -> None:
    tracing.start(Settings(traces_endpoint="http://127.0.0.1:9/v1/traces"))
    assert await tracing.passes("tenant", passed)(("tenants", "demo")) == 5.0
