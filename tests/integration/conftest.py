"""Fixtures of the integration ring."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.servers import ApiServer, Authority, Etcd
from provider.cluster.client import Cluster
from tests.integration.backup_fixtures import backups, born, elsewhere, objects, plane, stores
from tests.integration.fixtures import api, api_server, cluster, management, namespace, plain_etcd, running, world
from tests.integration.hosted import Hosted, Store
from tests.integration.kamaji_process import Kamaji
from tests.integration.tenant_world import Store as Offered
from tests.integration.tenant_world import TenantWorld, allow, as_provider

__all__ = ["api", "api_server", "cluster", "management", "namespace", "plain_etcd", "running", "world"]
__all__ += ["backups", "born", "elsewhere", "objects", "plane", "stores"]


@pytest.fixture
async def hosting(management: Cluster, api_server: ApiServer) -> AsyncIterator[TenantWorld]:
    await allow(management)
    provider = await as_provider(api_server)
    yield TenantWorld(admin=management, provider=provider)
    await provider.close()


@pytest.fixture
async def frail(hosting: TenantWorld, namespace: str, tmp_path: Path) -> AsyncIterator[Offered]:
    """A store of the test's own, which it may break."""
    authority = Authority()
    etcd = Etcd(tmp_path / "frail", authority=authority).start()
    yield await hosting.offer(f"frail-{namespace}", etcd, authority)
    etcd.stop()


@pytest.fixture
async def store(management: Cluster, namespace: str, tmp_path: Path) -> AsyncIterator[Store]:
    """An etcd of the test's own, and its DataStore."""
    found = await Store.start(management, tmp_path / "etcd", f"store-{namespace}")
    yield found
    found.stop()


@pytest.fixture
async def tenant(management: Cluster, namespace: str, store: Store, tmp_path: Path) -> AsyncIterator[Hosted]:
    """It lives there, and serves."""
    found = Hosted(management, store, namespace, tmp_path / "tenant")
    await found.say()
    await found.look()
    await found.serve()
    await found.until_joinable()
    yield found
    await found.stop()


@pytest.fixture
def kamaji(api_server: ApiServer, namespace: str, tmp_path: Path) -> Kamaji:
    """The command line, for whom nothing is refused."""
    return Kamaji.of(api_server, namespace, tmp_path)
