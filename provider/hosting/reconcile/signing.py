"""Signs cluster-info while a control plane has just begun to serve. Run beside the session of a tenant that arrives.

kube-controller-manager, whose work this is, begins it a second or two after the API server serves: it asks once a second
whether there is one, and then starts forty controllers. Until then no node could join although all else is ready. So for the
first moments we sign too. Both write the same bytes, and what is not right any more its signer takes away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.hosting.desired.kubeadm import clusterinfo, signature
from provider.hosting.reconcile.pacing import Key
from provider.manifest import Manifest

FIRST_MOMENTS = 30.0  # seconds for which we sign
PAUSE = 0.1  # seconds until cluster-info is looked for again, which a pass is about to write


@dataclass(kw_only=True)
class Signing:
    """Signs in tenants that have just begun to serve."""

    clock: Callable[[], datetime]
    moments: float = FIRST_MOMENTS

    async def attend(self, _: Key, session: Cluster) -> None:
        """Sign for each token that is there or comes, for a while; then return."""
        try:
            async with asyncio.timeout(self.moments):
                await self._sign(session)
        except (TimeoutError, ApiError):
            return  # from here on it is kube-controller-manager's alone, as it is after a restart of ours

    async def _sign(self, session: Cluster) -> None:
        fields = {"type": signature.TOKEN_TYPE}
        async for change in session.watch(kinds.SECRET, signature.TOKENS_NAMESPACE, fields=fields):
            if change.object and change.type != "DELETED":
                await self._sign_for(session, change.object)

    async def _sign_for(self, session: Cluster, token: Manifest) -> None:
        where = (clusterinfo.NAME, clusterinfo.NAMESPACE)
        while (found := await session.get(kinds.CONFIG_MAP, *where)) is None:
            await asyncio.sleep(PAUSE)
        if missing := signature.lacking(found, [token], self.clock()):
            await session.merge(kinds.CONFIG_MAP, *where, {"data": missing}, manager=names.HOSTING_MANAGER)
