"""The pods of a tenant's control plane, as the user may shape them. Read by the hosting room's deployment builder."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from provider.api import additions
from provider.api.foreign import (
    Affinity,
    ContainerSecurityContext,
    DeploymentStrategy,
    PodSecurityContext,
    ResourceRequirements,
    Toleration,
    TopologySpreadConstraint,
)
from provider.api.meta import AdditionalMetadata
from provider.api.model import Model

BLUE_GREEN: Final = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}
AtLeastOne = Annotated[int, Field(ge=1)]


class RegistrySettings(Model):
    """Where the images come from: `<registry>/<image>:<version><tagSuffix>`."""

    registry: str = "registry.k8s.io"
    api_server_image: str = "kube-apiserver"
    controller_manager_image: str = "kube-controller-manager"
    scheduler_image: str = "kube-scheduler"
    tag_suffix: str | None = None


class ExtraArgs(Model):
    """Flags (`--flag=value`) added to those we set."""

    api_server: tuple[str, ...] = ()
    controller_manager: tuple[str, ...] = ()
    scheduler: tuple[str, ...] = ()
    kine: tuple[str, ...] = ()


class ComponentResources(Model):
    """Requests and limits a component."""

    api_server: ResourceRequirements | None = None
    controller_manager: ResourceRequirements | None = None
    scheduler: ResourceRequirements | None = None
    kine: ResourceRequirements | None = None


class ComponentVolumeMounts(Model):
    """Mounts of the additional volumes, a component."""

    api_server: additions.ApiServerMounts = ()
    controller_manager: additions.ControllerManagerMounts = ()
    scheduler: additions.SchedulerMounts = ()


class ComponentSecurityContexts(Model):
    """Security contexts a container."""

    api_server: ContainerSecurityContext | None = None
    controller_manager: ContainerSecurityContext | None = None
    scheduler: ContainerSecurityContext | None = None


class ProbeSpec(Model):
    """The numbers of a probe; what is absent keeps ours. Durations in seconds."""

    initial_delay_seconds: Annotated[int, Field(ge=0)] | None = None
    period_seconds: AtLeastOne | None = None
    timeout_seconds: AtLeastOne | None = None
    success_threshold: AtLeastOne | None = None
    failure_threshold: AtLeastOne | None = None


class ProbeSet(Model):
    """The three probes of a container."""

    liveness: ProbeSpec | None = None
    readiness: ProbeSpec | None = None
    startup: ProbeSpec | None = None


class Probes(ProbeSet):
    """For every component, and field by field over that for each."""

    api_server: ProbeSet | None = None
    controller_manager: ProbeSet | None = None
    scheduler: ProbeSet | None = None


class Deployment(Model):
    """The Deployment of the control plane. Zero replicas let it sleep; its data stays."""

    RULES = additions.RULES

    replicas: Annotated[int, Field(ge=0)] = 2
    registry_settings: RegistrySettings = RegistrySettings()
    strategy: DeploymentStrategy = BLUE_GREEN
    extra_args: ExtraArgs = ExtraArgs()
    resources: ComponentResources = ComponentResources()
    probes: Probes = Probes()
    pod_security_context: PodSecurityContext | None = None
    container_security_contexts: ComponentSecurityContexts = ComponentSecurityContexts()
    additional_metadata: AdditionalMetadata = AdditionalMetadata()
    pod_additional_metadata: AdditionalMetadata = AdditionalMetadata()
    additional_containers: additions.Containers = ()
    additional_init_containers: additions.Containers = ()
    additional_volumes: additions.Volumes = ()
    additional_volume_mounts: ComponentVolumeMounts = ComponentVolumeMounts()
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    affinity: Affinity | None = None
    topology_spread_constraints: tuple[TopologySpreadConstraint, ...] = ()
    runtime_class_name: str | None = None
    service_account_name: str = "default"
    automount_service_account_token: bool | None = None
