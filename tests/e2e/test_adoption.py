"""A tenant that upstream Kamaji made and that serves is taken over by the running provider: no pod of it restarts.

It is made by hand while its TenantControlPlane is paused; the provider looks at it when the pause is taken off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from provider.api import kinds, names
from provider.api.datastore import DataStore
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.observe import datastore
from provider.hosting.storematerial import Material, material
from provider.manifest import Manifest, meta
from provider.manifest.x509 import Pair
from tests.e2e.conftest import kubectl, tenant, until, until_condition
from tests.integration.upstream_kamaji import Upstream

AUTHORITIES = (names.ca_secret, names.front_proxy_ca_secret, names.service_account_secret)


@dataclass
class LabStore:
    """The lab's default DataStore."""

    name: str
    endpoints: Sequence[str]
    found: Material

    @property
    def signer(self) -> Pair:
        return self.found.authority

    def opened(self) -> EtcdStore:
        return EtcdStore(self.endpoints, self.found.authority.certificate, self.found.client)


@dataclass
class LabTenant:
    """A TenantControlPlane that is paused until `resume`."""

    cluster: Cluster
    store: LabStore
    namespace: str
    name: str = "demo"
    port: int = 6443

    async def say(self, **spec: Any) -> Manifest:
        manifest = tenant(self.name, self.namespace, **spec)
        return await self.cluster.apply(manifest, manager="e2e")

    async def tcp(self) -> Manifest:
        found = await self.cluster.get(kinds.TENANT_CONTROL_PLANE, self.name, self.namespace)
        assert found is not None
        return found

    async def objects(self, kind: kinds.Kind) -> list[Manifest]:
        return await self.cluster.list(kind, self.namespace, labels={names.LABEL_NAME: self.name})

    async def pods(self) -> set[str]:
        return {each["metadata"]["uid"] for each in await self.objects(kinds.POD)}

    async def session(self) -> Cluster:
        secret = await self.cluster.get(kinds.SECRET, names.admin_kubeconfig_secret(self.name), self.namespace)
        return await connect.from_kubeconfig(meta.decoded(secret)["super-admin.svc"])


async def lab_store(management: Cluster) -> LabStore:
    raw = await management.get(kinds.DATA_STORE, "default")
    assert raw is not None
    parsed = DataStore.parse(raw)
    return LabStore("default", parsed.spec.endpoints, material(parsed, await datastore.referred(management, parsed)))


async def serving(management: Cluster, namespace: str) -> tuple[LabTenant, Upstream]:
    """A tenant as upstream leaves it, whose pod answers; the provider has not looked at it."""
    found = LabTenant(management, await lab_store(management), namespace)
    paused = tenant(found.name, namespace, dataStore="default", addons={})
    paused["metadata"]["annotations"] = {names.ANNOTATION_PAUSED: ""}
    await management.apply(paused, manager="pause")
    upstream = Upstream(found, pull="IfNotPresent")
    await upstream.make()

    async def ready() -> bool:
        deployment = await management.get(kinds.DEPLOYMENT, found.name, namespace)
        return bool(((deployment or {}).get("status") or {}).get("readyReplicas"))

    await until(ready, "upstream's pod is ready")
    return found, upstream


@pytest.mark.keeps("better.take-over")
async def test_a_taken_over_tenant_keeps_its_pods_its_authorities_and_its_data(
    management: Cluster, namespace: str
) -> None:
    found, upstream = await serving(management, namespace)
    session = await found.session()
    await session.create(meta.new(kinds.CONFIG_MAP, "precious", "default", data={"a": "b"}))
    pods = await found.pods()
    secrets = {each["metadata"]["name"]: each["data"] for each in await found.objects(kinds.SECRET)}

    kubectl("annotate", "tenantcontrolplane", "-n", namespace, found.name, f"{names.ANNOTATION_PAUSED}-")
    await until_condition(management, await found.tcp(), "Ready")
    assert await found.pods() == pods
    now = {each["metadata"]["name"]: each["data"] for each in await found.objects(kinds.SECRET)}
    remembered = meta.decoded({"data": now.pop(names.trusted_keys_secret(found.name))})
    assert not any(b"PRIVATE KEY" in each for each in remembered.values())
    assert now == secrets
    assert (await found.tcp())["status"]["storage"]["setup"]["schema"] == upstream.keyspace.schema
    precious = await until(lambda: session.get(kinds.CONFIG_MAP, "precious", "default"), "what it knew is there")
    assert precious["data"] == {"a": "b"}

    await rolled_once(management, found, upstream)
    await until(lambda: session.get(kinds.CONFIG_MAP, "precious", "default"), "what it knew is there still")
    after = {each["metadata"]["name"]: each["data"] for each in await found.objects(kinds.SECRET)}
    assert all(after[make(found.name)] == secrets[make(found.name)] for make in AUTHORITIES)
    await session.close()


async def rolled_once(management: Cluster, found: LabTenant, upstream: Upstream) -> None:
    """A change that matters: one new revision, and in the end only its pods."""
    pods = await found.pods()
    deployment = {"replicas": 1, "podAdditionalMetadata": {"annotations": {"roll": "now"}}}
    await found.say(
        dataStore="default",
        kubernetes={"admissionControllers": list(upstream.plugins)},
        controlPlane={"deployment": deployment},
    )

    async def over() -> bool:
        now = await found.pods()
        return bool(now) and not now & pods

    await until(over, "upstream's pods are replaced")
    await until_condition(management, await found.tcp(), "Ready")
    revisions = await found.objects(kinds.REPLICA_SET)
    assert len(revisions) == 2, [each["metadata"]["name"] for each in revisions]


async def test_a_taken_over_tenant_leaves_nothing_behind(management: Cluster, namespace: str) -> None:
    found, upstream = await serving(management, namespace)
    kubectl("annotate", "tenantcontrolplane", "-n", namespace, found.name, f"{names.ANNOTATION_PAUSED}-")
    await until_condition(management, await found.tcp(), "Ready")
    await management.delete(kinds.TENANT_CONTROL_PLANE, found.name, namespace)

    async def gone() -> bool:
        return await management.get(kinds.TENANT_CONTROL_PLANE, found.name, namespace) is None

    await until(gone, "the tenant is gone")
    async with found.store.opened() as store:
        assert await store.count(upstream.keyspace.schema) == 0
        assert upstream.keyspace.user not in await store.users()

    async def nothing_left() -> bool:
        lists = [await found.objects(kind) for kind in (kinds.SECRET, kinds.CONFIG_MAP, kinds.SERVICE, kinds.POD)]
        return not any(lists)

    await until(nothing_left, "upstream's objects are gone, the Secret with its finalizer included")
