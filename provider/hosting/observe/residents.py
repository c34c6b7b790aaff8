"""What stands in the namespaces of a store's tenants of whom they trust there and what they show. Called by the pool pass."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.hosting.rotation import residents
from provider.hosting.rotation.stores import Question
from provider.hosting.storeview import Guests


async def behind(cluster: Cluster, asked: Question, tenants: Iterable[Guests]) -> tuple[str, ...]:
    """`namespace/name` of those that have yet to follow, sorted."""
    found = await asyncio.gather(*(_behind(cluster, asked, each) for each in tenants))
    return tuple(sorted(name for each in found for name in each))


async def _behind(cluster: Cluster, asked: Question, tenants: Guests) -> list[str]:
    wanted = (
        (kinds.SECRET, residents.SECRET),
        (kinds.DEPLOYMENT, residents.PODS),
        (kinds.POD, residents.PODS),
    )
    listed = await asyncio.gather(
        *(
            cluster.list(kind, tenants.namespace, labels={names.LABEL_COMPONENT: component})
            for kind, component in wanted
        )
    )
    return list(residents.behind(asked, tenants, [each for one in listed for each in one]))
