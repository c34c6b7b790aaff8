"""The conformance ring: the contract of Cluster API, row by row, before a real API server that knows its kinds.

README.md beside this says which row is where.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from lab import capi_repository
from lab import managers as others
from lab.infrastructure import components
from lab.servers import ApiServer, Etcd
from provider.api import kinds
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.manifest import meta
from tests.conformance import core
from tests.conformance.world import World
from tests.integration.fixtures import plain_etcd

__all__ = ["plain_etcd"]

CONFIG = Path(__file__).parents[2] / "config"
CLUSTER_CRD = "core/config/crd/bases/cluster.x-k8s.io_clusters.yaml"
CONTRACTS = ("cluster.x-k8s.io/v1beta1=v1beta1", "cluster.x-k8s.io/v1beta2=v1beta2")
ACCOUNT = "system:serviceaccount:kamaji-system:kamaji-provider"
GROUPS = ("system:serviceaccounts", "system:serviceaccounts:kamaji-system")
COUNTER = itertools.count(1)


@pytest.fixture(scope="session")
def capi_server(tmp_path_factory: pytest.TempPathFactory, plain_etcd: Etcd) -> Iterator[ApiServer]:
    """An API server with our kinds, Cluster API's Cluster, the lab's infrastructure, and the capi room's rights."""
    server = ApiServer(tmp_path_factory.mktemp("capi"), plain_etcd, prefix="/conformance").start()
    lab = [each for each in components.manifests() if each["kind"] == "CustomResourceDefinition"]
    (server.folder / "lab.yaml").write_text(yaml.safe_dump_all(lab))
    (server.folder / "rights.yaml").write_text(rights())
    cluster = str(capi_repository.module("cluster-api") / CLUSTER_CRD)
    files = [str(CONFIG / "crd"), cluster, str(server.folder / "lab.yaml"), str(server.folder / "rights.yaml")]
    server.kubectl("apply", "--server-side", *(f"--filename={each}" for each in files))
    server.kubectl("label", "crd", "clusters.cluster.x-k8s.io", *CONTRACTS)
    server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=180s")
    yield server
    server.stop()


def rights() -> str:
    """config/rbac as clusterctl would write it, without the hosting room's: all that the provider has in these tests."""
    text = re.sub(r"\$\{\w+:=([^}]*)\}", r"\1", (CONFIG / "rbac/capi.yaml").read_text())
    infrastructure = (CONFIG / "rbac/infrastructure.yaml").read_text()
    process = yaml.safe_load_all((CONFIG / "rbac/process.yaml").read_text())
    ours = [each for each in process if each["metadata"]["name"] not in ("kamaji-hosting", "kamaji-tenants")]
    namespace = (CONFIG / "manager/namespace.yaml").read_text()
    return f"{namespace}\n---\n{text}\n---\n{infrastructure}\n---\n{yaml.safe_dump_all(ours)}"


@pytest.fixture
async def everybody(capi_server: ApiServer) -> AsyncIterator[Cluster]:
    """A connection as administrator."""
    connection = await connect.from_kubeconfig(capi_server.kubeconfig())
    yield connection
    await connection.close()


@asynccontextmanager
async def world_in(server: ApiServer, everybody: Cluster, prefix: str) -> AsyncIterator[World]:
    """A namespace of the test's own, and the provider with its ServiceAccount's rights."""
    namespace = f"{prefix}-{next(COUNTER)}"
    await everybody.apply(meta.new(kinds.NAMESPACE, namespace), manager="tests")
    provider = await connect.from_kubeconfig(server.kubeconfig(ACCOUNT, *GROUPS))
    found = World(server=server, everybody=everybody, provider=provider, namespace=namespace)
    yield found
    await found.close()
    await provider.close()


@asynccontextmanager
async def connected(server: ApiServer, prefix: str) -> AsyncIterator[World]:
    """The same, in a server to which nobody has a connection yet."""
    everybody = await connect.from_kubeconfig(server.kubeconfig())
    async with world_in(server, everybody, prefix) as found:
        yield found
    await everybody.close()


@pytest.fixture
async def world(capi_server: ApiServer, everybody: Cluster) -> AsyncIterator[World]:
    """A namespace in which nobody but the provider acts."""
    async with world_in(capi_server, everybody, "ns") as found:
        yield found


@pytest.fixture(scope="session")
def managers(tmp_path_factory: pytest.TempPathFactory, plain_etcd: Etcd) -> Iterator[ApiServer]:
    """The same with Cluster API's core and kubeadm bootstrap provider at work."""
    with core.served(tmp_path_factory.mktemp("core"), plain_etcd, rights()) as server:
        yield server


@pytest.fixture
async def with_core(managers: ApiServer) -> AsyncIterator[World]:
    """A namespace in which core does what it does."""
    async with connected(managers, "core") as found:
        yield found


@pytest.fixture(scope="session")
def development(tmp_path_factory: pytest.TempPathFactory, plain_etcd: Etcd) -> Iterator[ApiServer]:
    """With core's webhooks, too, and its infrastructure provider for development, whose machines live in its memory."""
    folder = tmp_path_factory.mktemp("development")
    with (
        core.served(folder, plain_etcd, rights(), webhooks=True) as server,
        others.infrastructure(
            server, "capi-dev-infrastructure", "infrastructure/docker/config/default", others.TOPOLOGY
        ),
    ):
        yield server


@pytest.fixture
async def in_memory(development: ApiServer) -> AsyncIterator[World]:
    """A namespace in which machines run, and all is as users have it but pods and kubelets."""
    async with connected(development, "memory") as found:
        yield found
