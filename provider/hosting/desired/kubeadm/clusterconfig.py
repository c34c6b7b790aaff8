"""kube-system/kubeadm-config: the ClusterConfiguration that `kubeadm join` and `kubeadm upgrade node` read."""

from __future__ import annotations

from provider.api import kinds, names
from provider.hosting import endpoint, versions
from provider.hosting.view import View
from provider.manifest import Manifest, kubeadm, meta, yamltext

NAME = "kubeadm-config"


def build(view: View) -> Manifest:
    """The version follows the API servers: it moves when every one of them runs the new one, never before."""
    document = kubeadm.cluster_configuration(view.tcp, versions.served(view), endpoint.internal(view).authority)
    return meta.new(
        kinds.CONFIG_MAP,
        NAME,
        "kube-system",
        labels={names.LABEL_PROJECT: names.PROJECT},
        data={"ClusterConfiguration": yamltext.written(document)},
    )
