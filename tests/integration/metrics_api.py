"""The API of a metrics server, without one: what it would say is written there by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from provider.api import kinds
from provider.cluster.client import Cluster
from provider.manifest import meta
from tests.integration.hosted import MANAGER
from tests.integration.in_force import let_through


@asynccontextmanager
async def metrics_served(cluster: Cluster) -> AsyncIterator[None]:
    """For as long as the block lasts."""
    name = "pods.metrics.k8s.io"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    spec = {
        "group": "metrics.k8s.io",
        "scope": "Namespaced",
        "names": {"kind": "PodMetrics", "plural": "pods"},
        "versions": [{"name": "v1beta1", "served": True, "storage": True, "schema": schema}],
    }
    made = meta.new(kinds.CUSTOM_RESOURCE_DEFINITION, name, spec=spec)
    made["metadata"]["annotations"] = {"api-approved.kubernetes.io": "unapproved, in a test"}
    await cluster.apply(made, manager=MANAGER)
    await let_through(lambda: cluster.list(kinds.POD_METRICS))
    try:
        yield
    finally:
        await cluster.delete(kinds.CUSTOM_RESOURCE_DEFINITION, name)
