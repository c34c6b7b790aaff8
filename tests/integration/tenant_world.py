"""A management cluster with DataStores, in which the pass over TenantControlPlanes is taken with the provider's own rights."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from lab.servers import ApiServer, Authority, Etcd
from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.cluster import connect
from provider.cluster.apply import Applier
from provider.cluster.client import Cluster
from provider.cluster.session import Tenants
from provider.hosting.datastores.etcd import dialing
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.datastores.shape import Driver
from provider.hosting.observe import tenant as observe
from provider.hosting.reconcile import datastore as store_pass
from provider.hosting.reconcile import drivers
from provider.hosting.reconcile.context import Context
from provider.hosting.reconcile.mint import RandomMint
from provider.hosting.reconcile.pacing import Starts
from provider.hosting.reconcile.storage import Storage
from provider.hosting.reconcile.tenant import TenantPass
from provider.hosting.storematerial import Access
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from provider.manifest.x509 import Pair
from provider.settings import Settings
from tests.integration import in_force

MANAGER = "tests"
VERSION = "v1.36.3"
NAMESPACE = Settings().namespace
PROVIDER = f"system:serviceaccount:{NAMESPACE}:kamaji-provider"
RIGHTS = Path(__file__).parents[2] / "config/rbac/hosting.yaml"
OWNED = (
    *(kinds.SECRET, kinds.CONFIG_MAP, kinds.SERVICE, kinds.DEPLOYMENT),
    *(kinds.POD_DISRUPTION_BUDGET, kinds.NETWORK_POLICY),
)


@dataclass(frozen=True)
class Store:
    """A real etcd with auth on, and a DataStore that speaks of it."""

    name: str
    etcd: Etcd
    authority: Authority

    @property
    def pair(self) -> Pair:
        """Root's."""
        return (self.etcd.clients or self.authority).client("root")

    def root(self) -> EtcdStore:
        return EtcdStore([self.etcd.endpoint], self.authority.certificate, self.pair)

    async def wire(self) -> Any:
        """etcd's own client as root, behind the driver's back."""
        found: Any = await dialing.client([self.etcd.endpoint], self.authority.certificate, self.pair)
        return found


