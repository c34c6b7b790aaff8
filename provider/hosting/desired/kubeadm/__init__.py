"""What `kubeadm join` of a worker looks for inside a tenant, and the access it needs for that. No bootstrap token is made.

One part: a tenant is joinable with all of it or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provider.api import kinds
from provider.hosting import credential
from provider.hosting.desired.kubeadm import access, clusterconfig, clusterinfo, kubeletconfig
from provider.hosting.view import View
from provider.manifest import Manifest, checksum

NAME = "kubeadm"


def build(view: View) -> Iterator[Manifest]:
    """ConfigMaps, Roles and their bindings. Invalid when a kubelet patch cannot be applied."""
    yield kubeletconfig.build(view)
    yield clusterconfig.build(view)
    yield from access.build()
    yield clusterinfo.build(view)


def report(view: View) -> dict[str, Any]:
    """`kubeadmPhase.bootstrapToken`: the checksum of what cluster-info says, without the tokens' signatures."""
    found = view.tenant.get(kinds.CONFIG_MAP, clusterinfo.NAME, clusterinfo.NAMESPACE) if view.tenant else None
    said = ((found or {}).get("data") or {}).get(clusterinfo.KEY)
    if said is None:
        return {}
    before = (view.status.get("kubeadmPhase") or {}).get("bootstrapToken")
    return {
        "kubeadmPhase": {
            "bootstrapToken": credential.stamped(view, {"checksum": checksum.of({clusterinfo.KEY: said})}, before)
        }
    }
