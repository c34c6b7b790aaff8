"""kube-proxy inside a tenant: routes Services on its nodes. In nftables mode unless the tenant's annotation says otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from provider.api import kinds, names
from provider.api.addons import ImageOverride
from provider.hosting import credential, endpoint, versions
from provider.hosting.view import View
from provider.manifest import Manifest, checksum, kubeconfig, meta, pod, rbac, yamltext

NAME = "kube-proxy"
NAMESPACE = "kube-system"
REPOSITORY = "registry.k8s.io"
LABELS = {names.LABEL_PROJECT: names.PROJECT}
SELECTOR = {"k8s-app": "kube-proxy"}
FOLDER = "/var/lib/kube-proxy"
UNSAID = re.compile(r"^mode: *(\"\"|'')? *$", re.MULTILINE)
# Zero leaves the kernel's own values: a node may be a container that cannot change them.
CONNTRACK = {"maxPerCore": 0, "min": 0, "tcpCloseWaitTimeout": "0s", "tcpEstablishedTimeout": "0s"}


def build(view: View) -> Iterator[Manifest]:
    """Nothing while `addons.kubeProxy` is absent."""
    if (addon := view.tcp.spec.addons.kube_proxy) is None:
        return
    data = {"config.conf": _configuration(view), "kubeconfig.conf": kubeconfig.in_pod(endpoint.internal(view).url)}
    yield meta.new(kinds.SERVICE_ACCOUNT, NAME, NAMESPACE, labels=LABELS)
    account = rbac.service_account(NAME, NAMESPACE)
    yield rbac.cluster_role_binding("kubeadm:node-proxier", "system:node-proxier", LABELS, account)
    yield rbac.role(NAME, NAMESPACE, LABELS, rbac.rule(["configmaps"], ["get"], named=[NAME]))
    yield rbac.role_binding(NAME, NAMESPACE, LABELS, rbac.group(names.NODE_TOKEN_GROUP))
    yield meta.new(kinds.CONFIG_MAP, NAME, NAMESPACE, labels={**LABELS, "app": NAME}, data=data)
    yield _daemon_set(view, addon, checksum.of(data))


def report(view: View) -> dict[str, Any]:
    """`addons.kubeProxy`."""
    before = (view.status.get("addons") or {}).get("kubeProxy")
    if view.tenant is None:
        return {}
    enabled = view.tenant.get(kinds.DAEMON_SET, NAME, NAMESPACE) is not None
    if not (enabled or before):
        return {}
    return {"addons": {"kubeProxy": credential.stamped(view, {"enabled": enabled}, before)}}


def _configuration(view: View) -> str:
    minor = versions.of(versions.served(view))
    document = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "bindAddress": "0.0.0.0",  # noqa: S104 - node ports are served on every address of the node
        "clientConnection": {"kubeconfig": f"{FOLDER}/kubeconfig.conf"},
        "clusterCIDR": ",".join(view.tcp.network.pod_cidrs),
        "conntrack": CONNTRACK,
        "mode": _mode(view, minor),
    }
    return yamltext.written(document)


def _mode(view: View, minor: versions.Minor) -> str:
    """What the annotation says, else the minor's. Upstream leaves it to the program: nodes that run so go on running so.

    The ConfigMap is looked at and not parsed: people inside write it, and a megabyte of YAML would hold up everybody.
    """
    if said := meta.annotations_of(view.raw).get(names.ANNOTATION_KUBE_PROXY_MODE):
        return said
    found = view.tenant.get(kinds.CONFIG_MAP, NAME, NAMESPACE) if view.tenant else None
    standing = ((found or {}).get("data") or {}).get("config.conf") or ""
    return "" if UNSAID.search(standing) else minor.kube_proxy_mode


def _image(view: View, addon: ImageOverride) -> str:
    tag = addon.image_tag or versions.served(view).replace("+", "_")
    return f"{addon.image_repository or REPOSITORY}/kube-proxy:{tag}"


def _daemon_set(view: View, addon: ImageOverride, config: str) -> Manifest:
    metadata = {"labels": SELECTOR, "annotations": {names.ANNOTATION_CHECKSUM: config}}
    return meta.new(
        kinds.DAEMON_SET,
        NAME,
        NAMESPACE,
        labels={**LABELS, **SELECTOR},
        spec={
            "selector": {"matchLabels": SELECTOR},
            "updateStrategy": {"type": "RollingUpdate"},
            "template": {"metadata": metadata, "spec": _pod(_image(view, addon))},
        },
    )


def _pod(image: str) -> Manifest:
    node_name = {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}}
    container = {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [
            "/usr/local/bin/kube-proxy",
            f"--config={FOLDER}/config.conf",
            "--hostname-override=$(NODE_NAME)",
        ],
        "env": [{"name": "NODE_NAME", "valueFrom": node_name}],
        "securityContext": {"privileged": True},
        "volumeMounts": [
            pod.mount("kube-proxy", FOLDER),
            pod.mount("xtables-lock", "/run/xtables.lock", read_only=False),
            pod.mount("lib-modules", "/lib/modules"),
        ],
    }
    return {
        "priorityClassName": "system-node-critical",
        "containers": [container],
        "hostNetwork": True,
        "serviceAccountName": NAME,
        "volumes": [
            pod.config_map_volume("kube-proxy", NAME, ["config.conf", "kubeconfig.conf"]),
            {"name": "xtables-lock", "hostPath": {"path": "/run/xtables.lock", "type": "FileOrCreate"}},
            {"name": "lib-modules", "hostPath": {"path": "/lib/modules", "type": ""}},
        ],
        "tolerations": [{"operator": "Exists"}],
        "nodeSelector": {"kubernetes.io/os": "linux"},
    }
