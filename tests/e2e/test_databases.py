"""Tenants whose state is in a database of the user's: kine beside the API server, workers that join, all kept apart, no trace.

The servers are processes on the management machine's address, as a user's are somewhere outside; the DataStores are those of
config/samples/databases.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from lab.servers import Authority
from lab.state import Lab
from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.hosting.reconcile import drivers
from provider.hosting.view import Keyspace
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from tests.e2e.conftest import kubectl, tenant, tenant_session, until, until_condition
from tests.e2e.walled import Worker
from tests.integration.databases import ROOT, Database, MariaDB, Nats, Postgres
from tests.samples import DATABASES, documents

SERVERS = (Postgres, MariaDB, Nats)
DRIVERS = ("etcd", *(each.DRIVER for each in SERVERS))


@pytest.fixture
def databases() -> Iterator[list[Database]]:
    machines = set(map(str, Lab(os.environ["CAPI_KAMAJI_LAB"]).network().subnet))
    address = next(each for each in _addresses() if each in machines)
    found: list[Database] = [each(authority=Authority(), certified=True, address=address) for each in SERVERS]
    with ExitStack() as ends:
        for each in found:
            ends.callback(each.remove)
            each.start()
        yield found


def _addresses() -> list[str]:
    said = kubectl("get", "nodes", "-o", "jsonpath={.items[*].status.addresses[?(@.type=='InternalIP')].address}")
    return said.split()


@asynccontextmanager
async def offered(management: Cluster, namespace: str, database: Database) -> AsyncIterator[str]:
    """A DataStore of the server that is ready."""
    objects = prepared(database, namespace)
    for each in objects:
        await management.apply(each, manager="e2e")
    name = str(objects[-1]["metadata"]["name"])

    async def ready() -> Any:
        found = await management.get(kinds.DATA_STORE, name)
        return find(((found or {}).get("status") or {}).get("conditions"), "Ready")

    try:
        await until(lambda: _is_true(ready), f"DataStore {name} is Ready")
    except AssertionError as error:
        raise AssertionError(f"{error}: {await ready()}") from error
    try:
        yield name
    finally:
        await management.delete(kinds.DATA_STORE, name)

    async def gone() -> bool:
        return await management.get(kinds.DATA_STORE, name) is None

    await until(gone, f"DataStore {name} is gone")  # while its server is there, and its Secrets


async def _is_true(ready: Any) -> bool:
    return ((await ready()) or {}).get("status") == "True"


def prepared(database: Database, namespace: str) -> list[Manifest]:
    """The DataStore of the sample, led to this server, and the Secrets that it names, in the test's namespace."""
    assert database.authority is not None and database.client is not None
    file = next(each for each in DATABASES if each.stem == database.DRIVER.lower())
    store = next(each for each in documents(file) if each["kind"] == kinds.DATA_STORE.kind)
    spec, tls = store["spec"], store["spec"]["tlsConfig"]
    spec["endpoints"] = [database.endpoint]
    data: dict[str, dict[str, bytes]] = {}
    for found, value in (
        (spec["basicAuth"]["username"], ROOT.encode()),
        (spec["basicAuth"]["password"], database.PASSWORD.encode()),
        (tls["certificateAuthority"]["certificate"], database.authority.certificate),
        (tls["certificateAuthority"]["privateKey"], database.authority.pair.key),
        (tls["clientCertificate"]["certificate"], database.client.certificate),
        (tls["clientCertificate"]["privateKey"], database.client.key),
    ):
        if reference := found.get("secretReference"):
            reference["namespace"] = namespace
            data.setdefault(reference["name"], {})[reference["keyPath"]] = value
        else:
            found["content"] = base64.b64encode(value).decode()
    secrets = [meta.new(kinds.SECRET, name, namespace, data=meta.secret_data(each)) for name, each in data.items()]
    return [*secrets, store]


