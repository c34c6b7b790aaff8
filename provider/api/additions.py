"""What users add to the pods of a control plane, and the names and paths there that are the provider's own. As CEL rules.

Upstream finds such clashes by a dry run of the Deployment; here the API server refuses them when they are written. Tests hold
the names to what the builders make. Bounds are the API server's alone: what another operator stored is read all the same.
"""

from __future__ import annotations

from typing import Annotated, Final

from provider.api.foreign import Container, Volume, VolumeMount
from provider.api.schema import Extra, Rule

CONTAINERS: Final = ("kine", "konnectivity-server", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
VOLUMES: Final = (
    "controller-manager-kubeconfig",
    "egress-selector-configuration",
    "encryption-at-rest",
    "etc-ca-certificates",
    "etc-kubernetes-pki",
    "kine-config",
    "kine-uds",
    "konnectivity-server-kubeconfig",
    "konnectivity-uds",
    "scheduler-kubeconfig",
    "usr-local-share-ca-certificates",
    "usr-share-ca-certificates",
)
TRUST: Final = ("/etc/ca-certificates", "/usr/local/share/ca-certificates", "/usr/share/ca-certificates")
API_SERVER_PATHS: Final = (
    "/etc/kubernetes/encryption",
    "/etc/kubernetes/konnectivity/configurations",
    "/etc/kubernetes/pki",
    "/run/konnectivity",
    "/uds",
    *TRUST,
)
CONTROLLER_MANAGER_PATHS: Final = ("/etc/kubernetes", "/etc/kubernetes/pki", *TRUST)
SCHEDULER_PATHS: Final = ("/etc/kubernetes",)

Containers = Annotated[
    tuple[Container, ...],
    Extra(maxItems=32),
    Rule(
        "self.all(one, self.exists_one(other, other.name == one.name))",
        "two containers have one name: rename one of them",
    ),
    Rule(
        f"self.all(each, !(each.name in {list(CONTAINERS)}))",
        f"{', '.join(CONTAINERS)} are the provider's own containers: rename yours, or shape those by extraArgs, resources,"
        " probes and registrySettings",
    ),
]
Volumes = Annotated[
    tuple[Volume, ...],
    Extra(maxItems=64),
    Rule(
        "self.all(one, self.exists_one(other, other.name == one.name))", "two volumes have one name: rename one of them"
    ),
    Rule(
        f"self.all(each, !(each.name in {list(VOLUMES)}))",
        f"{', '.join(VOLUMES)} are the provider's own volumes: rename yours",
    ),
]

UNIQUE_PATHS = Rule(
    "self.all(one, self.exists_one(other, other.mountPath == one.mountPath))",
    "two mounts have one mountPath: change one of them",
)


def _free(paths: tuple[str, ...]) -> Rule:
    return Rule(
        f"self.all(each, !(each.mountPath in {list(paths)}))",
        f"{', '.join(paths)} are mounted by the provider: choose another mountPath",
    )


Mounts = Annotated[tuple[VolumeMount, ...], Extra(maxItems=64), UNIQUE_PATHS]
ApiServerMounts = Annotated[Mounts, _free(API_SERVER_PATHS)]
ControllerManagerMounts = Annotated[Mounts, _free(CONTROLLER_MANAGER_PATHS)]
SchedulerMounts = Annotated[Mounts, _free(SCHEDULER_PATHS)]

APART = Rule(
    "!has(self.additionalContainers) || !has(self.additionalInitContainers)"
    " || self.additionalInitContainers.all(one, !self.additionalContainers.exists(other, other.name == one.name))",
    "a container of additionalInitContainers has the name of one of additionalContainers: rename one of them",
    field=".additionalInitContainers",
)


def _mounted(component: str) -> Rule:
    mounts = f"self.additionalVolumeMounts.{component}"
    return Rule(
        f"!has(self.additionalVolumeMounts) || !has({mounts}) || {mounts}.all(mount, mount.name in {list(VOLUMES)}"
        " || (has(self.additionalVolumes) && self.additionalVolumes.exists(volume, volume.name == mount.name)))",
        f"additionalVolumeMounts.{component} mounts a volume that is not there: add it to additionalVolumes",
        field=".additionalVolumeMounts",
    )


RULES = (APART, *(_mounted(each) for each in ("apiServer", "controllerManager", "scheduler")))
"""Of the Deployment block as a whole."""
