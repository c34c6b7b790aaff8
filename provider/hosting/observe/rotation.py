"""What a rotation asks of a tenant: which nodes there are and what their kubelets were given, which tokens never expire."""

from __future__ import annotations

from datetime import datetime

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.hosting.view import Follower
from provider.manifest import Manifest, meta

TOKEN = "kubernetes.io/service-account-token"


async def nodes(session: Cluster) -> tuple[Follower, ...]:
    """Every node, with what was noted on it. ApiError when the tenant does not answer."""
    return tuple(_follower(each) for each in await session.list(kinds.NODE))


async def signing_requests(session: Cluster) -> list[Manifest]:
    """Those that the tenant still has. ApiError."""
    return await session.list(kinds.SIGNING_REQUEST)


async def tokens(session: Cluster) -> tuple[Follower, ...]:
    """Secrets with a token, by namespace and name. ApiError."""
    return tuple(_follower(each) for each in await session.list(kinds.SECRET) if each.get("type") == TOKEN)


def _follower(found: Manifest) -> Follower:
    metadata = found["metadata"]
    return Follower(
        name="/".join(each for each in (metadata.get("namespace"), metadata["name"]) if each),
        born=datetime.fromisoformat(metadata["creationTimestamp"]),
        key=meta.annotations_of(found).get(names.ANNOTATION_CLIENT_AUTHORITY, ""),
    )
