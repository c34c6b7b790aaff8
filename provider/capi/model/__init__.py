"""Words of the capi room: KamajiControlPlane and its template, and the few fields of Cluster API's Cluster that it reads."""

from provider.api.meta import Resource
from provider.capi.model.cluster import Cluster, ObjectReference
from provider.capi.model.controlplane import Endpoint, KamajiControlPlane, KamajiControlPlaneTemplate

KINDS: tuple[type[Resource], ...] = (KamajiControlPlane, KamajiControlPlaneTemplate)

__all__ = ["KINDS", "Cluster", "Endpoint", "KamajiControlPlane", "KamajiControlPlaneTemplate", "ObjectReference"]
