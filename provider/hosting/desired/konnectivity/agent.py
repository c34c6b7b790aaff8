"""What runs inside the tenant: agents that dial the proxy servers, and what agents and proxy servers may do there.

An agent says who it is by a token made for the proxy server alone; the proxy server has its API server judge the token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from provider.api import kinds, names
from provider.api.addons import Konnectivity
from provider.api.kinds import Kind
from provider.api.verdict import NotReady
from provider.hosting import credential, endpoint, rotation
from provider.hosting.desired.konnectivity import arguments, release, sidecar
from provider.hosting.endpoint import Endpoint
from provider.hosting.view import View
from provider.manifest import Manifest, checksum, mergepatch, meta, pod, rbac

NAME = names.KONNECTIVITY_AGENT
NAMESPACE = "kube-system"
LABELS = {names.LABEL_PROJECT: names.PROJECT}
SELECTOR = {"k8s-app": NAME}
REPLICAS = 2  # of a Deployment whose user says no number
KINDS = {"DaemonSet": kinds.DAEMON_SET, "Deployment": kinds.DEPLOYMENT}
ADMIN_PORT, HEALTH_PORT = 8133, 8134
REQUESTS = {"cpu": "5m", "memory": "20Mi"}
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKENS = "/var/run/secrets/tokens"
TOKEN = "konnectivity-agent-token"
TOKEN_LIFE = 3600  # seconds
LIVENESS = {
    "initialDelaySeconds": 15,
    "timeoutSeconds": 15,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}
# Ready is an agent that is connected: so the status of DaemonSet or Deployment tells whether there is a tunnel at all.
READINESS = {"periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3}
IN_USE = "TunnelInUse"
COUNTED = "konnectivity-server-leases"  # Role and binding: agents read the proxy servers' Leases
PUBLISHED = "konnectivity-server"  # Role and binding: proxy servers write them


def build(view: View) -> Iterator[Manifest]:
    """ServiceAccount, rights, DaemonSet or Deployment; nothing while the addon is off.

    NotReady while it is off and an API server is about that still takes the tunnel: its agents stay until it has ended.
    """
    if (addon := view.tcp.spec.addons.konnectivity) is None:
        if sidecar.needed(view):
            raise NotReady(IN_USE, "the agents stay until the API servers that take the tunnel have ended")
        return
    yield meta.new(kinds.SERVICE_ACCOUNT, NAME, NAMESPACE, labels=LABELS)
    server = rbac.user(names.KONNECTIVITY_SERVER)
    yield rbac.cluster_role_binding(names.KONNECTIVITY_SERVER, "system:auth-delegator", LABELS, server)
    if release.counts_leases(view, addon):
        yield from _leases(server)
    yield _workload(view, addon)


def report(view: View) -> dict[str, Any]:
    """`addons.konnectivity.{sa,clusterrolebinding,agent}`: what is there; as it was while the tenant does not answer."""
    before: dict[str, Any] = (view.status.get("addons") or {}).get("konnectivity") or {}
    if view.tenant is None:
        return {}
    blocks = dict(_reported(view, before))
    rest = {key: value for key, value in before.items() if key not in ("sa", "clusterrolebinding", "agent")}
    changed = mergepatch.between(before, {**rest, **blocks})
    return {"addons": {"konnectivity": changed}} if changed else {}


def workload(view: View) -> Manifest | None:
    """The agents' DaemonSet or Deployment as it is; None while there is none of the wanted kind."""
    addon = view.tcp.spec.addons.konnectivity
    return view.tenant.get(KINDS[addon.agent.mode], NAME, NAMESPACE) if addon and view.tenant else None


def dialled(view: View) -> Endpoint:
    """Where the agents find the proxy servers: a Gateway routes to them, too; an Ingress does not."""
    addon, gateway = view.tcp.spec.addons.konnectivity, view.tcp.spec.control_plane.gateway
    assert addon is not None
    reached = endpoint.internal(view) if gateway else endpoint.direct(view)
    return Endpoint(reached.host, addon.server.port)