@dataclass
class TenantWorld:
    """`admin` is the test's own hand; `provider` has the rights of config/rbac/hosting.yaml and no others."""

    admin: Cluster
    provider: Cluster
    later: timedelta = timedelta()  # how far the provider's clock is ahead
    dialled: list[str] = field(default_factory=list)  # users of the connections to stores, in order
    woken: list[tuple[str, str]] = field(default_factory=list)  # tenants for which a pass was called, in order

    @property
    def context(self) -> Context:
        return Context(
            cluster=self.provider,
            settings=Settings(default_datastore=""),
            clock=lambda: datetime.now(UTC) + self.later,
            mint=RandomMint(),
            dial=self._dial,
        )

    def _dial(self, access: Access) -> Driver:
        assert access.client is not None
        subject = x509.load_pem_x509_certificate(access.client.certificate).subject
        self.dialled.append(str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value))
        return drivers.opened(access)

    @asynccontextmanager
    async def started(self) -> AsyncIterator[TenantPass]:
        """The passes of a process that has just started, and remembers nothing."""
        context, tenants = self.context, Tenants()
        try:
            tenant_pass = TenantPass(
                context=context,
                tenants=tenants,
                starts=Starts(limit=1000, monotonic=time.monotonic, wake=self.woken.append),
                storage=Storage(context),
                applier=Applier(context.cluster, names.HOSTING_MANAGER),
            )
            yield tenant_pass
            await tenant_pass.stop_all()
        finally:
            await tenants.close_all()

    async def passed(self, tenant: Manifest) -> float | None:
        """One pass, as the first after a start."""
        async with self.started() as tenant_pass:
            return await tenant_pass(key(tenant))

    async def offer(self, name: str, etcd: Etcd, authority: Authority) -> Store:
        """A DataStore whose own pass finds it ready."""
        store = Store(name, etcd, authority)
        for secret, pair in ((f"{name}-ca", authority.pair), (f"{name}-root", store.pair)):
            data = meta.secret_data({"crt": pair.certificate, "key": pair.key})
            await self.admin.apply(meta.new(kinds.SECRET, secret, NAMESPACE, data=data), manager=MANAGER)
        tls = {"certificateAuthority": _content(f"{name}-ca"), "clientCertificate": _content(f"{name}-root")}
        spec = {"driver": "etcd", "endpoints": [etcd.endpoint], "tlsConfig": tls}
        await self.admin.apply(meta.new(kinds.DATA_STORE, name, spec=spec), manager=MANAGER)
        async with store.root() as opened:
            await opened.enable_auth()
        await store_pass.datastore(self.context, name)
        return store

    async def ask_for(self, name: str, namespace: str, store: Store, **spec: Any) -> Manifest:
        """A TenantControlPlane as a user writes it."""
        wanted = {
            "dataStore": store.name,
            "kubernetes": {"version": VERSION, "kubelet": {"cgroupfs": "cgroupfs"}},
            "controlPlane": {"service": {"serviceType": "ClusterIP"}, "deployment": {"replicas": 1}},
            "addons": {"coreDNS": {}, "kubeProxy": {}},
        }
        manifest = meta.new(kinds.TENANT_CONTROL_PLANE, name, namespace, spec=wanted | spec)
        return await self.admin.apply(manifest, manager=MANAGER)

    async def now(self, manifest: Manifest) -> Manifest:
        found = await self.look(kinds.of(manifest), manifest)
        assert found is not None, f"{manifest['kind']} {manifest['metadata']['name']} does not exist"
        return found

    async def look(self, kind: Kind, tenant: Manifest, name: str = "") -> Manifest | None:
        """An object beside a tenant; without a name, the one that is called like it."""
        metadata = tenant["metadata"]
        return await self.admin.get(kind, name or metadata["name"], metadata.get("namespace"))

    async def secret(self, tenant: Manifest, name: str) -> dict[str, bytes]:
        return meta.decoded(await self.look(kinds.SECRET, tenant, name))

    async def condition(self, tenant: Manifest, kind: str) -> tuple[str, str, str]:
        """(status, reason, message); three empty words while there is none."""
        status = (await self.now(tenant)).get("status") or {}
        found = find(status.get("conditions"), kind) or {}
        return found.get("status", ""), found.get("reason", ""), found.get("message", "")

    async def keyspace(self, tenant: Manifest) -> dict[str, str]:
        """What is recorded, without what only tells when and of what connection; empty before that."""
        status = (await self.now(tenant)).get("status") or {}
        setup: dict[str, str] = (status.get("storage") or {}).get("setup") or {}
        return {each: setup[each] for each in ("schema", "user") if each in setup}

    async def versions(self, tenant: Manifest) -> dict[str, str]:
        """resourceVersion of the tenant and of everything of it in the management cluster."""
        metadata = tenant["metadata"]
        labels = {names.LABEL_NAME: metadata["name"]}
        found = [await self.now(tenant)]
        for kind in OWNED:
            found += await self.admin.list(kind, metadata["namespace"], labels=labels)
        return _versions(found)

    @asynccontextmanager
    async def inside(self, tenant: Manifest, kubeconfig: str = "super-admin.svc") -> AsyncIterator[Cluster]:
        """The tenant's own API server, by one of the kubeconfigs in its Secret. The super-admin's needs no RBAC inside."""
        name, namespace = tenant["metadata"]["name"], tenant["metadata"]["namespace"]
        content = (await self.secret(tenant, names.admin_kubeconfig_secret(name)))[kubeconfig]
        server = f"https://127.0.0.1:{(await self.now(tenant))['spec']['networkProfile']['port']}"
        host = names.service_host(name, namespace)
        session = await connect.from_kubeconfig(content, server=server, tls_server_name=host)
        try:
            yield session
        finally:
            await session.close()


async def versions_inside(session: Cluster) -> dict[str, str]:
    """resourceVersion of everything that we made inside a tenant."""
    return _versions((await observe.inside(session)).objects.values())


async def allow(admin: Cluster) -> None:
    """Give the provider's service account the rights of the file, and nothing beside; they are in force."""
    for each in yaml.safe_load_all(RIGHTS.read_text()):
        await admin.apply(each, manager=MANAGER)
        name, where = each["metadata"]["name"], each["metadata"].get("namespace")
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": each["kind"], "name": name}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": PROVIDER}
        kind = kinds.ROLE_BINDING if where else kinds.CLUSTER_ROLE_BINDING
        await admin.apply(meta.new(kind, name, where, roleRef=role, subjects=[subject]), manager=MANAGER)
        await in_force.rights(admin, each, PROVIDER)


async def as_provider(server: ApiServer) -> Cluster:
    """A connection as the provider's service account."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}")
    return await connect.from_kubeconfig(server.kubeconfig(PROVIDER, *groups))


def key(tenant: Manifest) -> tuple[str, str]:
    return tenant["metadata"]["namespace"], tenant["metadata"]["name"]


def _content(secret: str) -> dict[str, Any]:
    def reference(path: str) -> dict[str, Any]:
        return {"secretReference": {"name": secret, "namespace": NAMESPACE, "keyPath": path}}

    return {"certificate": reference("crt"), "privateKey": reference("key")}


def _versions(found: Any) -> dict[str, str]:
    return {
        f"{each['kind']}/{each['metadata'].get('namespace', '')}/{each['metadata']['name']}": each["metadata"][
            "resourceVersion"
        ]
        for each in found
    }
