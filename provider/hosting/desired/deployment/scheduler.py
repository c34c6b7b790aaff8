"""The kube-scheduler container."""

from __future__ import annotations

from provider.hosting.desired.deployment import container, flags, leadership, probes
from provider.hosting.desired.deployment.container import Component
from provider.hosting.desired.deployment.volumes import KUBERNETES
from provider.hosting.view import View
from provider.manifest import Manifest, pod

NAME = "kube-scheduler"
PORT = 10259
CONFIG = f"{KUBERNETES}/scheduler.conf"
MANAGED = {
    "authentication-kubeconfig": CONFIG,
    "authorization-kubeconfig": CONFIG,
    "bind-address": "0.0.0.0",  # noqa: S104 - the kubelet probes it on the pod's address
    "kubeconfig": CONFIG,
}


def build(view: View) -> Manifest:
    """The container. How it reaches its API server is not the user's to set, as upstream has it."""
    deployment = view.tcp.deployment
    user = deployment.extra_args.scheduler
    defaults = {**leadership.flags(view, user), "profiling": "false"}
    return container.of(
        view,
        Component(
            name=NAME,
            args=flags.merged("scheduler", MANAGED, defaults, user, {}),
            mounts=[
                *deployment.additional_volume_mounts.scheduler,
                pod.mount("scheduler-kubeconfig", KUBERNETES),
            ],
            paths=probes.HEALTHZ_PATHS,
            port=PORT,
            security=deployment.container_security_contexts.scheduler,
            probe_set=deployment.probes.scheduler,
            default_security=container.RESTRICTED,
        ),
    )
