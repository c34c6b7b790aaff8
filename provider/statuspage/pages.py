"""Each page's answer for one user: what is there, as far as he may see it by his own rights. Called by `server`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.cluster.client import Cluster
from provider.cluster.runtime import Runtime
from provider.hosting.observe.tenant import HERE
from provider.manifest import Manifest
from provider.statuspage import answers, watching
from provider.statuspage.kept import Kept
from provider.statuspage.reviews import Reviews, Right, User
from provider.statuspage.watching import Watched

READ = tuple(each for each in HERE if each is not kinds.SECRET)
"""Of a tenant's objects. No Secret: the page holds none, so it can show none."""
FRESH, TENANTS = 2.0, 64  # seconds for which a tenant's objects count, and of how many tenants


class NotAllowed(Exception):
    """He may not see it; says what."""


class NotThere(Exception):
    """He might see it, but it does not exist."""


@dataclass(frozen=True, kw_only=True)
class Pages:
    """Made once by `of`."""

    cluster: Cluster
    clock: Callable[[], datetime]
    reviews: Reviews
    tenants: Watched
    data_stores: Watched
    pools: Watched
    looked: Kept[tuple[str, str, Kind], Any]

    @classmethod
    def of(cls, runtime: Runtime) -> Pages:
        """Over the management cluster, in the namespace that the provider watches."""
        cluster, where = runtime.cluster, runtime.settings.watch_namespace or None
        return cls(
            cluster=cluster,
            clock=runtime.clock,
            reviews=Reviews(cluster),
            tenants=Watched(cluster, kinds.TENANT_CONTROL_PLANE, where, watching.tenant),
            data_stores=Watched(cluster, kinds.DATA_STORE, None, watching.store),
            pools=Watched(cluster, kinds.DATA_STORE_POOL, None, watching.pool),
            looked=Kept(FRESH, TENANTS * (len(READ) + 1), time.monotonic),
        )

    async def stop(self) -> None:
        """The process ends."""
        for each in (self.tenants, self.data_stores, self.pools):
            await each.stop()

    async def fleet(self, user: User) -> dict[str, Any]:
        """All tenants of the namespaces in which he may list them."""
        visible = await self._visible(user)
        if visible is None:
            raise NotAllowed(
                f"{user.name} may not list tenantcontrolplanes, neither everywhere nor where there are any"
            )
        return answers.fleet(visible, self.clock())

    async def tenant(self, user: User, namespace: str, name: str) -> dict[str, Any]:
        """One; who may not get it does not learn whether it is there."""
        if not await self.reviews.may(user, Right("get", kinds.TENANT_CONTROL_PLANE, namespace, name)):
            raise NotAllowed(f"{user.name} may not get tenantcontrolplane {namespace}/{name}")
        kind = kinds.TENANT_CONTROL_PLANE
        found = await self.looked.get((namespace, name, kind), partial(self.cluster.get, kind, name, namespace))
        if found is None:
            raise NotThere(f"there is no TenantControlPlane {namespace}/{name}")
        allowed = await asyncio.gather(*(self.reviews.may(user, Right("list", each, namespace)) for each in READ))
        shown = [each for each, yes in zip(READ, allowed, strict=True) if yes]
        objects = await asyncio.gather(*(self._objects(each, namespace, name) for each in shown))
        hidden = [each.kind for each in READ if each not in shown]
        return answers.tenant(found, [one for some in objects for one in some], hidden, self.clock())

    async def stores(self, user: User) -> dict[str, Any]:
        """DataStores and pools, and the tenants in them by how they do, as far as he may see them."""
        if not await self.reviews.may(user, Right("list", kinds.DATA_STORE)):
            raise NotAllowed(f"{user.name} may not list datastores")
        pools = await self.pools.now() if await self.reviews.may(user, Right("list", kinds.DATA_STORE_POOL)) else []
        tenants = await self._visible(user) or []
        return answers.stores(await self.data_stores.now(), pools, tenants)

    async def _visible(self, user: User) -> list[Manifest] | None:
        """Tenants that he may list; None where he may in no namespace that has some."""
        found = await self.tenants.now()
        spaces = {each["metadata"]["namespace"] for each in found}
        within = await self.reviews.within(user, "list", kinds.TENANT_CONTROL_PLANE, spaces)
        if within is None:
            return found
        return [each for each in found if each["metadata"]["namespace"] in within] if within else None

    async def _objects(self, kind: Kind, namespace: str, name: str) -> list[Manifest]:
        ask = partial(self.cluster.list, kind, namespace, labels={names.LABEL_NAME: name})
        found: list[Manifest] = await self.looked.get((namespace, name, kind), ask)
        return found
