"""Fixtures of real servers on loopback, started once, ended by their own ids; a folder takes them in its conftest."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Iterator

import pytest

from lab import crds
from lab.servers import ApiServer, Etcd
from provider.api import kinds
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.manifest import meta
from tests.integration.plain_rest import Rest
from tests.integration.pool_pods import Pods
from tests.integration.pool_world import World

# What a ring starts by the hundred lives for seconds: Go that seldom collects starts it in two thirds of the CPU.
os.environ.setdefault("GOGC", "400")
COUNTER = itertools.count(1)  # of what is called after it in the session's API server, which keeps what tests leave


@pytest.fixture(scope="session")
def plain_etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """Without TLS, for API servers of tests: each takes a prefix of its own."""
    etcd = Etcd(tmp_path_factory.mktemp("etcd")).start()
    yield etcd
    etcd.stop()


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory, plain_etcd: Etcd) -> Iterator[ApiServer]:
    """The management cluster's API server, without controllers."""
    server = ApiServer(tmp_path_factory.mktemp("apiserver"), plain_etcd).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, plain_etcd: Etcd) -> Iterator[Rest]:
    """An API server of the module's own, by plain HTTP."""
    server = ApiServer(tmp_path_factory.mktemp("api"), plain_etcd, prefix=f"/module-{next(COUNTER)}").start()
    yield Rest(server)
    server.stop()


@pytest.fixture
async def cluster(api_server: ApiServer) -> AsyncIterator[Cluster]:
    """A connection to the management cluster's API server as its administrator."""
    connection = await connect.from_kubeconfig(api_server.kubeconfig())
    yield connection
    await connection.close()


@pytest.fixture
async def management(api_server: ApiServer, cluster: Cluster) -> Cluster:
    """The same with our CRDs installed, the provider's namespace, and a node."""
    if not api_server.installed:
        await crds.install(cluster, "tests")
        await _add_node(cluster, "one")
        api_server.installed = True
    return cluster


@pytest.fixture
def world(management: Cluster) -> World:
    """The management cluster as the tests of DataStores and pools see it."""
    return World(cluster=management, dialled={})


@pytest.fixture
def running() -> Iterator[list[Pods]]:
    """Pods of pools' stores that a test started; they end with it."""
    started: list[Pods] = []
    yield started
    for each in started:
        each.stop()


@pytest.fixture
async def namespace(cluster: Cluster) -> str:
    """A namespace of the test's own."""
    name = f"test-{next(COUNTER)}"
    await cluster.apply(meta.new(kinds.NAMESPACE, name), manager="tests")
    return name


async def _add_node(cluster: Cluster, name: str) -> None:
    """A node that says it is ready, of which nothing taints it away."""
    await cluster.apply(meta.new(kinds.NODE, name, labels={"kubernetes.io/hostname": name}), manager="tests")
    await cluster.merge(kinds.NODE, name, None, {"spec": {"taints": None}}, manager="tests")
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    await cluster.merge(kinds.NODE, name, None, {"status": ready}, subresource="status", manager="tests")
