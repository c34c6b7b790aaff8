"""What many tenants need around them, on loopback: a management API server and its etcd, a store of theirs, and the planes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import crds
from lab.bench.scale import kubelet, planes
from lab.bench.scale.gauge import Audit
from lab.bench.scale.provider import Provider
from lab.servers import ApiServer, Authority, Etcd
from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.cluster.connect import from_file
from provider.hosting.datastores.etcd import dialing
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.manifest import Manifest, meta
from provider.manifest.x509 import Pair

MANAGER, USER, INSIDE = "bench", "scale-provider", "kubernetes-super-admin"
VERSION = "v1.36.3"
STORE = "default"
SETTINGS = {
    "default_pool": "",
    "default_datastore": STORE,
    "starts_per_core": "1000",
    "leader_elect": "false",  # alone it needs no Lease, which on a machine without breath it might not keep in time
}
SERVICES = "10.64.0.0/16"
AT_ONCE = 16
PATIENCE = 900.0
Play = Callable[[Cluster], Coroutine[Any, Any, None]]


@dataclass
class Store:
    """The etcd of all tenants, and how one gets in as its root."""

    etcd: Etcd
    ca: bytes
    root: Pair

    async def revision(self) -> int:
        """It grows with every write."""
        wire: Any = await dialing.client([self.etcd.endpoint], self.ca, self.root)
        async with wire:
            return int((await wire.maintenance.status()).header.revision)


@dataclass
class World:
    """Running. `provider` is not started; it acts as a user of its own, so that its writes can be told from ours."""

    management: Cluster
    server: ApiServer
    plane: ApiServer
    store: Store
    provider: Provider
    here: Audit
    inside: Audit
    playing: asyncio.Task[None]

    async def tenants(self, numbers: Iterable[int]) -> None:
        """Ask for these, all at once."""
        turns = asyncio.Semaphore(AT_ONCE)
        wanted = list(numbers)
        async with asyncio.TaskGroup() as tasks:
            for each in wanted:
                tasks.create_task(self._prepare(planes.namespace(each), turns))
        async with asyncio.TaskGroup() as tasks:
            for each in wanted:
                tasks.create_task(self._ask(planes.namespace(each), turns))

    async def _prepare(self, namespace: str, turns: asyncio.Semaphore) -> None:
        """What a user brings: the authority, so that the planes' server is trusted."""
        pair = self.plane.authority.pair
        data = meta.secret_data({"ca.crt": pair.certificate, "ca.key": pair.key})
        async with turns:
            await self.management.apply(meta.new(kinds.NAMESPACE, namespace), manager=MANAGER)
            secret = meta.new(kinds.SECRET, names.ca_secret(planes.TENANT), namespace, data=data)
            await self.management.apply(secret, manager=MANAGER)

    async def _ask(self, namespace: str, turns: asyncio.Semaphore) -> None:
        async with turns:
            await self.ask(namespace, {"address": kubelet.ADDRESS, "port": self.plane.port})

    async def ask(self, namespace: str, network: dict[str, Any]) -> None:
        """For one tenant, with this `networkProfile`."""
        spec = {
            "dataStore": STORE,
            "kubernetes": {"version": VERSION, "kubelet": {"cgroupfs": "cgroupfs"}},
            "controlPlane": {"service": {"serviceType": "ClusterIP"}, "deployment": {"replicas": 1}},
            "networkProfile": network,
            "addons": {"coreDNS": {}, "kubeProxy": {}},
        }
        tenant = meta.new(kinds.TENANT_CONTROL_PLANE, planes.TENANT, namespace, spec=spec)
        await self.management.apply(tenant, manager=MANAGER)

    async def ready(self) -> int:
        """How many tenants say that they are. AssertionError when the provider has ended; what ended those who play pods."""
        assert self.provider.pid
        if self.playing.done():
            self.playing.result()
        return sum(map(_ready, await self.management.list(kinds.TENANT_CONTROL_PLANE)))

    async def sampled(self) -> int:
        """Of how many tenants it was told what they take up in their store: once, within ten minutes of their birth."""
        found = await self.management.list(kinds.TENANT_CONTROL_PLANE)
        return sum("usage" in ((each.get("status") or {}).get("storage") or {}) for each in found)

    async def standing(self, count: int) -> None:
        """So many tenants of which all is told. A provider that starts samples all stores at once: that is waited for."""
        self.provider.stop()
        self.provider.start()
        async with asyncio.timeout(PATIENCE):
            while await self.sampled() < count:
                await asyncio.sleep(1)
        await self.provider.at_rest(count)

    def writes(self) -> dict[str, int]:
        """What the provider has asked API servers to write since their start, by resource."""
        return dict(self.here.writes(USER) + self.inside.writes(INSIDE))


@asynccontextmanager
async def started(folder: Path, count: int, play: Play = kubelet.play) -> AsyncIterator[World]:
    """A world for so many tenants; ended on leaving. `play` runs their pods."""
    async with AsyncExitStack() as stack:
        etcd = Etcd(folder / "etcd").start()
        stack.callback(etcd.stop)
        here, inside = Audit(folder / "management"), Audit(folder / "planes")
        server = ApiServer(folder / "management", etcd, services=SERVICES, extra=here.flags()).start()
        stack.callback(server.stop)
        plane = planes.started(folder / "planes", etcd, count, inside.flags())
        stack.callback(plane.stop)
        management = await from_file(folder / "management" / "kubeconfig")
        stack.push_async_callback(management.close)
        await crds.install(management, MANAGER)
        store = await _store(management, folder / "store")
        stack.callback(store.etcd.stop)
        access = folder / "provider.conf"
        access.write_bytes(server.kubeconfig(USER, "system:masters"))
        provider = Provider(folder, access, SETTINGS)
        stack.callback(provider.stop)
        playing = asyncio.create_task(play(management))
        stack.callback(playing.cancel)
        yield World(management, server, plane, store, provider, here, inside, playing)


async def _store(management: Cluster, folder: Path) -> Store:
    """A real etcd that lets in whom it knows, and a DataStore that speaks of it."""
    authority = Authority()
    etcd = Etcd(folder, authority=authority).start()
    root = authority.client("root")
    async with EtcdStore([etcd.endpoint], authority.certificate, root) as opened:
        await opened.enable_auth()
    spec = {
        "driver": "etcd",
        "endpoints": [etcd.endpoint],
        "tlsConfig": {
            "certificateAuthority": _said(authority.certificate, authority.pair.key),
            "clientCertificate": _said(root.certificate, root.key),
        },
    }
    await management.apply(meta.new(kinds.DATA_STORE, STORE, spec=spec), manager=MANAGER)
    return Store(etcd, authority.certificate, root)


def _said(certificate: bytes, key: bytes) -> dict[str, Any]:
    content = meta.secret_data({"certificate": certificate, "privateKey": key})
    return {name: {"content": value} for name, value in content.items()}


def _ready(tenant: Manifest) -> bool:
    status = tenant.get("status") or {}
    version = (status.get("kubernetesResources") or {}).get("version") or {}
    return bool(version.get("status") == "Ready")
