"""Who may what on the way into a tenant, under kubeadm's names: a joining worker what it needs, and nobody more."""

from __future__ import annotations

import pytest

from provider.api import kinds
from provider.hosting.desired.kubeadm import access
from provider.manifest import Manifest

TOKENS = "system:bootstrappers:kubeadm:default-node-token"


def bound(kind: str) -> dict[str, tuple[str, set[str]]]:
    """Binding → (role, subjects)."""
    return {
        each["metadata"]["name"]: (each["roleRef"]["name"], {subject["name"] for subject in each["subjects"]})
        for each in access.build()
        if each["kind"] == kind
    }


def roles(kind: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in access.build() if each["kind"] == kind}


def test_cluster_wide_rights_are_those_that_kubeadm_gives() -> None:
    signing = "system:certificates.k8s.io:certificatesigningrequests"
    assert bound("ClusterRoleBinding") == {
        "kubeadm:cluster-admins": ("cluster-admin", {"kubeadm:cluster-admins"}),
        "kubeadm:kubelet-bootstrap": ("system:node-bootstrapper", {TOKENS}),
        "kubeadm:node-autoapprove-bootstrap": (f"{signing}:nodeclient", {TOKENS}),
        "kubeadm:node-autoapprove-certificate-rotation": (f"{signing}:selfnodeclient", {"system:nodes"}),
        "kubeadm:get-nodes": ("kubeadm:get-nodes", {TOKENS}),
        "kubeadm:apiserver-kubelet-client": ("system:kubelet-api-admin", {"kube-apiserver-kubelet-client"}),
    }


@pytest.mark.parametrize(
    ("role", "namespace", "config_map", "readers"),
    [
        ("kubeadm:kubelet-config", "kube-system", "kubelet-config", {TOKENS, "system:nodes"}),
        ("kubeadm:nodes-kubeadm-config", "kube-system", "kubeadm-config", {TOKENS, "system:nodes"}),
        ("kubeadm:bootstrap-signer-clusterinfo", "kube-public", "cluster-info", {"system:anonymous"}),
    ],
)
def test_each_config_map_is_readable_by_name_and_by_whom_it_is_for(
    role: str, namespace: str, config_map: str, readers: set[str]
) -> None:
    made = roles("Role")[role]
    assert made["metadata"]["namespace"] == namespace
    assert made["rules"] == [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"], "resourceNames": [config_map]}
    ]
    assert bound("RoleBinding")[role] == (role, readers)


def test_what_anybody_may_do_without_credentials_is_read_cluster_info() -> None:
    anonymous = [
        each["metadata"]["name"]
        for each in access.build()
        for subject in each.get("subjects", ())
        if subject["name"] in ("system:anonymous", "system:unauthenticated", "system:authenticated")
    ]
    assert anonymous == ["kubeadm:bootstrap-signer-clusterinfo"]


def test_roles_come_before_what_binds_them() -> None:
    order = [(each["kind"], each["metadata"]["name"]) for each in access.build()]
    for kind, name in order:
        if kind == kinds.ROLE_BINDING.kind:
            assert order.index((kinds.ROLE.kind, name)) < order.index((kind, name))
