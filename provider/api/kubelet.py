"""How the kubelets of a tenant's workers are configured. Shared by TenantControlPlane and KamajiControlPlane."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from provider.api.model import Model
from provider.api.schema import SET, Json

PatchOperation = Literal["add", "remove", "replace", "move", "copy", "test"]
AddressType = Literal["Hostname", "InternalIP", "ExternalIP", "InternalDNS", "ExternalDNS"]
ADDRESS_TYPES: tuple[AddressType, ...] = ("InternalIP", "ExternalIP", "Hostname")


class JSONPatch(Model):
    """One operation of RFC 6902."""

    op: PatchOperation
    path: str
    from_: Annotated[str | None, Field(alias="from")] = None
    value: Json = None

    def operation(self) -> dict[str, Any]:
        """As jsonpatch takes it; a value of null that was written stays."""
        return self.manifest()


class Kubelet(Model):
    """What ends up in the tenant's kubelet-config and in how its API server dials kubelets."""

    cgroupfs: Literal["systemd", "cgroupfs"] | None = None
    preferred_address_types: Annotated[
        tuple[AddressType, ...],
        Field(min_length=1, description="Order in which the API server tries a node's addresses."),
        SET,
    ] = ADDRESS_TYPES
    configuration_json_patches: Annotated[
        tuple[JSONPatch, ...],
        Field(description="Laid over the KubeletConfiguration of the tenant, in order."),
    ] = ()
