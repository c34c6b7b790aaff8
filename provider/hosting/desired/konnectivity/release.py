"""Which images of proxy server and agent, and what they can do. Asked by `sidecar` and `agent`."""

from __future__ import annotations

import re

from provider.api.addons import Konnectivity
from provider.hosting import versions
from provider.hosting.view import View

COUNTS_LEASES = (0, 31)
"""Since this release proxy servers publish Leases, and agents count them to know how many to connect to.

Before it, a proxy server told each agent a number fixed on its command line (--server-count), so that each scaling had to
roll every pod, and a pod that a rollout added was without agents until an old one had ended.
"""
ENDS_GRACEFULLY = (0, 36)
"""Since this release a proxy server that is to end waits for what goes through it, for ever unless it is told how long."""


def server_image(view: View, addon: Konnectivity) -> str:
    """The user's version, else the one that belongs to the API server beside it."""
    return f"{addon.server.image}:{_server_tag(view, addon)}"


def agent_image(view: View, addon: Konnectivity) -> str:
    """The user's version, else the one that belongs to the version that every API server runs by now."""
    return f"{addon.agent.image}:{_agent_tag(view, addon)}"


def counts_leases(view: View, addon: Konnectivity) -> bool:
    """Whether both sides are new enough. Of a tag that is no release nothing is assumed."""
    return all(_since(COUNTS_LEASES, tag) for tag in (_server_tag(view, addon), _agent_tag(view, addon)))


def ends_gracefully(view: View, addon: Konnectivity) -> bool:
    """Whether the proxy server has to be told how long it may take to end."""
    return _since(ENDS_GRACEFULLY, _server_tag(view, addon))


def _server_tag(view: View, addon: Konnectivity) -> str:
    return addon.server.version or versions.of(view.version).konnectivity


def _agent_tag(view: View, addon: Konnectivity) -> str:
    return addon.agent.version or versions.of(versions.served(view)).konnectivity


def _since(release: tuple[int, int], tag: str) -> bool:
    found = re.fullmatch(r"v?(\d{1,4})\.(\d{1,4})\.\d{1,4}", tag)
    return found is not None and (int(found[1]), int(found[2])) >= release
