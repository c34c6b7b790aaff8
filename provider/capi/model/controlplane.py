"""KamajiControlPlane and KamajiControlPlaneTemplate (controlplane.cluster.x-k8s.io/v1alpha2), contracts v1beta2 and v1beta1.

The kinds themselves; the blocks that shape the hosted control plane are in `hosted`. Read by the room's view, written by users
and by Cluster API's topology controller. v1alpha1 is the same under another name (decision 0013): what its contract calls
otherwise stands in the status of both.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from provider.api import kinds, names
from provider.api.definition import AGE, Column, Definition, Older, Scale
from provider.api.meta import AdditionalMetadata, Conditions, Resource
from provider.api.model import Model
from provider.api.schema import Extra, Foreign, Int64, NotYet, Rule, Timestamp
from provider.api.version import SHAPE as VERSION_SHAPE
from provider.capi.model.hosted import HostedControlPlane

CONTRACT = {
    f"{names.CAPI_GROUP}/v1beta1": names.CONTROL_PLANE_OLDER,
    f"{names.CAPI_GROUP}/v1beta2": names.CONTROL_PLANE_VERSION,
}
WARNING = f"{names.CONTROL_PLANE_GROUP}/{names.CONTROL_PLANE_OLDER} is deprecated: use {names.CONTROL_PLANE_VERSION}"
VERSION, READY = Column("Version", "string", ".spec.version"), Column("Ready", "boolean", ".status.ready")
SOMETHING = Extra(minProperties=1)  # the contract's optional structs are absent or say something


class Endpoint(Model):
    """Where clients reach the API server."""

    # Read whatever it is: upstream's v1alpha1 wrote an empty host and port 0 for "not yet".
    host: Annotated[str, Extra(minLength=1, maxLength=512)] | None = None
    port: Annotated[int, Extra(minimum=1, maximum=65535)] | None = None


class Rollout(Model):
    """When to roll out without any other change."""

    after: Annotated[
        Timestamp | None, Field(description="Once this time has passed, the control plane's pods are restarted, once.")
    ] = None


def _external(of: str) -> str:
    return f"has({of}.deployment) && has({of}.deployment.externalClusterReference)"


class ControlPlaneSpec(HostedControlPlane):
    """What the control plane of one Cluster shall be."""

    RULES = (  # what stands elsewhere would be left behind, and an empty one made in its place
        Rule(
            f"({_external('self')}) == ({_external('oldSelf')})",
            "deployment.externalClusterReference cannot be added or removed: make a new control plane",
        ),
        Rule(
            f"!({_external('self')}) || !({_external('oldSelf')})"
            " || self.deployment.externalClusterReference.deploymentNamespace"
            " == oldSelf.deployment.externalClusterReference.deploymentNamespace",
            "deployment.externalClusterReference.deploymentNamespace cannot be changed: make a new control plane",
        ),
    )

    version: Annotated[str, Field(min_length=1, max_length=256), VERSION_SHAPE]
    replicas: Annotated[int, Field(ge=0)] = 2
    control_plane_endpoint: Annotated[
        Endpoint | None,
        SOMETHING,
        Field(description="Written by the provider once the hosted control plane has an address."),
    ] = None
    rollout: Annotated[Rollout | None, SOMETHING] = None
    machine_template: Annotated[
        dict[str, Any] | None,
        Foreign("Settings of control-plane machines"),
        NotYet("remove it; a hosted control plane has no machines"),
    ] = None


class Initialization(Model):
    """Milestones of the contract; once true they stay true."""

    control_plane_initialized: bool | None = None


class RunningVersion(Model):
    """A version that API servers run, and how many of them; the count is left out rather than 0."""

    version: Annotated[str, Field(min_length=1, max_length=256)]
    replicas: Annotated[int, Field(ge=1)] | None = None


class ControlPlaneStatus(Model):
    """What the contract lets core, its tools and the topology controller read."""

    # Contract v1beta1, for as long as Cluster API reads it (until 1.16)
    initialized: Annotated[bool | None, Field(description="initialization, as contract v1beta1 calls it.")] = None
    updated_replicas: Annotated[int | None, Field(description="upToDateReplicas, as contract v1beta1 calls it.")] = None
    unavailable_replicas: Annotated[
        int | None, Field(description="Replicas wanted that are not ready, for contract v1beta1.")
    ] = None

    initialization: Annotated[Initialization | None, SOMETHING] = None
    ready: bool | None = None
    version: Annotated[str, Field(max_length=256)] | None = None
    versions: Annotated[
        tuple[RunningVersion, ...],
        Field(max_length=100, description="Versions that run, oldest first."),
        Extra(x_kubernetes_list_type="map", x_kubernetes_list_map_keys=["version"], minItems=1),
    ] = ()
    external_managed_control_plane: bool = True
    replicas: int | None = None
    ready_replicas: int | None = None
    available_replicas: int | None = None
    up_to_date_replicas: int | None = None
    selector: str | None = None
    failure_reason: str | None = None
    failure_message: str | None = None
    conditions: Conditions = ()
    observed_generation: Int64 | None = None


class KamajiControlPlane(Resource):
    """The control plane of a Cluster, hosted as pods."""

    DEFINITION = Definition(
        kind=kinds.KAMAJI_CONTROL_PLANE,
        short_names=("ktcp",),
        categories=("cluster-api", "kamaji"),
        columns=(
            VERSION,
            Column("Initialized", "boolean", ".status.initialization.controlPlaneInitialized"),
            READY,
            AGE,
        ),
        scale=Scale(spec=".spec.replicas", status=".status.replicas", selector=".status.selector"),
        labels=CONTRACT,
        older=(
            Older(
                name=names.CONTROL_PLANE_OLDER,
                columns=(VERSION, Column("Initialized", "boolean", ".status.initialized"), READY, AGE),
                warning=WARNING,
            ),
        ),
    )

    kind: Literal["KamajiControlPlane", ""] = ""
    spec: ControlPlaneSpec
    status: ControlPlaneStatus = ControlPlaneStatus()


class TemplateResource(Model):
    """What each control plane made of the template gets."""

    metadata: Annotated[AdditionalMetadata, SOMETHING] = AdditionalMetadata()
    spec: HostedControlPlane


class TemplateSpec(Model):
    """The template."""

    template: TemplateResource


class KamajiControlPlaneTemplate(Resource):
    """What a ClusterClass makes KamajiControlPlanes of."""

    DEFINITION = Definition(
        kind=kinds.KAMAJI_CONTROL_PLANE_TEMPLATE,
        short_names=("ktcpt",),
        categories=("cluster-api", "kamaji"),
        status=False,
        labels=CONTRACT,
        older=(Older(name=names.CONTROL_PLANE_OLDER, warning=WARNING),),
    )

    kind: Literal["KamajiControlPlaneTemplate", ""] = ""
    spec: TemplateSpec
