"""The kube-apiserver container: flags as upstream sets them, NodeRestriction always, and nothing a user may bend apart."""

from __future__ import annotations

from provider.api.verdict import Invalid
from provider.hosting import endpoint
from provider.hosting.desired.deployment import container, flags, kine, probes, volumes
from provider.hosting.desired.deployment.container import Component
from provider.hosting.desired.deployment.volumes import PKI
from provider.hosting.desired.konnectivity import sidecar
from provider.hosting.view import View
from provider.manifest import Manifest, pod

NAME = "kube-apiserver"
NODE_RESTRICTION = "NodeRestriction"
# The official image's binary has the file capability NET_BIND_SERVICE: with an empty bounding set it cannot be executed.
SECURITY = {**container.RESTRICTED, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}
# The issuer stays the same whatever the cluster domain, as upstream has it: tokens in the field name it.
ISSUER = "https://kubernetes.default.svc.cluster.local"
DEFAULTS = {
    "allow-privileged": "true",
    "enable-bootstrap-token-auth": "true",
    # A pod that ends goes on serving until no Service sends it anything any more: rollouts without refused connections.
    "shutdown-delay-duration": f"{pod.FAREWELL}s",
    # Else open watches, which never end, hold it until the kubelet kills it.
    "shutdown-watch-termination-grace-period": "2s",
    "profiling": "false",
    "requestheader-extra-headers-prefix": "X-Remote-Extra-",
    "requestheader-group-headers": "X-Remote-Group",
    "requestheader-username-headers": "X-Remote-User",
    "service-account-issuer": ISSUER,
}
ADVICE = {
    "advertise-address": "write it to networkProfile.advertiseAddress",
    "enable-admission-plugins": "write them to spec.kubernetes.admissionControllers",
    "egress-selector-config-file": "remove it, or remove addons.konnectivity, whose selector it is",
    "encryption-provider-config": "remove it, or annotation x.kamaji.clastix.io/encrypt, whose configuration it is",
    "secure-port": "write it to networkProfile.port",
    "service-cluster-ip-range": "write it to networkProfile.serviceCidrs",
    "kubelet-preferred-address-types": "write them to spec.kubernetes.kubelet.preferredAddressTypes",
}


def build(view: View) -> Manifest:
    """The container. NotReady without store, keyspace or address; Invalid for flags that are not the user's to set."""
    deployment = view.tcp.deployment
    user = deployment.extra_args.api_server
    return container.of(
        view,
        Component(
            name=NAME,
            args=flags.merged("apiServer", _managed(view), _defaults(user), user, ADVICE),
            mounts=[
                *deployment.additional_volume_mounts.api_server,
                *volumes.pki_mounts(),
                *kine.api_server_mounts(view),
                *sidecar.api_server_mounts(view),
                *volumes.encryption_mounts(view),
            ],
            paths=probes.API_SERVER_PATHS,
            port=view.tcp.network.port,
            security=deployment.container_security_contexts.api_server,
            probe_set=deployment.probes.api_server,
            default_security=SECURITY,
        ),
    )


def _defaults(user: tuple[str, ...]) -> dict[str, str]:
    given = {flags.name_of(each) for each in user}
    # A flag and its value may be two arguments, so the name counts wherever it stands.
    if "disable-admission-plugins" in given and any(NODE_RESTRICTION in each for each in user):
        raise Invalid(
            "NodeRestrictionDisabled",
            "spec.controlPlane.deployment.extraArgs.apiServer: --disable-admission-plugins names NodeRestriction,"
            " without which a worker could act for any other: take it out",
        )
    # A file of authorizers and a list of them exclude each other.
    return DEFAULTS if "authorization-config" in given else {**DEFAULTS, "authorization-mode": "Node,RBAC"}


def _managed(view: View) -> dict[str, str]:
    kubernetes, network = view.tcp.spec.kubernetes, view.tcp.network
    plugins = dict.fromkeys([*kubernetes.admission_controllers, NODE_RESTRICTION])
    advertised = endpoint.advertised(view)
    return {
        **({"advertise-address": advertised} if advertised else {}),
        "client-ca-file": f"{PKI}/ca.crt",
        "enable-admission-plugins": ",".join(plugins),
        "kubelet-client-certificate": f"{PKI}/apiserver-kubelet-client.crt",
        "kubelet-client-key": f"{PKI}/apiserver-kubelet-client.key",
        "kubelet-preferred-address-types": ",".join(kubernetes.kubelet.preferred_address_types),
        "proxy-client-cert-file": f"{PKI}/front-proxy-client.crt",
        "proxy-client-key-file": f"{PKI}/front-proxy-client.key",
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-client-ca-file": f"{PKI}/front-proxy-ca.crt",
        "secure-port": str(network.port),
        "service-account-key-file": f"{PKI}/sa.pub",
        "service-account-signing-key-file": f"{PKI}/sa.key",
        "service-cluster-ip-range": ",".join(network.service_cidrs),
        "tls-cert-file": f"{PKI}/apiserver.crt",
        "tls-private-key-file": f"{PKI}/apiserver.key",
        **_store(view),
        **volumes.encryption_flags(view),
        **sidecar.api_server_flags(view),
    }


def _store(view: View) -> dict[str, str]:
    """The store, by the tenant's own prefix and certificate. Compaction and the store's size are the operator's matter.

    Behind kine a tenant has a database of its own, which its API server compacts.
    """
    assert view.store is not None and view.keyspace is not None
    if view.store.kine:
        return {"etcd-db-metric-poll-interval": "0", "etcd-servers": kine.SOCKET}
    return {
        "etcd-cafile": f"{PKI}/etcd/ca.crt",
        "etcd-certfile": f"{PKI}/etcd/server.crt",
        "etcd-compaction-interval": "0",
        "etcd-db-metric-poll-interval": "0",
        "etcd-keyfile": f"{PKI}/etcd/server.key",
        "etcd-prefix": f"/{view.keyspace.schema}",
        "etcd-servers": ",".join(f"https://{each}" for each in view.store.endpoints),
        **_overrides(view),
    }


def _overrides(view: View) -> dict[str, str]:
    """Resources in other stores: under the same prefix, with the same certificate."""
    said = [
        f"{each.resource}#{';'.join(f'https://{endpoint}' for endpoint in each.store.endpoints)}"
        for each in view.overrides
        if each.store is not None
    ]
    return {"etcd-servers-overrides": ",".join(said)} if said else {}
