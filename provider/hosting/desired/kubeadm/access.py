"""Who may what on the way into a tenant, under the names that kubeadm uses and looks up."""

from __future__ import annotations

from collections.abc import Iterator

from provider.api import names
from provider.manifest import Manifest, rbac

JOINING = rbac.group(names.NODE_TOKEN_GROUP)
NODES = rbac.group("system:nodes")
LABELS = {names.LABEL_PROJECT: names.PROJECT}
APPROVED = "system:certificates.k8s.io:certificatesigningrequests"

# ClusterRoleBindings: name → (ClusterRole, subject)
BOUND = {
    names.CLUSTER_ADMINS_GROUP: ("cluster-admin", rbac.group(names.CLUSTER_ADMINS_GROUP)),
    "kubeadm:kubelet-bootstrap": ("system:node-bootstrapper", JOINING),
    "kubeadm:node-autoapprove-bootstrap": (f"{APPROVED}:nodeclient", JOINING),
    "kubeadm:node-autoapprove-certificate-rotation": (f"{APPROVED}:selfnodeclient", NODES),
    "kubeadm:get-nodes": ("kubeadm:get-nodes", JOINING),
    "kubeadm:apiserver-kubelet-client": ("system:kubelet-api-admin", rbac.user("kube-apiserver-kubelet-client")),
}


def build() -> Iterator[Manifest]:
    """Roles first, then what binds them."""
    yield rbac.cluster_role("kubeadm:get-nodes", LABELS, rbac.rule(["nodes"], ["get"]))
    for name, (to, subject) in BOUND.items():
        yield rbac.cluster_role_binding(name, to, LABELS, subject)
    yield from _readable("kubeadm:kubelet-config", "kube-system", "kubelet-config", NODES, JOINING)
    yield from _readable("kubeadm:nodes-kubeadm-config", "kube-system", "kubeadm-config", JOINING, NODES)
    anyone = rbac.user("system:anonymous")
    yield from _readable("kubeadm:bootstrap-signer-clusterinfo", "kube-public", "cluster-info", anyone)


def _readable(name: str, namespace: str, config_map: str, *readers: Manifest) -> Iterator[Manifest]:
    yield rbac.role(name, namespace, LABELS, rbac.rule(["configmaps"], ["get"], named=[config_map]))
    yield rbac.role_binding(name, namespace, LABELS, *readers)
