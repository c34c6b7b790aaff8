"""What several commands read: a tenant's objects here and inside it, and the settings that its provider runs with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from provider.api import kinds, names
from provider.cli import kubeconfig
from provider.cli.session import Session
from provider.cli.trouble import NO_ANSWER, Trouble
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.hosting.observe import tenant as observe
from provider.manifest import Manifest
from provider.settings import Settings

DEPLOYMENT = "kamaji-provider"


async def here(session: Session, tenant: Manifest) -> list[Manifest]:
    """The tenant's objects in the management cluster, its pods among them."""
    metadata = tenant["metadata"]
    seen = await observe.here(session.cluster, metadata["namespace"], metadata["name"])
    return list(seen.objects.values())


async def secrets(session: Session, tenant: Manifest) -> list[Manifest]:
    """Its Secrets."""
    labels = {names.LABEL_NAME: tenant["metadata"]["name"]}
    return await session.cluster.list(kinds.SECRET, tenant["metadata"]["namespace"], labels=labels)


async def inside(session: Session, tenant: Manifest) -> tuple[list[Manifest], str]:
    """The provider's objects inside the tenant; or none, and why they are not known."""
    try:
        async with _reached(session, tenant) as cluster:
            seen = await observe.inside(cluster)
    except (ApiError, Trouble) as error:
        return [], str(error)
    return [each for each in seen.objects.values() if each["kind"] != kinds.LEASE.kind], ""


@asynccontextmanager
async def tenant(session: Session, found: Manifest) -> AsyncIterator[Cluster]:
    """A connection to the tenant by its admin kubeconfig. Trouble where it does not answer from here."""
    async with _reached(session, found) as cluster:
        try:
            yield cluster
        except ApiError as error:
            raise Trouble(f"the tenant at {cluster.server} does not do it: {error.message}", NO_ANSWER) from error


async def settings(session: Session) -> Settings:
    """As its Deployment says, as far as they stand there and we may read it; else the defaults."""
    try:
        found = await session.cluster.get(kinds.DEPLOYMENT, DEPLOYMENT, Settings().namespace)
    except ApiError:
        found = None
    containers = ((((found or {}).get("spec") or {}).get("template") or {}).get("spec") or {}).get("containers") or [{}]
    said = {each["name"]: str(each["value"]) for each in containers[0].get("env") or () if "value" in each}
    try:
        return Settings.from_environment(said)
    except ValueError:
        return Settings()


@asynccontextmanager
async def _reached(session: Session, found: Manifest) -> AsyncIterator[Cluster]:
    content = await kubeconfig.content(session, found)
    cluster = await connect.from_kubeconfig(content)
    try:
        yield cluster
    finally:
        await cluster.close()