@pytest.mark.keeps("better.isolation-tried")
async def test_a_tenant_in_each_database_becomes_ready_is_joined_kept_apart_and_leaves_nothing(
    management: Cluster, namespace: str, databases: list[Database]
) -> None:
    """Side by side: most of what each does is to wait. A tenant in etcd is beside them when the table is printed."""
    in_etcd, all_live, printed = tenant("in-etcd", namespace), asyncio.Barrier(len(databases) + 1), asyncio.Event()
    await management.apply(in_etcd, manager="e2e")
    async with asyncio.TaskGroup() as lives:
        for each in databases:
            lives.create_task(lived(management, namespace, each, Stage(all_live, printed)))
        await until_condition(management, in_etcd, "Ready")
        await all_live.wait()
        await asyncio.to_thread(kept_apart, namespace)
        printed.set()


@dataclass(frozen=True)
class Stage:
    """When all tenants live, and when they may go."""

    all_live: asyncio.Barrier
    printed: asyncio.Event


def kept_apart(namespace: str) -> None:
    """The one command says of every tenant, in all four drivers, that everything was refused."""
    tenants = [f"{namespace}/in-{driver.lower()}" for driver in DRIVERS]
    command = ["exec", "-n", "kamaji-system", "deploy/kamaji-provider", "--", "python3", "-m", "provider", "isolation"]
    print(kubectl(*command, *tenants))
    rows = json.loads(kubectl(*command, "-o", "json", *tenants))
    assert {row["tenant"]: row["driver"] for row in rows} == dict(zip(tenants, DRIVERS, strict=True))
    for row in rows:
        assert (row["isolated"], row["fault"]) == (True, ""), row
        assert {each["verdict"] for each in row["questions"]} == {"denied"}, row


async def lived(management: Cluster, namespace: str, database: Database, stage: Stage) -> None:
    """The life of one tenant, from its birth to an empty database."""
    name = f"in-{database.DRIVER.lower()}"
    service = {"service": {"serviceType": "LoadBalancer"}, "deployment": {"replicas": 1}}
    async with offered(management, namespace, database) as store:
        manifest = tenant(name, namespace, dataStore=store, controlPlane=service)
        await management.apply(manifest, manager="e2e")
        await until_condition(management, manifest, "Ready")
        found = await management.get(kinds.TENANT_CONTROL_PLANE, name, namespace)
        assert found is not None
        setup = found["status"]["storage"]["setup"]
        await no_password_in(management, name, namespace)
        session = await tenant_session(management, name, namespace)
        try:
            await session.apply(meta.new(kinds.CONFIG_MAP, "kept", "default", data={"said": "here"}), manager="e2e")
            await joined(session, name, found["status"]["controlPlaneEndpoint"])
        finally:
            await session.close()
        await stage.all_live.wait()
        await stage.printed.wait()
        await ended(management, manifest, database, Keyspace(schema=setup["schema"], user=setup["user"]))


async def joined(session: Cluster, tenant: str, endpoint: str) -> None:
    """A worker joins and is Ready, and goes."""
    worker = Worker.called(f"{tenant}-worker")
    try:
        await worker.join(session, endpoint, wall=False)
    finally:
        await worker.end()


async def ended(management: Cluster, manifest: Manifest, database: Database, place: Keyspace) -> None:
    """The tenant goes, and nothing of it is in the database."""
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    async with drivers.opened(database.access()) as root:
        assert (await root.measure(place)).keys > 0
        await management.delete(kinds.TENANT_CONTROL_PLANE, name, namespace)

        async def over() -> bool:
            return await management.get(kinds.TENANT_CONTROL_PLANE, name, namespace) is None

        await until(over, f"the TenantControlPlane {name} is gone")
        assert (await root.drop(place)).keys == 0
        await root.check_free(place)


async def no_password_in(management: Cluster, name: str, namespace: str) -> None:
    """What lists processes on the node sees none: command lines of kine name none."""
    data = await management.get(kinds.SECRET, names.datastore_config_secret(name), namespace)
    password = meta.decoded(data)["DB_PASSWORD"].decode()
    said = await asyncio.to_thread(kubectl, "get", "pods,deployments,events", "-n", namespace, "-o", "yaml")
    assert "KINE_ENDPOINT" in said
    assert password not in said
