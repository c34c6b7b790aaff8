"""What the containers have mounted: credentials only, read-only, each with the keys it needs. Names as upstream's."""

from __future__ import annotations

from provider.api import names
from provider.hosting import encryption, rotation
from provider.hosting.encryption.document import FILE
from provider.hosting.encryption.wish import FLAG
from provider.hosting.migration import standby
from provider.hosting.rotation.keyring import ACCOUNT, CA, FRONT_PROXY, Ring
from provider.hosting.view import View
from provider.manifest import Manifest, pod

PKI = "/etc/kubernetes/pki"
KUBERNETES = "/etc/kubernetes"
SIGNING = "ca-signing.crt"
ENCRYPTION, CIPHERS = "encryption-at-rest", "/etc/kubernetes/encryption"
# Images without a trust store of their own find the tenant's CA where distributions keep theirs.
TRUST = {
    "etc-ca-certificates": "/etc/ca-certificates",
    "usr-share-ca-certificates": "/usr/share/ca-certificates",
    "usr-local-share-ca-certificates": "/usr/local/share/ca-certificates",
}


def volumes(view: View) -> list[Manifest]:
    """Volumes of the pod, without the user's. The way into etcd is among them; kine has its own."""
    tenant, kine = view.name, view.store is not None and view.store.kine
    client = standby.FILES if standby.enters_otherwise(view) else ["ca.crt", "server.crt", "server.key"]
    etcd = pod.projection(names.datastore_certificate_secret(tenant), client, "etcd")
    sources = [
        pod.projection(names.api_server_secret(tenant), ["apiserver.crt", "apiserver.key"]),
        pod.projection(names.ca_secret(tenant), _mounted(view, CA)),
        pod.projection(
            names.kubelet_client_secret(tenant), ["apiserver-kubelet-client.crt", "apiserver-kubelet-client.key"]
        ),
        pod.projection(names.front_proxy_ca_secret(tenant), _mounted(view, FRONT_PROXY)),
        pod.projection(names.front_proxy_client_secret(tenant), ["front-proxy-client.crt", "front-proxy-client.key"]),
        pod.projection(names.service_account_secret(tenant), _mounted(view, ACCOUNT)),
        *([] if kine else [etcd]),
    ]
    return [
        pod.projected_secrets("etc-kubernetes-pki", sources),
        *(pod.secret_volume(name, names.ca_secret(tenant), _trusted(view, CA)) for name in TRUST),
        pod.secret_volume("scheduler-kubeconfig", names.scheduler_kubeconfig_secret(tenant), ["scheduler.conf"]),
        pod.secret_volume(
            "controller-manager-kubeconfig",
            names.controller_manager_kubeconfig_secret(tenant),
            ["controller-manager.conf"],
        ),
        *(_encryption(view) if encryption.mounted(view) else []),
    ]


def encryption_mounts(view: View) -> list[Manifest]:
    """Of kube-apiserver alone; none while nothing is encrypted."""
    return [pod.mount(ENCRYPTION, CIPHERS)] if encryption.mounted(view) else []


def encryption_flags(view: View) -> dict[str, str]:
    """Not read again while it runs: who writes with which key is said by the pods' label, and by nothing else."""
    return {FLAG: f"{CIPHERS}/{FILE}"} if encryption.mounted(view) else {}


def _encryption(view: View) -> list[Manifest]:
    return [pod.secret_volume(ENCRYPTION, encryption.SECRET(view.name), [FILE, *filter(None, [encryption.mark(view)])])]


def _mounted(view: View, ring: Ring) -> dict[str, str]:
    """Key → file: whom to trust under the name that the flags know, and the key that signs.

    kube-controller-manager takes no bundle for the certificate that it signs with: it has a file of its own while there is one.
    """
    signing = {ring.public: SIGNING} if ring is CA and rotation.bundled(view, ring) else {}
    return _trusted(view, ring) | signing | {ring.private: ring.private}


def _trusted(view: View, ring: Ring) -> dict[str, str]:
    return {ring.bundle if rotation.bundled(view, ring) else ring.public: ring.public}


def pki_mounts() -> list[Manifest]:
    """Mounts of kube-apiserver and kube-controller-manager."""
    trust = [pod.mount(name, path) for name, path in TRUST.items()]
    return [pod.mount("etc-kubernetes-pki", PKI), *trust]
