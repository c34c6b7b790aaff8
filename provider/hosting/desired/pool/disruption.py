"""One member at a time may be taken from its node. Nothing for a single one: a budget of that would only stop the drain."""

from __future__ import annotations

from collections.abc import Iterator

from provider.api import kinds, poolnames
from provider.hosting.desired.pool import ownership
from provider.hosting.storeview import PoolView
from provider.manifest import Manifest


def build(view: PoolView) -> Iterator[Manifest]:
    """A PodDisruptionBudget. A member that is not ready uses it up: taking another would take the quorum."""
    if view.pool.spec.members > 1:
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": ownership.labels(view)}}
        yield ownership.namespaced(view, kinds.POD_DISRUPTION_BUDGET, poolnames.etcd(view.name), {"spec": spec})
