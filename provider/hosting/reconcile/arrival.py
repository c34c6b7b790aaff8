"""How a tenant's API servers are reached by us, and the first moment at which one answers. Called by the tenant pass.

The kubelet tells of an API server up to two seconds after that is ready. So while none of a tenant serves, as at birth and
after sleep, we knock at one that starts, at its own address, and call for a pass when it says that we can begin. We do not
knock for ever: of what takes longer, or goes away again, the kubelet tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypedDict

from provider.api import names
from provider.api.verdict import NotReady
from provider.cluster.errors import ApiError
from provider.cluster.session import Tenants
from provider.hosting.endpoint import Endpoint
from provider.hosting.observe import tenant as observe
from provider.hosting.reconcile.pacing import Key
from provider.hosting.view import ServerPod, View

FIRST_PAUSE = 0.05  # seconds between two knocks; each time a little longer
LONGEST_PAUSE = 1.0
LENGTHENED = 1.02
# Before it makes its default roles and priority classes an API server waits a second. Our kubeconfig needs neither, nor does
# what we write inside; so that is done in this second. Ready is what the kubelet calls so, which waits for all of it.
OPEN = (
    "/readyz?exclude=poststarthook/rbac/bootstrap-roles"
    "&exclude=poststarthook/scheduling/bootstrap-system-priority-classes"
)
PATIENCE = 120.0  # seconds after which we no longer knock


class Way(TypedDict):
    """How a kubeconfig's content is to be used (`cluster.session`)."""

    server: str
    tls_server_name: str


def way_to(view: View, pod: ServerPod) -> tuple[bytes, Way]:
    """Our kubeconfig for the tenant, and how it leads to one of its pods. NotReady while there is no kubeconfig."""
    kubeconfig = observe.kubeconfig(view)
    if kubeconfig is None:
        raise NotReady("ApiServerStarting", "waiting for the kubeconfig by which we reach the API server")
    server = Endpoint(pod.address, view.tcp.network.port).url
    return kubeconfig, Way(server=server, tls_server_name=names.service_host(view.name, view.namespace))


@dataclass
class _Knock:
    pod: ServerPod
    task: asyncio.Task[None] | None = None
    answered: bool = False


@dataclass
class Arrivals:
    """Whom we knock at. In memory only: after a restart of ours the kubelet's word is there, or we knock again."""

    tenants: Tenants
    wake: Callable[[Key], None]
    _knocks: dict[Key, _Knock] = field(default_factory=dict)

    def serving(self, key: Key, view: View) -> list[ServerPod]:
        """The tenant's pods that serve; at its birth the one that does so although the kubelet has not told yet."""
        if view.serving:
            self.forget(key)
            return view.serving
        knock = self._knocks.get(key)
        if knock is not None and knock.pod not in view.starting:
            self.forget(key)
            knock = None
        if knock is None and view.starting and observe.kubeconfig(view):
            knock = self._knocks[key] = _Knock(view.starting[0])
            knock.task = asyncio.create_task(self._knock(key, knock, view))
        return [knock.pod] if knock and knock.answered else []

    def forget(self, key: Key) -> None:
        """Do not knock any more."""
        knock = self._knocks.pop(key, None)
        if knock is not None and knock.task is not None:
            knock.task.cancel()

    async def _knock(self, key: Key, knock: _Knock, view: View) -> None:
        kubeconfig, way = way_to(view, knock.pod)
        pause, loop = FIRST_PAUSE, asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE
        async with self.tenants.passing(kubeconfig, **way) as door:
            while loop.time() < deadline:
                try:
                    await door.answers(OPEN)
                except ApiError:
                    await asyncio.sleep(pause)
                    pause = min(pause * LENGTHENED, LONGEST_PAUSE)
                else:
                    knock.answered = True
                    self.wake(key)
                    return
