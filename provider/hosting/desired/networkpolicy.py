"""Who may reach a control plane's pods: everybody at the ports that serve tenants, and nobody at any other (NetworkPolicy).

Closed are the ports of controller manager, scheduler, kine and of the tunnel's administration; the kubelet's probes are not
hindered by a policy. Where the pods may go is not limited: webhooks, OIDC issuers, nodes and pods of the tenant are wherever
the tenant's administrators say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provider.api import kinds, names
from provider.hosting.view import View
from provider.manifest import Manifest, meta

NAME = "network-policy"


def build(view: View) -> Iterator[Manifest]:
    """One NetworkPolicy, called like the tenant."""
    spec = {
        "podSelector": {"matchLabels": {names.LABEL_NAME: view.name}},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": _ports(view)}],  # from anywhere
    }
    labels = names.tenant_labels(view.name, NAME)
    yield meta.owned(meta.new(kinds.NETWORK_POLICY, view.name, view.namespace, labels=labels, spec=spec), view.raw)


def report(view: View) -> dict[str, Any]:
    """Nothing: upstream's status has no place for it."""
    return {}


def _ports(view: View) -> list[dict[str, Any]]:
    """The API server's, the tunnel's, and what the user opened: ports of his containers, and those his Service leads to."""
    found: list[tuple[str, int | str]] = [("TCP", view.tcp.network.port)]
    if (konnectivity := view.tcp.spec.addons.konnectivity) is not None:
        found.append(("TCP", konnectivity.server.port))
    found += [(each.protocol, each.target_port) for each in view.tcp.service.additional_ports]
    for container in view.tcp.deployment.additional_containers:
        found += _of_container(container.get("ports"))
    return [{"protocol": protocol, "port": port} for protocol, port in dict.fromkeys(found)]


def _of_container(said: Any) -> Iterator[tuple[str, int]]:
    """What a user's container says it listens at; what is no port is the Deployment's to refuse."""
    for each in said if isinstance(said, list) else ():
        if isinstance(each, dict) and isinstance(each.get("containerPort"), int):
            yield str(each.get("protocol") or "TCP"), each["containerPort"]
