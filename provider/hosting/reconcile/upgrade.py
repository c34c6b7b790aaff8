"""Has the version of a tenant's pods decided, before the walk, and looks up what that takes. Called by the tenant pass."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from provider.api.verdict import Verdict
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.hosting import upgrade
from provider.hosting.observe import upgrade as observe
from provider.hosting.upgrade.skew import Kubelet
from provider.hosting.view import View
from provider.manifest import Manifest

log = logging.getLogger(__name__)

Dial = Callable[[], Awaitable[Cluster]]
"""A connection to the tenant's API server. Verdict while there is none."""


async def settled(cluster: Cluster, view: View, dial: Dial) -> View:
    """The view with its rollout. ApiError when the management cluster (`cluster`) does not answer."""
    kubelets: list[Kubelet] | None = None
    replica_sets: list[Manifest] = []
    match upgrade.question(view):
        case "kubelets":
            kubelets = await _kubelets(dial)
        case "replica sets":
            replica_sets = await observe.replica_sets(cluster, view)
    rollout = upgrade.decided(view, kubelets, replica_sets)
    if rollout and replica_sets:
        log.warning("%s/%s: %s", view.namespace, view.name, rollout.message)
    return replace(view, rollout=rollout)


async def _kubelets(dial: Dial) -> list[Kubelet] | None:
    """None when the tenant cannot be asked now (ValueError: by this kubeconfig): nothing is known, and an upgrade waits."""
    try:
        return await observe.kubelets(await dial())
    except (Verdict, ApiError, ValueError):
        return None
