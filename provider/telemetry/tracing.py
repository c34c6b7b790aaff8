"""Traces of passes, as OTLP over HTTP, where `KAMAJI_TRACES_ENDPOINT` says to whom; else nothing of it is even imported.

A pass is a span, and each part that it takes is one in it. Spans carry names of kinds, objects and parts, and the kind of an
error that ended them: no object, and no message, which may be another server's words.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from provider.api.verdict import Verdict
from provider.settings import Settings

TIMEOUT = 2.0  # seconds for one sending: the pod has ten to end in
SERVICE = "kamaji-provider"
K = TypeVar("K")

_tracer: Any = None  # None: nobody listens


def start(settings: Settings) -> None:
    """Send what follows, if the settings say to whom. ValueError where the packages for it are not there."""
    global _tracer  # noqa: PLW0603  (of the process, as metrics and logs are)
    if not settings.traces_endpoint:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise ValueError("KAMAJI_TRACES_ENDPOINT is set: install capi-kamaji[traces], or unset it") from error
    resource = Resource.create({"service.name": SERVICE, "service.instance.id": settings.identity})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.traces_endpoint, timeout=TIMEOUT))
    )
    _tracer = provider.get_tracer(SERVICE)


@contextmanager
def span(name: str, **attributes: str) -> Iterator[None]:
    """What goes on inside. An error that ends it is told by its class, a verdict by its reason."""
    if _tracer is None:
        yield
        return
    with _tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield
        except Exception as error:
            reason = error.reason if isinstance(error, Verdict) else type(error).__name__
            current.set_attribute("kamaji.reason", reason)
            if not isinstance(error, Verdict):
                from opentelemetry.trace import StatusCode  # noqa: PLC0415

                current.set_status(StatusCode.ERROR, reason)
            raise


def passes(kind: str, handler: Callable[[K], Awaitable[float | None]]) -> Callable[[K], Awaitable[float | None]]:
    """The same handler of a queue, each of its passes a span."""

    async def traced(key: K) -> float | None:
        namespace, name = key if isinstance(key, tuple) else ("", str(key))
        with span(f"pass {kind}", **{"k8s.namespace.name": namespace, "kamaji.name": name}):
            return await handler(key)

    return traced
