"""Fixtures of the tests of backups: a tenant in one of two etcds, and what takes its backups."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lab.servers import ApiServer
from provider.api import kinds
from provider.cluster.client import Cluster
from provider.manifest import meta
from tests.integration.backup_world import KEY_SECRET, Backups, Plane, made
from tests.integration.fixtures import COUNTER
from tests.integration.hosted import MANAGER, Store
from tests.integration.object_store import ObjectStore
from tests.integration.tenant_world import TenantWorld


@pytest.fixture
async def stores(management: Cluster, tmp_path: Path) -> AsyncIterator[tuple[Store, Store]]:
    number = next(COUNTER)
    found = (
        await Store.start(management, tmp_path / "one", f"saved-one-{number}"),
        await Store.start(management, tmp_path / "two", f"saved-two-{number}"),
    )
    yield found
    for each in found:
        each.stop()


@asynccontextmanager
async def sealed(cluster: Cluster, namespace: str, store: Store, folder: Path) -> AsyncIterator[Plane]:
    """A tenant that asks to be in that store, with the key that seals its backups."""
    async with made(cluster, namespace, store, folder / "tenant") as found:
        await keyed(cluster, namespace)
        await found.hosted.say(dataStore=store.name)
        yield found


@pytest.fixture
async def plane(
    management: Cluster, namespace: str, stores: tuple[Store, Store], tmp_path: Path
) -> AsyncIterator[Plane]:
    async with sealed(management, namespace, stores[0], tmp_path) as found:
        await found.serve()
        yield found


@pytest.fixture
async def born(
    management: Cluster, namespace: str, stores: tuple[Store, Store], tmp_path: Path
) -> AsyncIterator[Plane]:
    """The same before its first pod."""
    async with sealed(management, namespace, stores[0], tmp_path) as found:
        await found.hosted.look()
        await found.fill(100)
        yield found


@pytest.fixture
async def backups(
    management: Cluster, hosting: TenantWorld, api_server: ApiServer, namespace: str, tmp_path: Path
) -> Backups:
    return await Backups.offer(management, hosting.context, api_server, tmp_path, namespace)


async def keyed(cluster: Cluster, namespace: str, key: bytes = b"") -> None:
    """The Secret with the key, in the tenant's namespace."""
    data = meta.secret_data({"key": key or secrets.token_bytes(32)})
    await cluster.apply(meta.new(kinds.SECRET, KEY_SECRET, namespace, data=data), manager=MANAGER)


@pytest.fixture
async def elsewhere(management: Cluster, namespace: str) -> str:
    """Another namespace."""
    found = f"{namespace}-two"
    await management.apply(meta.new(kinds.NAMESPACE, found), manager=MANAGER)
    return found


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """A real S3 API."""
    found = ObjectStore(tmp_path_factory.mktemp("objects")).start()
    yield found
    found.stop()
