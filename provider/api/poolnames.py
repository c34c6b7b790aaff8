"""Names of what a DataStorePool makes for one of its stores. The store's name is that of its DataStore."""

from __future__ import annotations


def etcd(store: str) -> str:
    """StatefulSet of a pool's store: its etcd members, and the Service by which clients reach them."""
    return f"{store}-etcd"


def snapshots(store: str) -> str:
    """CronJob that takes snapshots of a pool's store: at most 52 letters, as the names of its Jobs are longer."""
    return f"{store}-snapshot"


def members_service(store: str) -> str:
    """Headless Service that gives each member its DNS name."""
    return f"{store}-etcd-members"


def authority_secret(store: str) -> str:
    """Secret with ca.crt and ca.key: signs the members' server certificates and all clients' certificates.

    Once another was asked for, ca-bundle.crt beside them is all that is trusted.
    """
    return f"{store}-etcd-ca"


def peer_authority_secret(store: str) -> str:
    """Secret with ca.crt and ca.key: signs what members show each other, and nothing else."""
    return f"{store}-etcd-peer-ca"


def server_secret(store: str) -> str:
    """Secret with tls.crt, tls.key and ca.crt that members show to clients."""
    return f"{store}-etcd-server"


def peer_secret(store: str) -> str:
    """Secret with tls.crt, tls.key and ca.crt that members show each other."""
    return f"{store}-etcd-peer"


def root_secret(store: str) -> str:
    """Secret with tls.crt, tls.key and ca.crt of the client certificate whose common name is root."""
    return f"{store}-etcd-root-client"
