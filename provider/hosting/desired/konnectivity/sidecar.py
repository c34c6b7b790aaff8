"""What the control plane's pods and Service take in for the tunnel. Picked up by `deployment` and `service`, which compose.

The proxy server listens for its API server on a Unix socket that both have mounted, and for agents on a port of the Service.
It serves with the API server's certificate, so agents verify it as they verify the API server.
"""

from __future__ import annotations

from typing import Any

from provider.api import kinds, names
from provider.api.addons import Konnectivity
from provider.api.verdict import Invalid
from provider.hosting.desired.konnectivity import arguments, release
from provider.hosting.view import View
from provider.manifest import Manifest, pod

NAME = "konnectivity-server"
KUBECONFIG = "konnectivity-server.conf"
EGRESS_SELECTOR = "egress-selector-configuration.yaml"
FOLDER = "/run/konnectivity"
SOCKET = f"{FOLDER}/konnectivity-server.socket"
CONFIGURATIONS = "/etc/kubernetes/konnectivity/configurations"
PKI = "/etc/kubernetes/pki"
UDS_VOLUME, EGRESS_VOLUME = "konnectivity-uds", "egress-selector-configuration"
KUBECONFIG_VOLUME = "konnectivity-server-kubeconfig"
PKI_VOLUME = "etc-kubernetes-pki"  # the API server's
ADMIN_PORT, HEALTH_PORT = 8133, 8134
LIVENESS = {
    "initialDelaySeconds": 30,
    "timeoutSeconds": 60,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}
REQUESTS = {"cpu": "5m", "memory": "20Mi"}
# A pod that ends still serves for as long as Services may send it something (the API server's shutdown-delay-duration).
# So long it needs its tunnel; but the proxy server has to end before, for it takes its Lease back through that API server.
LINGER = pod.FAREWELL - 1  # seconds until the proxy server is told to end
ENDING = 500  # milliseconds for what goes through it then
LEASES = "kube-system"
LEASE_PART = "konnectivity-lease"
LEASE_LABELS = {"k8s-app": NAME, names.LABEL_PROJECT: names.PROJECT, names.LABEL_PART: LEASE_PART}
"""By them agents count proxy servers, and the pass finds what a proxy server that was killed left behind."""


def needed(view: View) -> bool:
    """Whether the addon is on, or a pod is about that was made while it was: to take its Secret would keep it from starting."""
    if view.tcp.spec.addons.konnectivity is not None:
        return True
    return any(_mounts(each) for each in view.seen.objects.values())


def containers(view: View) -> list[Manifest]:
    """The proxy server; none while the addon is off. Invalid when a user's flag is not his to set."""
    if (addon := view.tcp.spec.addons.konnectivity) is None:
        return []
    server = addon.server
    agents = {"containerPort": server.port, "name": "agentport", "protocol": "TCP"}
    admin = {"containerPort": ADMIN_PORT, "name": "adminport", "protocol": "TCP"}
    health = {"containerPort": HEALTH_PORT, "name": "healthport", "protocol": "TCP"}
    name = {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}
    return [
        {
            "name": NAME,
            "image": release.server_image(view, addon),
            "imagePullPolicy": "IfNotPresent",
            "command": ["/proxy-server"],
            "args": _args(view, addon),
            # The same after a restart of the container, so that its Lease and its agents' connections are told apart by pod.
            "env": [{"name": "PROXY_SERVER_ID", "valueFrom": name}],
            "ports": [agents, admin, health],
            "livenessProbe": pod.http_probe("/healthz", HEALTH_PORT, "HTTP", LIVENESS),
            "lifecycle": {"preStop": {"sleep": {"seconds": LINGER}}},
            "resources": server.resources if server.resources is not None else {"requests": REQUESTS},
            "securityContext": pod.RESTRICTED if server.security_context is None else server.security_context,
            "volumeMounts": _mounted(),
        }
    ]


def volumes(view: View) -> list[Manifest]:
    """Volumes of the pod; none while the addon is off."""
    if view.tcp.spec.addons.konnectivity is None:
        return []
    return [
        {"name": UDS_VOLUME, "emptyDir": {"medium": "Memory"}},
        pod.config_map_volume(EGRESS_VOLUME, names.egress_selector_config_map(view.name), [EGRESS_SELECTOR]),
        pod.secret_volume(KUBECONFIG_VOLUME, names.konnectivity_kubeconfig_secret(view.name), [KUBECONFIG]),
    ]


