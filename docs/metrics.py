"""docs/metrics.md: every metric, out of the table that the program makes them from."""

from __future__ import annotations

from collections.abc import Iterator

from provider.telemetry.metric import SUBJECTS, Metric, Of
from provider.telemetry.table import TABLE

HEAD = """# Metrics

Made from `provider/telemetry/table.py` by `make generate`. The provider serves them at `:8080/metrics` (`KAMAJI_METRICS_PORT`;
0: not at all); of several replicas the one that acts has those of all objects. Labels are bounded: a series goes
with the object that it tells of; nothing that a tenant can write is a label. Nothing is asked for them
that passes do not ask anyway. They carry no secret, but the names of tenants: a NetworkPolicy decides who may scrape.

With the Prometheus operator: `kubectl apply -k config/prometheus` gives it a PodMonitor and the alerts of
[runbook.md](runbook.md#alerts). Without it, scrape the pods labelled `app.kubernetes.io/name: kamaji-provider` at port
`metrics`. `config/grafana` holds two dashboards, of the fleet and of one tenant. [helm.md](helm.md) names the values that
switch all of them on.

SLOs, in PromQL: time to joinable is
`histogram_quantile(0.9, sum by (le) (rate(kamaji_birth_seconds_bucket{phase="Joinable"}[1d])))`; a tenant's availability, as
we see it, is `avg_over_time(kamaji_tenant_api_up[30d])`.

Traces are off. With `KAMAJI_TRACES_ENDPOINT=http://collector:4318/v1/traces` (Helm: `settings.tracesEndpoint`) each pass is a
span, sent by OTLP over HTTP, and each part that it takes a span in it.
"""
TITLES: dict[Of, str] = {
    "process": "Of the process",
    "tenant": "Of each tenant",
    "controlplane": "Of each KamajiControlPlane",
    "credential": "Of each certificate",
    "store": "Of each DataStore",
    "pool": "Of each DataStorePool",
    "schedule": "Of each TenantBackupSchedule with drills",
}


def page() -> str:
    """The whole file."""
    return "\n".join([HEAD, *(line for of, title in TITLES.items() for line in _section(of, title))])


def _section(of: Of, title: str) -> Iterator[str]:
    labels = ", ".join(f"`{each}`" for each in SUBJECTS[of])
    yield f"## {title}\n"
    if labels:
        yield f"Labels of all of them: {labels}.\n"
    yield "| metric | type | tells | labels | set by |\n|---|---|---|---|---|"
    yield from (_row(each) for each in TABLE if each.of == of)
    yield ""


def _row(metric: Metric) -> str:
    name = metric.series[0] if metric.kind != "histogram" else metric.name
    labels = "; ".join(_label(metric, each) for each in metric.more)
    return f"| `{name}` | {metric.kind} | {metric.help} | {labels} | `{metric.where.removeprefix('provider.')}` |"


def _label(metric: Metric, label: str) -> str:
    values = metric.values.get(label, ())
    return f"`{label}`: {', '.join(values)}" if values else f"`{label}`"
