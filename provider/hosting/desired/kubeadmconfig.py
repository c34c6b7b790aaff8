"""ConfigMap with kubeadm's configuration of the tenant, in the management cluster, for people and tools that look there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from provider.api import kinds, names
from provider.hosting import credential, endpoint, versions
from provider.hosting.view import View
from provider.manifest import Manifest, checksum, kubeadm, meta

NAME = "kubeadmconfig"


def build(view: View) -> Iterator[Manifest]:
    """One ConfigMap with two JSON documents under upstream's keys; ours are valid kubeadm v1beta4."""
    version = versions.served(view)
    init = kubeadm.init_configuration(endpoint.advertised(view), view.tcp.network.port)
    cluster = kubeadm.cluster_configuration(view.tcp, version, endpoint.internal(view).authority)
    data = {
        "ClusterConfiguration": json.dumps(cluster, sort_keys=True),
        "InitConfiguration": json.dumps(init, sort_keys=True),
    }
    manifest = meta.new(
        kinds.CONFIG_MAP,
        names.kubeadm_config_map(view.name),
        view.namespace,
        labels=names.tenant_labels(view.name, NAME),
        annotations={names.ANNOTATION_CHECKSUM: checksum.of(data)},
        data=data,
    )
    yield meta.owned(manifest, view.raw)


def report(view: View) -> dict[str, Any]:
    """`kubeadmconfig`."""
    found = view.seen.get(kinds.CONFIG_MAP, names.kubeadm_config_map(view.name), view.namespace)
    if found is None:
        return {}
    block = {"configmapName": found["metadata"]["name"], "checksum": checksum.of(found.get("data") or {})}
    return {"kubeadmconfig": credential.stamped(view, block, view.status.get("kubeadmconfig"))}
