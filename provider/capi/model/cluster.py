"""The fields of Cluster API's Cluster that the room reads, as cluster.x-k8s.io/v1beta2 calls them. Read only; core owns it.

A core that speaks contract v1beta1 alone serves the Cluster as v1beta1: what that calls otherwise is read from there.
"""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from provider.api.meta import ObjectMeta
from provider.api.model import Model


class NetworkRanges(Model):
    """CIDR blocks, IPv4 or IPv6 or both."""

    cidr_blocks: tuple[str, ...] = ()


class ClusterNetwork(Model):
    """What the Cluster says about its network; what it leaves out keeps our defaults."""

    api_server_port: int | None = None
    service_domain: str | None = None
    services: NetworkRanges = NetworkRanges()
    pods: NetworkRanges = NetworkRanges()


class ClusterEndpoint(Model):
    """The endpoint as the Cluster has it; both fields may be zero."""

    host: str = ""
    port: int = 0

    @property
    def valid(self) -> bool:
        """Core's own rule: host and port are both there."""
        return bool(self.host and self.port)


class ObjectReference(Model):
    """A contract-versioned reference: an object of the Cluster's namespace, without an API version."""

    api_group: str = ""
    kind: str = ""
    name: str = ""

    @model_validator(mode="before")
    @classmethod
    def _with_its_version(cls, said: Any) -> Any:
        """A Cluster of v1beta1 names the group together with a version, of which the contract's label knows better."""
        if not isinstance(said, dict) or "apiGroup" in said or "apiVersion" not in said:
            return said
        return {**said, "apiGroup": str(said["apiVersion"]).rpartition("/")[0]}


class ClusterSpec(Model):
    """What the user wants of the Cluster. `topology` is only there or not."""

    paused: bool = False
    cluster_network: ClusterNetwork = ClusterNetwork()
    control_plane_endpoint: ClusterEndpoint = ClusterEndpoint()
    control_plane_ref: ObjectReference | None = None
    infrastructure_ref: ObjectReference | None = None
    topology: dict[str, Any] | None = None


class ClusterInitialization(Model):
    """Sticky milestones."""

    infrastructure_provisioned: bool = False
    control_plane_initialized: bool = False


class ClusterStatus(Model):
    """How far core is."""

    initialization: ClusterInitialization = ClusterInitialization()

    @model_validator(mode="before")
    @classmethod
    def _ready(cls, said: Any) -> Any:
        """A Cluster of v1beta1 calls provisioned what is ready."""
        if not isinstance(said, dict) or "initialization" in said or "infrastructureReady" not in said:
            return said
        return {**said, "initialization": {"infrastructureProvisioned": said["infrastructureReady"]}}


class Cluster(Model):
    """A Cluster, as far as a control-plane provider needs to see it."""

    metadata: ObjectMeta = ObjectMeta()
    spec: ClusterSpec = ClusterSpec()
    status: ClusterStatus = ClusterStatus()