def api_server_mounts(view: View) -> list[Manifest]:
    """Mounts of kube-apiserver; none while the addon is off."""
    if view.tcp.spec.addons.konnectivity is None:
        return []
    return [pod.mount(UDS_VOLUME, FOLDER), pod.mount(EGRESS_VOLUME, CONFIGURATIONS)]


def api_server_flags(view: View) -> dict[str, str]:
    """Flags of kube-apiserver; none while the addon is off."""
    if view.tcp.spec.addons.konnectivity is None:
        return {}
    return {"egress-selector-config-file": f"{CONFIGURATIONS}/{EGRESS_SELECTOR}"}


def service_ports(view: View) -> list[Manifest]:
    """The port at which agents reach the proxy server; none while the addon is off."""
    if (addon := view.tcp.spec.addons.konnectivity) is None:
        return []
    port = addon.server.port
    node_port = {"nodePort": port} if view.tcp.service.service_type == "NodePort" else {}
    return [{"name": NAME, "protocol": "TCP", "port": port, "targetPort": port, **node_port}]


def service_status(view: View) -> dict[str, Any]:
    """The status block about the Service's port; empty while it has none."""
    service = view.seen.get(kinds.SERVICE, view.name, view.namespace) or {}
    found = next((each for each in (service.get("spec") or {}).get("ports") or () if each.get("name") == NAME), None)
    if found is None:
        return {}
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    said = [{key: value for key, value in each.items() if key != "ports"} for each in ingress]
    block: dict[str, Any] = {"name": view.name, "namespace": view.namespace, "port": found["port"]}
    return block | ({"loadBalancer": {"ingress": said}} if said else {})


def _mounts(manifest: Manifest) -> bool:
    spec = manifest.get("spec") or {}
    if manifest["kind"] == kinds.DEPLOYMENT.kind:
        spec = (spec.get("template") or {}).get("spec") or {}
    elif manifest["kind"] != kinds.POD.kind:
        return False
    return any(each.get("name") == KUBECONFIG_VOLUME for each in spec.get("volumes") or ())


def _mounted() -> list[Manifest]:
    """Of the API server's credentials only those it serves with: neither the cluster's CA nor its signing keys."""
    serving = [
        {**pod.mount(PKI_VOLUME, f"{PKI}/{each}"), "subPath": each} for each in ("apiserver.crt", "apiserver.key")
    ]
    conf = {**pod.mount(KUBECONFIG_VOLUME, f"/etc/kubernetes/{KUBECONFIG}"), "subPath": KUBECONFIG}
    return [*serving, conf, pod.mount(UDS_VOLUME, FOLDER, read_only=False)]


def _args(view: View, addon: Konnectivity) -> list[str]:
    """What agents and API server rely on is not the user's to set."""
    managed = _flags(view, addon)
    if taken := sorted(set(managed) & {arguments.name_of(each) for each in addon.server.extra_args}):
        raise Invalid(
            "FlagManaged",
            f"spec.addons.konnectivity.server.extraArgs: --{taken[0]} is set by the provider: remove it",
        )
    return arguments.under({**arguments.DEFAULTS, **managed}, addon.server.extra_args)


def _flags(view: View, addon: Konnectivity) -> dict[str, str]:
    flags = {
        "admin-port": str(ADMIN_PORT),
        "agent-namespace": "kube-system",
        "agent-port": str(addon.server.port),
        "agent-service-account": names.KONNECTIVITY_AGENT,
        "authentication-audience": names.KONNECTIVITY_SERVER,
        "cluster-cert": f"{PKI}/apiserver.crt",
        "cluster-key": f"{PKI}/apiserver.key",
        "health-port": str(HEALTH_PORT),
        "kubeconfig": f"/etc/kubernetes/{KUBECONFIG}",
        "mode": "grpc",
        "server-port": "0",
        "uds-name": SOCKET,
    }
    if release.ends_gracefully(view, addon):
        flags["graceful-shutdown-timeout"] = f"{ENDING}ms"
    if release.counts_leases(view, addon):
        labels = ",".join(f"{key}={value}" for key, value in sorted(LEASE_LABELS.items()))
        return flags | {"enable-lease-controller": "true", "lease-namespace": LEASES, "lease-label": labels}
    return flags | {"server-count": str(view.tcp.deployment.replicas)}