def _reported(view: View, before: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    assert view.tenant is not None
    named = {"name": NAME, "namespace": NAMESPACE}
    if view.tenant.get(kinds.SERVICE_ACCOUNT, NAME, NAMESPACE):
        yield "sa", credential.stamped(view, named, before.get("sa"))
    if view.tenant.get(kinds.CLUSTER_ROLE_BINDING, names.KONNECTIVITY_SERVER):
        bound = {"name": names.KONNECTIVITY_SERVER}
        yield "clusterrolebinding", credential.stamped(view, bound, before.get("clusterrolebinding"))
    for mode, kind in KINDS.items():
        if view.tenant.get(kind, NAME, NAMESPACE) and mode == _mode(view, mode):
            yield "agent", credential.stamped(view, {**named, "mode": mode}, before.get("agent"))


def _mode(view: View, found: str) -> str:
    addon = view.tcp.spec.addons.konnectivity
    return addon.agent.mode if addon else found


def _leases(server: Manifest) -> Iterator[Manifest]:
    """Proxy servers publish themselves, and clear what others left; agents count them."""
    group, leases = "coordination.k8s.io", ["leases"]
    written = rbac.rule(leases, ["create", "get", "list", "update", "delete"], group=group)
    yield rbac.role(PUBLISHED, NAMESPACE, LABELS, written)
    yield rbac.role_binding(PUBLISHED, NAMESPACE, LABELS, server)
    yield rbac.role(COUNTED, NAMESPACE, LABELS, rbac.rule(leases, ["list", "watch"], group=group))
    yield rbac.role_binding(COUNTED, NAMESPACE, LABELS, rbac.service_account(NAME, NAMESPACE))


def _workload(view: View, addon: Konnectivity) -> Manifest:
    kind: Kind = KINDS[addon.agent.mode]
    # An agent reads whom it may trust once, at its start.
    trusted = checksum.of({"ca.crt": rotation.trusted(view)})
    metadata = {"labels": SELECTOR, "annotations": {names.ANNOTATION_CHECKSUM: trusted}}
    spec: Manifest = {
        "selector": {"matchLabels": SELECTOR},
        "template": {"metadata": metadata, "spec": _pod(view, addon)},
    }
    if addon.agent.mode == "Deployment":
        spec["replicas"] = _replicas(view, addon)
    else:
        # One after the other would take hours on a thousand nodes: an agent that ends finishes what goes through it first.
        spec["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}}
    return meta.new(kind, NAME, NAMESPACE, labels={**LABELS, **SELECTOR}, spec=spec)


def _replicas(view: View, addon: Konnectivity) -> int:
    """The user's number; without one, what the tenant made of it (an autoscaler may), two at first."""
    if addon.agent.replicas is not None:
        return addon.agent.replicas
    live = view.tenant.get(kinds.DEPLOYMENT, NAME, NAMESPACE) if view.tenant else None
    return int(((live or {}).get("spec") or {}).get("replicas", REPLICAS))


def _pod(view: View, addon: Konnectivity) -> Manifest:
    expiring = {"audience": names.KONNECTIVITY_SERVER, "expirationSeconds": TOKEN_LIFE, "path": TOKEN}
    found: Manifest = {
        "priorityClassName": "system-cluster-critical",
        "serviceAccountName": NAME,
        "hostNetwork": addon.agent.host_network,
        # The names it dials are the nodes' own and the tenant's endpoint: the node resolves both, also without CoreDNS.
        "dnsPolicy": "Default",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": list(addon.agent.tolerations),
        "securityContext": {
            "runAsGroup": pod.NOBODY,
            "runAsNonRoot": True,
            "runAsUser": pod.NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(view, addon)],
        "volumes": [{"name": TOKEN, "projected": {"sources": [{"serviceAccountToken": expiring}]}}],
    }
    if addon.agent.mode == "Deployment":
        apart = {"labelSelector": {"matchLabels": SELECTOR}, "topologyKey": "kubernetes.io/hostname"}
        preferred = [{"weight": 100, "podAffinityTerm": apart}]
        found["affinity"] = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
    return found


def _container(view: View, addon: Konnectivity) -> Manifest:
    # With the host's network these ports are the node's: named here, two agents are never put on one node.
    ports = (("admin", ADMIN_PORT), ("health", HEALTH_PORT))
    # Its own way to the API server is the nodes', not the Service `kubernetes`, which needs kube-proxy.
    api_server = endpoint.internal(view)
    where = {"KUBERNETES_SERVICE_HOST": api_server.host, "KUBERNETES_SERVICE_PORT": str(api_server.port)}
    return {
        "name": NAME,
        "image": release.agent_image(view, addon),
        "imagePullPolicy": "IfNotPresent",
        "command": ["/proxy-agent"],
        "args": arguments.under(_flags(view, addon), addon.agent.extra_args),
        "env": pod.environment(where),
        "ports": [{"containerPort": port, "name": name, "protocol": "TCP"} for name, port in ports],
        "livenessProbe": pod.http_probe("/healthz", HEALTH_PORT, "HTTP", LIVENESS),
        "readinessProbe": pod.http_probe("/readyz", HEALTH_PORT, "HTTP", READINESS),
        "resources": {"requests": REQUESTS},
        "securityContext": pod.RESTRICTED,
        "volumeMounts": [pod.mount(TOKEN, TOKENS)],
    }


def _flags(view: View, addon: Konnectivity) -> dict[str, str]:
    server = dialled(view)
    flags = {
        **arguments.DEFAULTS,
        "admin-server-port": str(ADMIN_PORT),
        "ca-cert": f"{ACCOUNT}/ca.crt",
        "health-server-port": str(HEALTH_PORT),
        "logtostderr": "true",
        "proxy-server-host": server.host,
        "proxy-server-port": str(server.port),
        "service-account-token-path": f"{TOKENS}/{TOKEN}",
        "v": "2",
    }
    if not release.counts_leases(view, addon):
        return flags
    labels = ",".join(f"{key}={value}" for key, value in sorted(sidecar.LEASE_LABELS.items()))
    return flags | {"count-server-leases": "true", "lease-namespace": sidecar.LEASES, "lease-label": labels}
