"""KubeconfigGenerator: kubeconfigs for many tenants at once, as upstream Kamaji spells it. Read and kept by hosting.

One rule is ours: no user or group whose name begins with `system:`. Those are Kubernetes' own; `system:masters` passes by every
authorizer and webhook, and nobody inside the tenant can take it back (decision 0008).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from provider.api import kinds, names
from provider.api.definition import AGE, Column, Definition
from provider.api.meta import Conditions, LabelSelector, Resource
from provider.api.model import Model
from provider.api.schema import ATOMIC, REQUIRED, Int64, Rule

Count = Annotated[int, Field(json_schema_extra={REQUIRED: True})]

SYSTEM_PREFIX: Final = "system:"
LABEL_LIMIT: Final = 63  # characters of a label's value; each Secret is labelled with its generator's name
_TENANTS_OWN = (
    names.ca_secret,
    names.front_proxy_ca_secret,
    names.service_account_secret,
    names.trusted_keys_secret,
    names.api_server_secret,
    names.kubelet_client_secret,
    names.front_proxy_client_secret,
    names.admin_kubeconfig_secret,
    names.controller_manager_kubeconfig_secret,
    names.scheduler_kubeconfig_secret,
    names.datastore_config_secret,
    names.datastore_certificate_secret,
)
RESERVED: Final = (
    *(each("").removeprefix("-") for each in _TENANTS_OWN),
    *("konnectivity-certificate", "konnectivity-kubeconfig"),
    *("kubeconfig", "etcd", "proxy", "sa"),  # Cluster API's, of a tenant that is called like its Cluster
)
"""Names of generators whose Secrets, `<tenant>-<generator>`, would be called like a Secret that a tenant has anyway."""


class Value(Model):
    """A string, or a dotted path into the TenantControlPlane; a backslash before a dot makes it part of a name."""

    RULES = (
        Rule(
            "has(self.stringValue) != has(self.fromDefinition)",
            "exactly one of stringValue and fromDefinition must be given",
        ),
        Rule(
            f"!has(self.stringValue) || !self.stringValue.startsWith('{SYSTEM_PREFIX}')",
            f"names that begin with {SYSTEM_PREFIX} are Kubernetes' own: use a group of your own and bind it to a role inside"
            f" the tenant; {names.CLUSTER_ADMINS_GROUP} is bound to cluster-admin already",
        ),
    )

    string_value: Annotated[str, Field(max_length=1024)] | None = None
    from_definition: Annotated[str, Field(max_length=1024)] | None = None


class KubeconfigGeneratorSpec(Model):
    """For which tenants, and as whom."""

    user: Value
    groups: Annotated[tuple[Value, ...], Field(max_length=256)] = ()
    namespace_selector: Annotated[LabelSelector | None, ATOMIC] = None
    tenant_control_plane_selector: Annotated[LabelSelector | None, ATOMIC] = None
    control_plane_endpoint_from: Annotated[
        str, Field(description="Key of the tenant's admin kubeconfig Secret that serves as the template.")
    ] = "admin.svc"


class GeneratorError(Model):
    """A tenant (`namespace/name`) that has no kubeconfig, and why."""

    resource: str
    message: str


class KubeconfigGeneratorStatus(Model):
    """How many tenants are meant, and how many have their kubeconfig. `conditions` are ours."""

    resources: Count = 0
    available_resources: Count = 0
    errors: tuple[GeneratorError, ...] = ()
    conditions: Conditions = ()
    observed_generation: Int64 | None = None


class KubeconfigGenerator(Resource):
    """Kubeconfigs for many tenants at once."""

    DEFINITION = Definition(
        kind=kinds.KUBECONFIG_GENERATOR,
        short_names=("kc",),
        categories=("kamaji",),
        columns=(
            Column("Tenants", "integer", ".status.resources"),
            Column("Available", "integer", ".status.availableResources"),
            AGE,
        ),
    )
    RULES = (
        Rule(
            f"size(self.metadata.name) <= {LABEL_LIMIT} && !(self.metadata.name in {list(RESERVED)})",
            f"metadata.name becomes part of the names of Secrets: at most {LABEL_LIMIT} characters, and none of"
            f" {', '.join(RESERVED)}, which tenants' own Secrets are called after",
        ),
    )

    kind: Literal["KubeconfigGenerator", ""] = ""
    spec: KubeconfigGeneratorSpec
    status: KubeconfigGeneratorStatus = KubeconfigGeneratorStatus()
