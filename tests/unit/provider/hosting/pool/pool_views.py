"""Views of pools for the tests beside this module."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from provider.api import kinds
from provider.api.datastorepool import DataStorePool
from provider.hosting.desired.pool import PARTS
from provider.hosting.reconcile.mint import RandomMint
from provider.hosting.storeview import PoolView
from provider.hosting.view import Seen
from provider.manifest import meta
from provider.settings import Settings

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def pool_view(spec: dict[str, Any] | None = None, **also: Any) -> PoolView:
    raw = meta.new(kinds.DATA_STORE_POOL, "default", spec=spec or {})
    raw["metadata"] |= {"uid": "11111111-2222-3333-4444-555555555555", "generation": 1}
    view = PoolView(
        pool=DataStorePool.parse(raw),
        raw=raw,
        seen=Seen(),
        classes=(
            {"metadata": {"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}},
        ),
        settings=Settings(),
        now=NOW,
        mint=RandomMint(),
    )
    return replace(view, **also)


def applied(view: PoolView) -> PoolView:
    """The view after a pass over an API server that takes everything as it is said."""
    for _, build in PARTS:
        view = view.folded(*build(view))
    return view


def node(name: str, *, ready: bool = True, taints: tuple[str, ...] = (), unschedulable: bool = False) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": f"{name}.example"}},
        "spec": {"taints": [{"key": each, "effect": "NoSchedule"} for each in taints], "unschedulable": unschedulable},
        "status": {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
    }
