"""Certificates of the members and of their root user. Kept while they say what is asked; renewed at two thirds of their life.

etcd reads its certificate and key from disk at each handshake, so a renewal needs no restart; whom it trusts it reads once, so
the members' pods say with whom they were started (see `members`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from provider.api import poolnames
from provider.api.credentials import stores
from provider.api.credentials.node import Node
from provider.hosting.desired.pool import ownership
from provider.hosting.desired.pool.network import client_host, member_host
from provider.hosting.rotation import stores as rotating
from provider.hosting.storeview import PoolView, member_names
from provider.manifest import Manifest, lifetime, x509
from provider.manifest.x509 import Pair, Request

LOOPBACK = frozenset({"127.0.0.1", "::1"})


def build(view: PoolView) -> Iterator[Manifest]:
    """Three Secrets: what members show to clients, what they show each other, and the root user's certificate."""
    yield _secret(view, stores.POOL_SERVER, server(view))
    yield _secret(view, stores.POOL_PEER, _peer(view))
    yield _secret(view, stores.POOL_ROOT, root())


def root() -> Request:
    """etcd takes the common name for the user's name; root is the one that auth cannot be enabled without."""
    return Request(common_name="root", client=True)


def root_pair(view: PoolView) -> Pair | None:
    """The root user's certificate as it stands, or None."""
    data = view.secret(poolnames.root_secret(view.name))
    if not (data.get("tls.crt") and data.get("tls.key")):
        return None
    return Pair(certificate=data["tls.crt"], key=data["tls.key"])


def server(view: PoolView) -> Request:
    """What members show to clients: every name by which they are dialled, and no right to be a client."""
    hosts = frozenset({client_host(view), "localhost", *_member_hosts(view)})
    return Request(common_name=poolnames.etcd(view.name), names=hosts, addresses=LOOPBACK, server=True)


def _peer(view: PoolView) -> Request:
    """Members are server and client to each other."""
    hosts = frozenset(_member_hosts(view))
    return Request(common_name=poolnames.etcd(view.name), names=hosts, server=True, client=True)


def _member_hosts(view: PoolView) -> Iterator[str]:
    yield from (member_host(view, each) for each in member_names(view))


def _secret(view: PoolView, node: Node, request: Request) -> Manifest:
    """Under the authority that the graph of credentials says; with it stand all that whoever shows it is to trust."""
    name, (parent,) = node.secret(view.name), node.parents
    ring = next(each for each in rotating.RINGS if each.node is parent)
    data, issuer = view.secret(name), rotating.of(view, ring).signer
    request = replace(request, life=view.settings.leaf_life)
    pair = Pair(certificate=data.get("tls.crt", b""), key=data.get("tls.key", b""))
    if not x509.satisfies(pair, request, issuer, view.now, lifetime.spread(view.name)):
        pair = x509.issue(request, issuer, view.mint, view.now)
    return ownership.key_pair(view, name, pair, rotating.trusted(view, ring))
