"""KonnectivityReady: what is said of the tunnel to a tenant's nodes. Words for the pass that tries it, and the condition.

Messages hold no count or name that moves by itself, and nothing that a node said: a tenant's node may say anything.
"""

from __future__ import annotations

from provider.hosting.desired.konnectivity import agent
from provider.hosting.view import Tunnel, View
from provider.manifest import Manifest
from provider.manifest.condition import Condition

CONDITION = "KonnectivityReady"
WORKS = Tunnel(works=True, reason="TunnelWorks", message="a kubelet answers every API server through the tunnel")
NO_NODES = Tunnel(works=True, reason="NoNodes", message="no node has joined yet; agents start with the first")
NO_AGENT = "No agent available"  # the proxy server's own words (its pkg/server)
TIMED_OUT = "no answer in time"


def condition(view: View, applied: Condition) -> Condition | None:
    """The condition of the tunnel's parts, which looks at the tunnel itself once they are there; None while it is off."""
    if view.tcp.spec.addons.konnectivity is None:
        return applied if applied.reason == agent.IN_USE else None
    if applied.status != "True" or view.tunnel is None:
        return applied
    tunnel = view.tunnel
    return Condition(
        type=CONDITION, status="True" if tunnel.works else "False", reason=tunnel.reason, message=tunnel.message
    )


def connected(workload: Manifest) -> int:
    """Agents that are connected to a proxy server: they are ready then."""
    status = workload.get("status") or {}
    return int(status.get("numberReady", 0) or status.get("readyReplicas", 0) or 0)


def not_connected(view: View) -> Tunnel:
    """There are nodes, and no agent is connected."""
    workload = agent.workload(view) or {}
    status = workload.get("status") or {}
    where = f"{workload.get('kind', 'agents')} {agent.NAMESPACE}/{agent.NAME} inside the tenant"
    looked = status.get("observedGeneration", 0) > 0  # before its controller has, all numbers are 0
    if workload.get("kind") == "DaemonSet" and looked and status.get("desiredNumberScheduled") == 0:
        return Tunnel(
            works=False,
            reason="AgentsNotScheduled",
            message=f"no node takes an agent: {where} does not tolerate their taints;"
            " add tolerations to addons.konnectivity.agent",
        )
    return Tunnel(
        works=False,
        reason="AgentsNotConnected",
        message=f"no agent is connected, so exec, logs, port-forward, aggregated APIs and webhooks fail: see the pods of"
        f" {where}; they run on the nodes and have to reach {agent.dialled(view).authority} from there",
    )


def silent(view: View, failure: str) -> Tunnel:
    """An API server asked, and no kubelet answered. `failure` is what the API server said, and is judged, not repeated."""
    if NO_AGENT in failure:
        return Tunnel(
            works=False,
            reason="AgentsNotConnected",
            message="agents are connected, but not to every pod of the control plane, so what the others serve fails: they"
            f" connect within seconds where {agent.dialled(view).authority} leads to each pod in turn",
        )
    said = "in time" if failure == TIMED_OUT else "as it should"
    return Tunnel(
        works=False,
        reason="KubeletUnreachable",
        message=f"agents are connected, but no kubelet answers through them {said}: agents dial nodes at the addresses in"
        " their status, on the kubelet's port; see whether a firewall between nodes stops that",
    )
