"""The kube-controller-manager container: it signs for kubelets and tokens, so it shares the API server's credentials."""

from __future__ import annotations

from provider.hosting import rotation
from provider.hosting.desired.deployment import container, flags, leadership, probes, volumes
from provider.hosting.desired.deployment.container import Component
from provider.hosting.desired.deployment.volumes import KUBERNETES, PKI
from provider.hosting.rotation.keyring import CA
from provider.hosting.view import View
from provider.manifest import Manifest, pod

NAME = "kube-controller-manager"
PORT = 10257
CONFIG = f"{KUBERNETES}/controller-manager.conf"


def build(view: View) -> Manifest:
    """The container. The user's flags win over ours, as upstream has it."""
    deployment = view.tcp.deployment
    user = deployment.extra_args.controller_manager
    mounts = [*volumes.pki_mounts(), pod.mount("controller-manager-kubeconfig", KUBERNETES)]
    return container.of(
        view,
        Component(
            name=NAME,
            args=flags.merged("controllerManager", {}, _defaults(view), user, {}),
            mounts=[*deployment.additional_volume_mounts.controller_manager, *mounts],
            paths=probes.HEALTHZ_PATHS,
            port=PORT,
            security=deployment.container_security_contexts.controller_manager,
            probe_set=deployment.probes.controller_manager,
            default_security=container.RESTRICTED,
        ),
    )


def _defaults(view: View) -> dict[str, str]:
    network = view.tcp.network
    pods = {"cluster-cidr": ",".join(network.pod_cidrs)} if network.pod_cidrs else {}
    return {
        **leadership.flags(view, view.tcp.deployment.extra_args.controller_manager),
        **pods,
        "allocate-node-cidrs": "true" if pods else "false",
        "authentication-kubeconfig": CONFIG,
        "authorization-kubeconfig": CONFIG,
        "bind-address": "0.0.0.0",  # noqa: S104 - the kubelet probes it on the pod's address
        "client-ca-file": f"{PKI}/ca.crt",
        "cluster-name": view.name,
        "cluster-signing-cert-file": f"{PKI}/{volumes.SIGNING if rotation.bundled(view, CA) else 'ca.crt'}",
        "cluster-signing-key-file": f"{PKI}/ca.key",
        "controllers": "*,bootstrapsigner,tokencleaner",
        # Each controller asks for a token of its own at the start: by its default of 20 a second that takes five seconds,
        # in which no token for a join is signed.
        "kube-api-burst": "200",
        "kube-api-qps": "100",
        "kubeconfig": CONFIG,
        "profiling": "false",
        "requestheader-client-ca-file": f"{PKI}/front-proxy-ca.crt",
        "root-ca-file": f"{PKI}/ca.crt",
        "service-account-private-key-file": f"{PKI}/sa.key",
        "service-cluster-ip-range": ",".join(network.service_cidrs),
        "use-service-account-credentials": "true",
    }
