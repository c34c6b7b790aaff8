"""TLSRoutes of one tenant and the Gateways that took them, where the management cluster serves Gateway API at all.

Looked up at each use, so that it may come and go while we run. Called by `observe.tenant`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from provider.api import kinds
from provider.api.exposure import ParentReference
from provider.cluster.client import Cluster
from provider.cluster.errors import NotFound
from provider.hosting.desired.gateway import accepted
from provider.hosting.view import Seen, key_of
from provider.manifest import Manifest

Found = tuple[list[Manifest], Seen]
"""The routes, and the Gateways that took one of them."""


async def of_tenant(cluster: Cluster, namespace: str, labels: Mapping[str, str]) -> Found | None:
    """None where no TLSRoute is served. A Gateway is read only once it took our route: others are not ours to see."""
    try:
        routes = await cluster.list(kinds.TLS_ROUTE, namespace, labels=labels)
    except NotFound:
        return None
    wanted = dict.fromkeys(each for route in routes for each in _gateways(route))
    gateways = await asyncio.gather(*(cluster.get(kinds.GATEWAY, name, where) for where, name in wanted))
    return routes, Seen({key_of(each): each for each in gateways if each is not None})


def _gateways(route: Manifest) -> list[tuple[str, str]]:
    """(namespace, name) of the Gateways that took the route; a name of dots can be nobody's."""
    parents = [ParentReference.parse(each["parentRef"]) for each in accepted(route)]
    here = route["metadata"]["namespace"]
    return [(each.namespace or here, each.name) for each in parents if each.is_gateway and each.name.strip(".")]
