"""CoreDNS inside a tenant. Its replicas and its Corefile are the user's once they are there (K#474, K#742)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from provider.api import kinds, names
from provider.api.addons import ImageOverride
from provider.api.kinds import Kind
from provider.hosting import credential, versions
from provider.hosting.view import View
from provider.manifest import Manifest, meta, pod, rbac

NAME = "coredns"
NAMESPACE = "kube-system"
REPOSITORY = "registry.k8s.io/coredns"
REPLICAS = 2
LABELS = {names.LABEL_PROJECT: names.PROJECT}
SELECTOR = {"k8s-app": "kube-dns"}


def build(view: View) -> Iterator[Manifest]:
    """Nothing while `addons.coreDNS` is absent."""
    if (addon := view.tcp.spec.addons.core_dns) is None:
        return
    yield meta.new(kinds.SERVICE_ACCOUNT, NAME, NAMESPACE, labels=LABELS)
    yield rbac.cluster_role(
        "system:coredns",
        LABELS,
        rbac.rule(["endpoints", "services", "pods", "namespaces"], ["list", "watch"]),
        rbac.rule(["endpointslices"], ["list", "watch"], group="discovery.k8s.io"),
    )
    account = rbac.service_account(NAME, NAMESPACE)
    yield rbac.cluster_role_binding("system:coredns", "system:coredns", LABELS, account)
    yield meta.new(kinds.CONFIG_MAP, NAME, NAMESPACE, labels=LABELS, data={"Corefile": _corefile(view)})
    yield _service(view)
    yield _deployment(view, addon)


def report(view: View) -> dict[str, Any]:
    """`addons.coreDNS`."""
    before = (view.status.get("addons") or {}).get("coreDNS")
    enabled = _seen(view, kinds.DEPLOYMENT, NAME) is not None
    if view.tenant is None or not (enabled or before):
        return {}
    return {"addons": {"coreDNS": credential.stamped(view, {"enabled": enabled}, before)}}


def _seen(view: View, kind: Kind, name: str) -> Manifest | None:
    return view.tenant.get(kind, name, NAMESPACE) if view.tenant else None


def _corefile(view: View) -> str:
    """kubeadm's, unless one is there: people add their own zones to it."""
    found = ((_seen(view, kinds.CONFIG_MAP, NAME) or {}).get("data") or {}).get("Corefile")
    domain = view.tcp.network.cluster_domain
    return found or "\n".join(
        (
            ".:53 {",
            "    errors",
            "    health {",
            "       lameduck 5s",
            "    }",
            "    ready",
            f"    kubernetes {domain} in-addr.arpa ip6.arpa {{",
            "       pods insecure",
            "       fallthrough in-addr.arpa ip6.arpa",
            "       ttl 30",
            "    }",
            "    prometheus :9153",
            "    forward . /etc/resolv.conf {",
            "       max_concurrent 1000",
            "    }",
            "    cache 30 {",
            f"       disable success {domain}",
            f"       disable denial {domain}",
            "    }",
            "    loop",
            "    reload",
            "    loadbalance",
            "}",
            "",
        )
    )


def _service(view: View) -> Manifest:
    """One address a family: the first of each that kubelets are given."""
    families: dict[str, str] = {}
    for each in view.tcp.network.dns_addresses:
        families.setdefault(f"IPv{ipaddress.ip_address(each).version}", each)
    addresses = list(families.values())
    dual = {"clusterIPs": addresses, "ipFamilies": list(families), "ipFamilyPolicy": "RequireDualStack"}
    ports = (("dns", 53, "UDP"), ("dns-tcp", 53, "TCP"), ("metrics", 9153, "TCP"))
    return meta.new(
        kinds.SERVICE,
        "kube-dns",
        NAMESPACE,
        labels={**LABELS, **SELECTOR, "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"},
        annotations={"prometheus.io/port": "9153", "prometheus.io/scrape": "true"},
        spec={
            "clusterIP": addresses[0],
            **(dual if len(addresses) > 1 else {}),
            "ports": [
                {"name": name, "port": port, "protocol": protocol, "targetPort": port} for name, port, protocol in ports
            ],
            "selector": SELECTOR,
        },
    )


def _image(view: View, addon: ImageOverride) -> str:
    tag = addon.image_tag or versions.of(versions.served(view)).coredns
    return f"{addon.image_repository or REPOSITORY}/coredns:{tag}"


def _deployment(view: View, addon: ImageOverride) -> Manifest:
    live: Mapping[str, Any] = (_seen(view, kinds.DEPLOYMENT, NAME) or {}).get("spec") or {}
    return meta.new(
        kinds.DEPLOYMENT,
        NAME,
        NAMESPACE,
        labels={**LABELS, **SELECTOR},
        spec={
            "replicas": live.get("replicas", REPLICAS),
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "selector": {"matchLabels": SELECTOR},
            "template": {"metadata": {"labels": SELECTOR}, "spec": _pod(_image(view, addon))},
        },
    )


def _pod(image: str) -> Manifest:
    apart = {
        "labelSelector": {"matchExpressions": [{"key": "k8s-app", "operator": "In", "values": ["kube-dns"]}]},
        "topologyKey": "kubernetes.io/hostname",
    }
    preferred = [{"weight": 100, "podAffinityTerm": apart}]
    return {
        "priorityClassName": "system-cluster-critical",
        "serviceAccountName": NAME,
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}},
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"key": names.CONTROL_PLANE_TAINT, "effect": "NoSchedule"},
        ],
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "containers": [_container(image)],
        "dnsPolicy": "Default",
        "volumes": [pod.config_map_volume("config-volume", NAME, ["Corefile"])],
    }


def _container(image: str) -> Manifest:
    ports = (("dns", 53, "UDP"), ("dns-tcp", 53, "TCP"), ("metrics", 9153, "TCP"))
    probed = (("liveness-probe", 8080, "TCP"), ("readiness-probe", 8181, "TCP"))
    return {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "resources": {"limits": {"memory": "170Mi"}, "requests": {"cpu": "100m", "memory": "70Mi"}},
        "volumeMounts": [pod.mount("config-volume", "/etc/coredns")],
        "ports": [
            {"containerPort": port, "name": name, "protocol": protocol} for name, port, protocol in ports + probed
        ],
        "livenessProbe": pod.http_probe(
            "/health", "liveness-probe", "HTTP", {"initialDelaySeconds": 60, "timeoutSeconds": 5, "failureThreshold": 5}
        ),
        "readinessProbe": pod.http_probe("/ready", "readiness-probe", "HTTP", {}),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
