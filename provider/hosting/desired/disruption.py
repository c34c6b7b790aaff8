"""Keeps one API server up while nodes of the management cluster are drained: a PodDisruptionBudget from two replicas on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provider.api import kinds, names
from provider.hosting.view import View
from provider.manifest import Manifest, meta

NAME = "disruption"


def build(view: View) -> Iterator[Manifest]:
    """Nothing below two replicas: a budget of one pod would only stop the drain."""
    if view.tcp.deployment.replicas < 2:
        return
    manifest = meta.new(
        kinds.POD_DISRUPTION_BUDGET,
        view.name,
        view.namespace,
        labels=names.tenant_labels(view.name, NAME),
        spec={
            "maxUnavailable": 1,
            "selector": {"matchLabels": {names.LABEL_NAME: view.name}},
            # A pod that is not ready protects nobody; it must not stop a drain.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    )
    yield meta.owned(manifest, view.raw)


def report(view: View) -> dict[str, Any]:
    """Nothing: upstream's status has no place for it."""
    return {}
