"""Whether the tunnel to a tenant's nodes works, told by asking a kubelet through it, and its end. Called by the tenant pass.

Every API server has a proxy server of its own, so each is asked: through its node proxy it asks the kubelet of a node for its
health, by the way that exec, logs and port-forward take. What was seen to work is not asked again until something about it
changes: another pod serves, or the agents' own readiness does. What does not work is asked again ever more rarely.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from provider.api import kinds, names
from provider.cluster import address
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.hosting.desired.konnectivity import agent, sidecar
from provider.hosting.status import konnectivity as words
from provider.hosting.view import ServerPod, Tunnel, View
from provider.manifest import Manifest, meta
from provider.manifest.condition import holds

Key = tuple[str, str]
"""(namespace, name) of a TenantControlPlane."""
Dial = Callable[[ServerPod], AbstractAsyncContextManager[Cluster]]
"""A connection to one serving pod, for as long as the context lasts."""

FIRST_PAUSE = 5.0  # seconds until a tunnel that does not work is asked again; doubled each time
LONGEST_PAUSE = 300.0
PATIENCE = 5.0  # seconds for one question
NODES_SEEN = 20  # of all nodes
NODES_ASKED = 2  # of those: one may be about to go


@dataclass(frozen=True)
class Signs:
    """What tells that a tunnel may be another than the one that was tried: who serves, and whether agents are connected."""

    servers: frozenset[str]
    agents: str  # uid of their DaemonSet or Deployment
    generation: int
    connected: bool


@dataclass
class _Known:
    signs: Signs
    tunnel: Tunnel
    due: float  # when it may be asked again
    pause: float  # seconds that `due` was set ahead


@dataclass
class Tunnels:
    """What is known of every tenant's tunnel, in memory only: after a restart each is asked once."""

    monotonic: Callable[[], float]
    _known: dict[Key, _Known] = field(default_factory=dict)

    async def look(self, key: Key, view: View, session: Cluster, dial: Dial) -> tuple[Tunnel | None, float | None]:
        """What is to be said of the tunnel, and seconds after which to look again; None and None while there is none."""
        if view.tcp.spec.addons.konnectivity is None:
            self.forget(key)
            await _clear(view, session)
            return None, None
        signs, now = _signs(view), self.monotonic()
        known = self._known.get(key)
        if known and known.signs == signs and (known.tunnel.works or now < known.due):
            return known.tunnel, None if known.tunnel.works else known.due - now
        tunnel = await _tried(view, session, dial, signs)
        if tunnel.works and not signs.connected:  # there are no nodes yet: nothing was tried
            self.forget(key)
            return tunnel, None
        pause = min(known.pause * 2, LONGEST_PAUSE) if known and known.signs == signs else FIRST_PAUSE
        self._known[key] = _Known(signs, tunnel, now + pause, pause)
        return tunnel, None if tunnel.works else pause

    def forget(self, key: Key) -> None:
        """The tenant or its tunnel is gone."""
        self._known.pop(key, None)


def _signs(view: View) -> Signs:
    workload = agent.workload(view) or {}
    metadata = workload.get("metadata") or {}
    return Signs(
        servers=frozenset(each.name for each in view.serving),
        agents=str(metadata.get("uid", "")),
        generation=int(metadata.get("generation", 0)),
        connected=words.connected(workload) > 0,
    )


async def _tried(view: View, session: Cluster, dial: Dial, signs: Signs) -> Tunnel:
    nodes = await session.some(kinds.NODE, NODES_SEEN)
    if not nodes:
        return words.NO_NODES
    if not signs.connected:
        return words.not_connected(view)
    asked = sorted(nodes, key=lambda node: not _ready(node))[:NODES_ASKED]
    for pod in view.serving:
        async with dial(pod) as api_server:
            failure = await _asked(api_server, [str(each["metadata"]["name"]) for each in asked])
        if failure:
            return words.silent(view, failure)
    return words.WORKS


async def _asked(cluster: Cluster, nodes: list[str]) -> str:
    """Empty when the kubelet of one of the nodes answers; else what was said last."""
    failure = ""
    for node in nodes:
        try:
            async with asyncio.timeout(PATIENCE):
                await cluster.answers(f"{address.path(kinds.NODE, None, node)}/proxy/healthz")
            return ""
        except TimeoutError:
            failure = words.TIMED_OUT
        except ApiError as error:
            failure = error.message
    return failure


def _ready(node: Manifest) -> bool:
    return holds((node.get("status") or {}).get("conditions"), "Ready")


async def _clear(view: View, session: Cluster) -> None:
    """Proxy servers that ended without taking their Lease back leave it behind, and none is left to do it for them."""
    if view.tenant is None or sidecar.needed(view):
        return
    for each in view.tenant.objects.values():
        if each["kind"] == kinds.LEASE.kind and meta.labels_of(each).get(names.LABEL_PART) == sidecar.LEASE_PART:
            metadata = each["metadata"]
            await session.delete(kinds.LEASE, metadata["name"], metadata["namespace"], uid=metadata["uid"])
