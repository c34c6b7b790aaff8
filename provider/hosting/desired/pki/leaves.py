"""The API server's own certificates: what it serves, and what it shows to kubelets and to aggregated API servers."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from provider.api import names
from provider.api.credentials import tenants
from provider.api.credentials.node import Node
from provider.hosting import credential, endpoint, rotation
from provider.hosting.rotation.keyring import CA, FRONT_PROXY, Keyring
from provider.hosting.view import View
from provider.manifest import Manifest, pem, x509
from provider.manifest.x509 import Pair, Request

NAME = "certificates"


SHOWN = (tenants.SERVING, tenants.KUBELET_CLIENT, tenants.FRONT_PROXY_CLIENT)


def build(view: View) -> Iterator[Manifest]:
    """Three Secrets. NotReady while the authorities or the address are not there."""
    ca, proxy_ca = rotation.of(view, CA), rotation.of(view, FRONT_PROXY)
    yield _secret(view, tenants.SERVING, _serving(view), ca)
    kubelets = Request(common_name="kube-apiserver-kubelet-client", client=True)
    yield _secret(view, tenants.KUBELET_CLIENT, kubelets, ca)
    yield _secret(view, tenants.FRONT_PROXY_CLIENT, Request(common_name="front-proxy-client", client=True), proxy_ca)


def report(view: View) -> dict[str, Any]:
    """`certificates.{apiServer,apiServerKubeletClient,frontProxyClient}`."""
    return credential.reports(view, *SHOWN)


def _secret(view: View, node: Node, request: Request, keys: Keyring) -> Manifest:
    pair = credential.leaf(view, node, credential.held(view, node), request, keys.signer, keys.accepted_by_nodes)
    assert node.halves is not None
    certificate, key = node.halves
    return credential.secret(view, node, {certificate: _chain(pair, keys), key: pair.key})


def _chain(pair: Pair, keys: Keyring) -> bytes:
    """Behind a leaf of who signs now the bridges, for those who trust an earlier one: nodes, their pods, people."""
    if not x509.signed_by(pair.certificate, keys.signer):
        return pair.certificate
    chain = pem.blocks(pair.certificate)[1:]
    return pair.certificate if chain == keys.bridges else pem.bundle([pem.blocks(pair.certificate)[0], *keys.bridges])


def _serving(view: View) -> Request:
    """Every name and address under which somebody may dial the API server."""
    network = view.tcp.network
    host = names.service_host(view.name, view.namespace)
    hosts = {
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{network.cluster_domain}",
        "localhost",
        view.name,
        f"{view.name}.{view.namespace}",
        host,
        f"{host}.cluster.local",
        *endpoint.known(view),
        *network.cert_sans,
        "127.0.0.1",
        *(str(ipaddress.ip_network(each, strict=False)[1]) for each in network.service_cidrs),
    }
    short = f"{view.name}.{view.namespace}"
    addresses = {each for each in hosts if endpoint.is_address(each)}
    return Request(
        common_name="kube-apiserver",
        names=frozenset(hosts - addresses),
        addresses=frozenset(str(ipaddress.ip_address(each)) for each in addresses),
        server=True,
        # What upstream makes has the name of kubeadm's placeholder and lacks the short one: that is no reason to make it anew.
        spare=frozenset({"node", short} - {*network.cert_sans, view.name}),
    )
