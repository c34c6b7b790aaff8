"""What objects of a store have in common: their labels (put on by the applier), their owner, the one way to say a Secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.hosting.storeview import PoolView
from provider.manifest import Manifest, meta
from provider.manifest.x509 import Pair


def labels(view: PoolView) -> dict[str, str]:
    """Labels of all objects and pods of a store. By these we watch them and find them again."""
    return {names.LABEL_PROJECT: names.PROJECT, names.LABEL_POOL: view.pool.name, names.LABEL_STORE: view.name}


def owned(view: PoolView, manifest: Manifest) -> Manifest:
    """The object with the pool as its controller. The pool is cluster-scoped, so it may own objects anywhere."""
    return meta.owned(manifest, view.raw)


def namespaced(view: PoolView, kind: Kind, name: str, body: Mapping[str, Any]) -> Manifest:
    """A whole object of the pool beside the provider."""
    return owned(view, meta.new(kind, name, view.namespace, **body))


def key_pair(view: PoolView, name: str, pair: Pair, authority: bytes) -> Manifest:
    """A Secret with a leaf, its key and the authority that its holder should trust."""
    data = {"ca.crt": authority, "tls.crt": pair.certificate, "tls.key": pair.key}
    body = {"type": "kubernetes.io/tls", "data": meta.secret_data(data)}
    return namespaced(view, kinds.SECRET, name, body)
