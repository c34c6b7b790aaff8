"""What the proxy server needs: a client certificate, the kubeconfig made of it, and the API server's egress selector.

Its user is nobody special: what it may do is bound to it inside the tenant (`agent`), and no group lets it do more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provider.api import kinds, names
from provider.api.credentials import tenants
from provider.hosting import credential, rotation
from provider.hosting.desired.konnectivity import sidecar
from provider.hosting.rotation.keyring import CA, Keyring
from provider.hosting.view import View
from provider.manifest import Manifest, checksum, mergepatch, meta, yamltext
from provider.manifest.kubeconfig import Kubeconfig
from provider.manifest.x509 import Pair, Request

NAME = "konnectivity"

CLUSTER = "kubernetes"
REQUEST = Request(common_name=names.KONNECTIVITY_SERVER, client=True)


def build(view: View) -> Iterator[Manifest]:
    """Two Secrets and a ConfigMap; nothing once the block is gone and no pod has them mounted any more."""
    if not sidecar.needed(view):
        return
    pair = _certificate(view, rotation.of(view, CA))
    yield _tls_secret(view, pair)
    kubeconfig = Kubeconfig(
        cluster=CLUSTER,
        server=f"https://localhost:{view.tcp.network.port}",
        ca=rotation.trusted(view),
        user=names.KONNECTIVITY_SERVER,
        client=pair,
    )
    yield credential.secret(view, tenants.TUNNEL_KUBECONFIG, {sidecar.KUBECONFIG: kubeconfig.render()})
    yield _egress_selector(view)


def report(view: View) -> dict[str, Any]:
    """`addons.konnectivity.{enabled,configMap,certificate,kubeconfig,service}`; once it is gone, that it is not enabled."""
    before: dict[str, Any] = (view.status.get("addons") or {}).get("konnectivity") or {}
    addon = view.tcp.spec.addons.konnectivity
    if addon is None and not sidecar.needed(view):
        said = {key: before[key] for key in before if key not in BLOCKS}
        return _changed(before, {**said, "enabled": False}) if before else {}
    found = {
        "configMap": _config_map_status(view),
        **credential.reports(view, tenants.TUNNEL, tenants.TUNNEL_KUBECONFIG)["addons"]["konnectivity"],
        "service": sidecar.service_status(view),
    }
    blocks = {key: block for key, block in found.items() if block}
    return _changed(before, {**before, **blocks, "enabled": addon is not None})


BLOCKS = ("configMap", "certificate", "kubeconfig", "service")
"""Blocks of `addons.konnectivity` that are about the management cluster."""


def _changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """As a report: what it says differs from what stands, with None for what is to go."""
    return {"addons": {"konnectivity": mergepatch.between(before, after)}}


def _config_map_status(view: View) -> dict[str, Any]:
    name = names.egress_selector_config_map(view.name)
    found = view.seen.get(kinds.CONFIG_MAP, name, view.namespace)
    return {"name": name, "checksum": checksum.of(found.get("data") or {})} if found else {}


def _certificate(view: View, ca: Keyring) -> Pair:
    """Asking for another kubeconfig is asking for another certificate."""
    asked = credential.rotation_asked(view, names.konnectivity_kubeconfig_secret(view.name))
    before = None if asked else credential.held(view, tenants.TUNNEL)
    return credential.leaf(view, tenants.TUNNEL, before, REQUEST, ca.signer, ca.accepted)


def _tls_secret(view: View, pair: Pair) -> Manifest:
    data = {"tls.crt": pair.certificate, "tls.key": pair.key}
    secret = credential.secret(view, tenants.TUNNEL, data)
    return {**secret, "type": "kubernetes.io/tls"}


def _egress_selector(view: View) -> Manifest:
    """Only what is meant for the tenant's cluster takes the tunnel: nodes, pods and Services, not its own etcd."""
    transport = {"uds": {"udsName": sidecar.SOCKET}}
    document = {
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [{"name": "cluster", "connection": {"proxyProtocol": "GRPC", "transport": transport}}],
    }
    data = {sidecar.EGRESS_SELECTOR: yamltext.written(document)}
    manifest = meta.new(
        kinds.CONFIG_MAP,
        names.egress_selector_config_map(view.name),
        view.namespace,
        labels=names.tenant_labels(view.name, "konnectivity-egress-selector-configuration"),
        annotations={names.ANNOTATION_CHECKSUM: checksum.of(data)},
        data=data,
    )
    return meta.owned(manifest, view.raw)
