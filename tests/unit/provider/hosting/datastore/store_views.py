"""A DataStore and the Secrets it refers to, for the tests beside this module."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from provider.api import kinds
from provider.api.datastore import DataStore
from provider.hosting.storeview import StoreView
from provider.hosting.view import Seen, key_of
from provider.manifest import Manifest, meta

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def reference(secret: str, key: str) -> dict[str, Any]:
    return {"secretReference": {"name": secret, "namespace": "stores", "keyPath": key}}


def secret(name: str, **data: bytes) -> Manifest:
    keys = {key.replace("_", "."): value for key, value in data.items()}
    return meta.new(kinds.SECRET, name, "stores", data=meta.secret_data(keys))


SECRETS = (secret("ca", ca_crt=b"CA", ca_key=b"CA KEY"), secret("root", tls_crt=b"ROOT", tls_key=b"ROOT KEY"))


def manifest(**tls: Any) -> Manifest:
    """A DataStore by reference; `tls` replaces parts of tlsConfig."""
    config = {
        "certificateAuthority": {"certificate": reference("ca", "ca.crt"), "privateKey": reference("ca", "ca.key")},
        "clientCertificate": {"certificate": reference("root", "tls.crt"), "privateKey": reference("root", "tls.key")},
    }
    spec = {"driver": "etcd", "endpoints": ["etcd.stores.svc:2379"], "tlsConfig": config | tls}
    made = meta.new(kinds.DATA_STORE, "shared", spec=spec)
    made["metadata"] |= {"uid": "u", "generation": 3}
    return made


def store_view(raw: Manifest, *secrets: Manifest, users: tuple[str, ...] = ()) -> StoreView:
    seen = Seen({key_of(each): each for each in secrets})
    return StoreView(datastore=DataStore.parse(raw), raw=raw, secrets=seen, users=users, now=NOW)
