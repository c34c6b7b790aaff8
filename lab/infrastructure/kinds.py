"""The provider's kinds: LabCluster, LabMachine and their templates (infrastructure.cluster.x-k8s.io/v1beta1), contract v1beta2.

Their CRDs are made from here by `components`; the passes parse what the API server gives them with these models.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from provider.api import names
from provider.api.definition import AGE, Column, Definition
from provider.api.kinds import Kind
from provider.api.meta import AdditionalMetadata, Conditions, Resource
from provider.api.model import Model
from provider.api.schema import Extra, Int64, Port

GROUP = "infrastructure.cluster.x-k8s.io"
VERSION = "v1beta1"
API = f"{GROUP}/{VERSION}"
PROVIDER = "infrastructure-lab"

LAB_CLUSTER = Kind(API, "LabCluster", "labclusters")
LAB_CLUSTER_TEMPLATE = Kind(API, "LabClusterTemplate", "labclustertemplates")
LAB_MACHINE = Kind(API, "LabMachine", "labmachines")
LAB_MACHINE_TEMPLATE = Kind(API, "LabMachineTemplate", "labmachinetemplates")
CLUSTER = Kind(f"{names.CAPI_GROUP}/v1beta2", "Cluster", "clusters")
MACHINE = Kind(f"{names.CAPI_GROUP}/v1beta2", "Machine", "machines")

FINALIZER_CLUSTER = f"labcluster.{GROUP}"
FINALIZER_MACHINE = f"labmachine.{GROUP}"
MANAGER = "lab-infrastructure"

LABELS = {f"{names.CAPI_GROUP}/v1beta2": VERSION, f"{names.CAPI_GROUP}/provider": PROVIDER}
CATEGORIES = ("cluster-api", "lab")
SOMETHING = Extra(minProperties=1)  # the contract's optional structs are absent or say something
CLUSTER_COLUMN = Column("Cluster", "string", r".metadata.labels['cluster\.x-k8s\.io/cluster-name']")
PROVISIONED = Column("Provisioned", "boolean", ".status.initialization.provisioned")
READY = Column("Ready", "string", ".status.conditions[?(@.type=='Ready')].status")


class Endpoint(Model):
    """Where the cluster's API server is reached."""

    host: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    port: Port | None = None


class Initialization(Model):
    """Milestones of the contract; once true they stay true."""

    provisioned: bool | None = None


class Address(Model):
    """One address of a machine."""

    type: Literal["Hostname", "InternalIP", "ExternalIP", "InternalDNS", "ExternalDNS"]
    address: Annotated[str, Field(min_length=1, max_length=256)]


class LabClusterSpec(Model):
    """The lab needs to be told nothing. An endpoint is taken as given; without one the control plane provider has it."""

    control_plane_endpoint: Annotated[Endpoint | None, SOMETHING] = None


class LabClusterStatus(Model):
    """What core reads."""

    initialization: Annotated[Initialization | None, SOMETHING] = None
    conditions: Conditions = ()
    observed_generation: Int64 | None = None


class LabCluster(Resource):
    """The infrastructure all machines of one Cluster share: the lab's bridge, which is there."""

    DEFINITION = Definition(
        kind=LAB_CLUSTER, categories=CATEGORIES, columns=(CLUSTER_COLUMN, PROVISIONED, READY, AGE), labels=LABELS
    )

    spec: LabClusterSpec = LabClusterSpec()
    status: LabClusterStatus = LabClusterStatus()


class LabMachineSpec(Model):
    """One machine of the lab. All are alike."""

    provider_id: Annotated[
        str | None,
        Field(alias="providerID", max_length=512, description="Written by the provider: lab://<lab>/<machine>."),
    ] = None


class LabMachineStatus(Model):
    """What core reads."""

    initialization: Annotated[Initialization | None, SOMETHING] = None
    addresses: Annotated[tuple[Address, ...], Field(max_length=32)] = ()
    conditions: Conditions = ()
    observed_generation: Int64 | None = None


class LabMachine(Resource):
    """A machine of the lab that carries out the bootstrap data of its Cluster API Machine."""

    DEFINITION = Definition(
        kind=LAB_MACHINE,
        categories=CATEGORIES,
        columns=(CLUSTER_COLUMN, Column("ProviderID", "string", ".spec.providerID"), PROVISIONED, READY, AGE),
        labels=LABELS,
    )

    spec: LabMachineSpec = LabMachineSpec()
    status: LabMachineStatus = LabMachineStatus()


class ClusterTemplateResource(Model):
    """What each LabCluster made of the template gets."""

    metadata: Annotated[AdditionalMetadata | None, SOMETHING] = None
    spec: LabClusterSpec = LabClusterSpec()


class ClusterTemplateSpec(Model):
    """The template."""

    template: ClusterTemplateResource


class LabClusterTemplate(Resource):
    """What a ClusterClass makes LabClusters of."""

    DEFINITION = Definition(kind=LAB_CLUSTER_TEMPLATE, categories=CATEGORIES, status=False, labels=LABELS)

    spec: ClusterTemplateSpec


class MachineTemplateResource(Model):
    """What each LabMachine made of the template gets."""

    metadata: Annotated[AdditionalMetadata | None, SOMETHING] = None
    spec: LabMachineSpec = LabMachineSpec()


class MachineTemplateSpec(Model):
    """The template."""

    template: MachineTemplateResource


class LabMachineTemplate(Resource):
    """What a MachineDeployment makes LabMachines of."""

    DEFINITION = Definition(kind=LAB_MACHINE_TEMPLATE, categories=CATEGORIES, status=False, labels=LABELS)

    spec: MachineTemplateSpec


ALL: tuple[type[Resource], ...] = (LabCluster, LabClusterTemplate, LabMachine, LabMachineTemplate)
