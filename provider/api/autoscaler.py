"""TenantAutoscaler: the bounds within which the pods of one control plane ask for what they need. Ours, not upstream's.

It has the name of its TenantControlPlane, so that each has one at most. What is decided in it is decision 0042.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from provider.api import kinds
from provider.api.definition import AGE, Column, Definition
from provider.api.meta import Conditions, Resource
from provider.api.model import Model
from provider.api.schema import Int64, Rule, Timestamp

ORDERED = Rule(
    "!has(self.min) || quantity(self.min).compareTo(quantity(self.max)) <= 0",
    "min must not be above max",
)
Cpu = Annotated[str, Field(pattern="^[1-9][0-9]*m?$", max_length=16)]
Memory = Annotated[str, Field(pattern="^[1-9][0-9]*(Mi|Gi|M|G)$", max_length=16)]


class CpuBounds(Model):
    """Cores that a container may ask for. Without `min` it never asks for less than it would without an autoscaler."""

    RULES = (ORDERED,)

    min: Cpu | None = None
    max: Cpu


class MemoryBounds(Model):
    """Bytes that a container may ask for. Without `min` it never asks for less than it would without an autoscaler."""

    RULES = (ORDERED,)

    min: Memory | None = None
    max: Memory


class ContainerBounds(Model):
    """What is not named stays as the TenantControlPlane says."""

    cpu: CpuBounds | None = None
    memory: MemoryBounds | None = None


class TenantAutoscalerSpec(Model):
    """Bounds, container by container."""

    api_server: ContainerBounds = ContainerBounds()
    controller_manager: ContainerBounds = ContainerBounds()
    scheduler: ContainerBounds = ContainerBounds()


class Requests(Model):
    """What one container asks for."""

    cpu: str | None = None
    memory: str | None = None


class ComponentRequests(Model):
    """The same of all that have bounds."""

    api_server: Requests = Requests()
    controller_manager: Requests = Requests()
    scheduler: Requests = Requests()


class TenantAutoscalerStatus(Model):
    """What the pods shall ask for now, and since when."""

    requests: ComponentRequests = ComponentRequests()
    changed: Timestamp | None = None
    conditions: Conditions = ()
    observed_generation: Int64 | None = None


class TenantAutoscaler(Resource):
    """Requests of one TenantControlPlane that follow its load."""

    DEFINITION = Definition(
        kind=kinds.TENANT_AUTOSCALER,
        short_names=("tas",),
        categories=("kamaji",),
        columns=(
            Column("CPU", "string", ".status.requests.apiServer.cpu"),
            Column("Memory", "string", ".status.requests.apiServer.memory"),
            Column("Following", "string", ".status.conditions[?(@.type=='Following')].status"),
            Column("Reason", "string", ".status.conditions[?(@.type=='Following')].reason"),
            AGE,
        ),
    )

    kind: Literal["TenantAutoscaler", ""] = ""
    spec: TenantAutoscalerSpec
    status: TenantAutoscalerStatus = TenantAutoscalerStatus()
