"""kube-public/cluster-info: server and CA, readable without credentials, signed per token by the bootstrapsigner."""

from __future__ import annotations

from provider.api import kinds, names
from provider.hosting import endpoint, rotation
from provider.hosting.view import View
from provider.manifest import Manifest, kubeconfig, meta

NAME = "cluster-info"
NAMESPACE = "kube-public"
KEY = "kubeconfig"


def build(view: View) -> Manifest:
    """Only our key: the bootstrapsigner's `jws-kubeconfig-*` beside it are its own, and server-side apply leaves them."""
    said = kubeconfig.discovery(endpoint.internal(view).url, rotation.trusted(view))
    return meta.new(kinds.CONFIG_MAP, NAME, NAMESPACE, labels={names.LABEL_PROJECT: names.PROJECT}, data={KEY: said})
