"""kube-system/kubelet-config: the KubeletConfiguration every worker starts from, with the user's patches laid over it.

Only fields that every kubelet of the supported skew knows: a kubelet refuses to start on one it does not know.
"""

from __future__ import annotations

from typing import Any

import jsonpatch
import jsonpointer

from provider.api import kinds, names
from provider.api.kubelet import JSONPatch
from provider.api.tenantcontrolplane import TenantControlPlane
from provider.api.verdict import Invalid
from provider.hosting.view import View
from provider.manifest import Manifest, meta, yamltext

NAME = "kubelet-config"
DEFAULT_CGROUP_DRIVER = "systemd"  # kubeadm's default


def build(view: View) -> Manifest:
    """The ConfigMap. Invalid names the patch that cannot be applied."""
    document = _patched(_configuration(view.tcp), view.tcp.spec.kubernetes.kubelet.configuration_json_patches)
    return meta.new(
        kinds.CONFIG_MAP,
        NAME,
        "kube-system",
        labels={names.LABEL_PROJECT: names.PROJECT},
        data={"kubelet": yamltext.written(document)},
    )


def _configuration(tcp: TenantControlPlane) -> dict[str, Any]:
    """As `kubeadm init` makes it."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": tcp.spec.kubernetes.kubelet.cgroupfs or DEFAULT_CGROUP_DRIVER,
        "clusterDNS": list(tcp.network.dns_addresses),
        "clusterDomain": tcp.network.cluster_domain,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": 10248,
        "rotateCertificates": True,
        "staticPodPath": "/etc/kubernetes/manifests",
    }


def _patched(document: dict[str, Any], patches: tuple[JSONPatch, ...]) -> dict[str, Any]:
    """RFC 6902, one by one and strictly, so that the fault can be named."""
    for index, each in enumerate(patches):
        where = f"spec.kubernetes.kubelet.configurationJSONPatches[{index}] ({each.op} {each.path})"
        try:
            patched = jsonpatch.apply_patch(document, [each.operation()])
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError) as error:
            raise Invalid(
                "KubeletPatchFailed",
                f"{where} cannot be applied: {error}. Correct it; add makes a field that is not there",
            ) from None
        if not isinstance(patched, dict):
            raise Invalid("KubeletPatchFailed", f"{where} leaves no object: patch its fields, not the whole")
        document = patched
    return document
