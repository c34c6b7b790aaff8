"""Credentials of stores: those of a pool's etcd, and those that a DataStore names, whoever made them."""

from __future__ import annotations

from typing import Final

from provider.api import poolnames
from provider.api.credentials.node import Node

AUTHORITY: Final = ("ca.crt", "ca.key")
PAIR: Final = ("tls.crt", "tls.key")
AGAIN = "members, which start again one by one, by phases"
READ = "members, which read it at each handshake"

POOL_CA: Final = Node(
    title="a pool's authority",
    sort="authority",
    home="pool",
    secret=poolnames.authority_secret,
    halves=AUTHORITY,
    readers=f"{AGAIN}; tenants, likewise",
)
POOL_PEER_CA: Final = Node(
    title="authority of a pool's members among themselves",
    sort="authority",
    home="pool",
    secret=poolnames.peer_authority_secret,
    halves=AUTHORITY,
    readers=AGAIN,
)
POOL_SERVER: Final = Node(
    title="what a pool's members show to clients",
    sort="certificate",
    home="pool",
    secret=poolnames.server_secret,
    parents=(POOL_CA,),
    halves=PAIR,
    readers=READ,
)
POOL_PEER: Final = Node(
    title="what a pool's members show each other",
    sort="certificate",
    home="pool",
    secret=poolnames.peer_secret,
    parents=(POOL_PEER_CA,),
    halves=PAIR,
    readers=READ,
)
POOL_ROOT: Final = Node(
    title="what a pool's root user shows",
    sort="certificate",
    home="pool",
    secret=poolnames.root_secret,
    parents=(POOL_CA,),
    halves=PAIR,
    readers="the provider, at each pass",
)
CA: Final = Node(
    title="a DataStore's authority",
    sort="authority",
    home="store",
    secret=lambda _: "spec.tlsConfig.certificateAuthority",
    parents=(POOL_CA,),
    readers="what tenants have of it. It is a pool's or the user's own, which is not ours to renew",
)
ROOT: Final = Node(
    title="what a DataStore's root user shows",
    sort="certificate",
    home="store",
    secret=lambda _: "spec.tlsConfig.clientCertificate",
    parents=(POOL_ROOT,),
    readers="the provider, at each pass. It is a pool's or the user's own, which is not ours to renew",
)
