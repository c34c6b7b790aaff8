"""The DataStore that offers a pool to tenants, named like it. Said only once the pool's etcd asks everyone who he is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provider.api import kinds, poolnames
from provider.hosting.desired.pool import ownership
from provider.hosting.desired.pool.network import endpoints
from provider.hosting.rotation import stores
from provider.hosting.storeview import PoolView
from provider.manifest import Manifest, meta


def build(view: PoolView) -> Iterator[Manifest]:
    """One DataStore, its certificates by reference to the pool's Secrets."""
    authority, root = poolnames.authority_secret(view.name), poolnames.root_secret(view.name)
    trusted = stores.BUNDLE if stores.bundled(view) else "ca.crt"
    tls = {
        "certificateAuthority": {
            "certificate": _reference(view, authority, trusted),
            "privateKey": _reference(view, authority, "ca.key"),
        },
        "clientCertificate": {
            "certificate": _reference(view, root, "tls.crt"),
            "privateKey": _reference(view, root, "tls.key"),
        },
    }
    spec = {"driver": view.pool.spec.driver, "endpoints": endpoints(view), "tlsConfig": tls}
    yield ownership.owned(view, meta.new(kinds.DATA_STORE, view.name, spec=spec))


def _reference(view: PoolView, secret: str, key: str) -> dict[str, Any]:
    return {"secretReference": {"name": secret, "namespace": view.namespace, "keyPath": key}}
