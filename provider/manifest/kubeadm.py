"""kubeadm's ClusterConfiguration (kubeadm.k8s.io/v1beta4) for a hosted control plane. Called by the kubeadm parts.

`kubeadm join` of a worker reads it for the version, the endpoint and the networks; `kubeadm upgrade node` for the version.
"""

from __future__ import annotations

from typing import Any

from provider.api.tenantcontrolplane import TenantControlPlane

API = "kubeadm.k8s.io/v1beta4"
PKI = "/etc/kubernetes/pki"
# kubeadm knows no hosted etcd. "External" keeps it from managing one on a node; the store's real address is no
# business of a node, whose kubelet may read this.
EXTERNAL_ETCD = {
    "external": {
        "endpoints": ["https://127.0.0.1:2379"],
        "caFile": f"{PKI}/etcd/ca.crt",
        "certFile": f"{PKI}/etcd/server.crt",
        "keyFile": f"{PKI}/etcd/server.key",
    }
}


def cluster_configuration(tcp: TenantControlPlane, version: str, endpoint: str) -> dict[str, Any]:
    """The document; `version` with its leading v, `endpoint` as host:port."""
    network = tcp.network
    return {
        "apiVersion": API,
        "kind": "ClusterConfiguration",
        "apiServer": {"certSANs": list(network.cert_sans)} if network.cert_sans else {},
        "certificatesDir": PKI,
        "clusterName": tcp.name,
        "controlPlaneEndpoint": endpoint,
        "etcd": EXTERNAL_ETCD,
        "imageRepository": tcp.deployment.registry_settings.registry,
        "kubernetesVersion": version,
        "networking": {
            "dnsDomain": network.cluster_domain,
            "podSubnet": ",".join(network.pod_cidrs),
            "serviceSubnet": ",".join(network.service_cidrs),
        },
    }


def init_configuration(advertised: str, port: int) -> dict[str, Any]:
    """The document of which `kubeadm init` would start; ours says only where the API server listens."""
    return {
        "apiVersion": API,
        "kind": "InitConfiguration",
        "localAPIEndpoint": {"bindPort": port, **({"advertiseAddress": advertised} if advertised else {})},
    }
