"""How members are reached: the Service of their clients, the headless Service of their names, and who may connect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provider.api import kinds, names, poolnames
from provider.hosting.desired.pool import ownership
from provider.hosting.storeview import Guests, PoolView
from provider.manifest import Manifest

CLIENT_PORT = 2379
PEER_PORT = 2380
METRICS_PORT = 2381
NAMESPACE = "kubernetes.io/metadata.name"  # the label by which a namespace is called
HTTP_PORT = 2382  # on the pod's loopback; nobody uses it


def build(view: PoolView) -> Iterator[Manifest]:
    """Two Services and a NetworkPolicy."""
    yield ownership.namespaced(view, kinds.SERVICE, poolnames.etcd(view.name), {"spec": _clients(view)})
    yield ownership.namespaced(view, kinds.SERVICE, poolnames.members_service(view.name), {"spec": _members(view)})
    yield ownership.namespaced(view, kinds.NETWORK_POLICY, poolnames.etcd(view.name), {"spec": _policy(view)})


def member_host(view: PoolView, member: str) -> str:
    """DNS name of one member, kept over restarts and moves to other nodes."""
    return f"{member}.{poolnames.members_service(view.name)}.{view.namespace}.svc"


def client_host(view: PoolView) -> str:
    """DNS name by which tenants and we reach the store. It resolves as soon as the Service exists, pods or not."""
    return f"{poolnames.etcd(view.name)}.{view.namespace}.svc"


def endpoints(view: PoolView) -> list[str]:
    """host:port for the DataStore."""
    return [f"{client_host(view)}:{CLIENT_PORT}"]


def member_endpoint(view: PoolView, member: str) -> str:
    """host:port of the one member of that pod."""
    return f"{member_host(view, member)}:{CLIENT_PORT}"


def _clients(view: PoolView) -> dict[str, Any]:
    return {
        "type": "ClusterIP",
        "selector": ownership.labels(view),
        "ports": [{"name": "client", "port": CLIENT_PORT, "targetPort": CLIENT_PORT, "protocol": "TCP"}],
    }


def _members(view: PoolView) -> dict[str, Any]:
    """Members find each other before any of them is ready, hence publishNotReadyAddresses."""
    return {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": ownership.labels(view),
        "ports": [{"name": "peer", "port": PEER_PORT, "targetPort": PEER_PORT, "protocol": "TCP"}],
    }


def _policy(view: PoolView) -> dict[str, Any]:
    """Clients: control planes that have something in this store, and the provider's own pods. Peers: members only.

    A control plane that was taken over reaches no other store's door, whatever certificate it has found. The metrics port is
    for the kubelet alone, whose probes a NetworkPolicy does not hinder.
    """
    ours = {"podSelector": {"matchExpressions": [{"key": names.LABEL_NAME, "operator": "DoesNotExist"}]}}
    members = {"podSelector": {"matchLabels": ownership.labels(view)}}
    clients = [ours, *(_control_planes(each) for each in view.guests)]
    return {
        "podSelector": {"matchLabels": ownership.labels(view)},
        "policyTypes": ["Ingress"],
        "ingress": [
            {"from": clients, "ports": [{"protocol": "TCP", "port": CLIENT_PORT}]},
            {"from": [members], "ports": [{"protocol": "TCP", "port": PEER_PORT}]},
        ],
    }


def _control_planes(guests: Guests) -> dict[str, Any]:
    """Pods of these tenants, by the label that all of a control plane's pods carry."""
    named = {"key": names.LABEL_NAME, "operator": "In", "values": list(guests.names)}
    return {
        "namespaceSelector": {"matchLabels": {NAMESPACE: guests.namespace}},
        "podSelector": {"matchExpressions": [named]},
    }
