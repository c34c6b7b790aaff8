"""etcd's configuration, a file a member, in a ConfigMap: what all have in common, and how each comes into the cluster.

By file, not by flags: members of one StatefulSet share a pod template, and one that is replaced has to be told other things
than those that stay. A change of how one comes in starts nobody again; a change of what is common does (`members`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provider.api import kinds, poolnames
from provider.hosting.desired.pool import ownership, roster
from provider.hosting.desired.pool.network import (
    CLIENT_PORT,
    HTTP_PORT,
    METRICS_PORT,
    PEER_PORT,
    client_host,
    member_host,
)
from provider.hosting.desired.pool.roster import Roster
from provider.hosting.storeview import PoolView
from provider.manifest import Manifest, quantity, yamltext

DATA = "/var/lib/etcd"
SERVER = "/etc/etcd/server"
PEER = "/etc/etcd/peer"
FOLDER = "/etc/etcd/config"
QUOTA_PERCENT = 30  # of the volume: a snapshot and what defragmenting writes lie beside it
QUOTA_MOST = 8 * 2**30  # etcd warns above it
SECOND = 10**9  # in files etcd takes durations as nanoseconds


def build(view: PoolView) -> Iterator[Manifest]:
    """One ConfigMap."""
    found = roster.of(view)
    files = {f"{each}.yaml": yamltext.written(of_member(view, found, each)) for each in found.members}
    data = {roster.KEY: roster.written(found), **files}
    yield ownership.namespaced(view, kinds.CONFIG_MAP, poolnames.etcd(view.name), {"data": data})


def quota(size: str) -> int:
    """Bytes that etcd may keep on a volume of this size (a Kubernetes quantity such as 8Gi)."""
    return min(QUOTA_MOST, quantity.whole(size) * QUOTA_PERCENT // 100)


def of_member(view: PoolView, found: Roster, member: str) -> dict[str, Any]:
    """The whole file of one member. Only founders that were never seen, and the one that joins, can begin with nothing."""
    state, cluster = "existing", [member]
    if member in found.founding:
        state, cluster = "new", list(found.founders)
    elif member == found.joining:
        cluster = list(found.members)
    return common(view) | {
        "name": member,
        "initial-cluster": ",".join(f"{each}={peer_url(view, each)}" for each in cluster),
        "initial-cluster-state": state,
        "initial-advertise-peer-urls": peer_url(view, member),
    }


def peer_url(view: PoolView, member: str) -> str:
    """By which members know each other."""
    return f"https://{member_host(view, member)}:{PEER_PORT}"


def common(view: PoolView) -> dict[str, Any]:
    """What all members are told alike."""
    return {
        "data-dir": f"{DATA}/data",
        "initial-cluster-token": view.pool.uid,
        "advertise-client-urls": f"https://{client_host(view)}:{CLIENT_PORT}",
        "listen-client-urls": f"https://0.0.0.0:{CLIENT_PORT}",
        # HTTP apart: on one port with it, gRPC goes through Go's HTTP/2 server, where large answers starve watches.
        "listen-client-http-urls": f"https://127.0.0.1:{HTTP_PORT}",
        "listen-peer-urls": f"https://0.0.0.0:{PEER_PORT}",
        # The kubelet has no client certificate; this listener serves /livez, /readyz and /metrics and no key.
        "listen-metrics-urls": f"http://0.0.0.0:{METRICS_PORT}",
        "client-transport-security": _tls(SERVER),
        "peer-transport-security": _tls(PEER),
        # HTTP requests through the gateway would come with the gateway's certificate, not the caller's.
        "enable-grpc-gateway": False,
        "quota-backend-bytes": quota(view.pool.spec.storage.size),
        # Tenants may not compact; kube-apiserver expects five minutes of history.
        "auto-compaction-mode": "periodic",
        "auto-compaction-retention": "5m",
        # kube-apiserver serves consistent lists from its cache by these.
        "watch-progress-notify-interval": 5 * SECOND,
        "feature-gates": "InitialCorruptCheck=true",
    }


def _tls(folder: str) -> dict[str, Any]:
    return {
        "client-cert-auth": True,
        "cert-file": f"{folder}/tls.crt",
        "key-file": f"{folder}/tls.key",
        "trusted-ca-file": f"{folder}/ca.crt",
    }
