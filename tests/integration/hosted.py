"""Tenants whose pods are processes: the pass over a TenantControlPlane against a real management API server and a real etcd
with auth, and the tenant's own kube-apiserver run with the flags and Secrets that the pass wrote.

Nobody schedules here: `serve` does what Deployment controller and kubelet would, and says so in a Pod's status.
"""

from __future__ import annotations

import asyncio
import base64
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.servers import PATIENCE, Authority, Etcd, Process, free_port, ready
from provider.api import kinds, names
from provider.cluster import connect
from provider.cluster.apply import Applier
from provider.cluster.client import Cluster
from provider.cluster.session import Tenants
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.observe.tenant import INSIDE
from provider.hosting.reconcile import availability, drivers
from provider.hosting.reconcile import datastore as store_pass
from provider.hosting.reconcile.context import Context
from provider.hosting.reconcile.mint import RandomMint
from provider.hosting.reconcile.pacing import Starts
from provider.hosting.reconcile.storage import Storage
from provider.hosting.reconcile.tenant import TenantPass
from provider.hosting.tenantwatch import TenantWatch
from provider.hosting.view import Keyspace
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from provider.manifest.x509 import Pair
from provider.settings import Settings
from tests.integration import kine_process

VERSION = "v1.36.3"
MANAGER = "tests"
PKI = "/etc/kubernetes/pki"


@dataclass
class Store:
    """A real etcd with auth on, and the DataStore that speaks of it, looked at once."""

    etcd: Etcd
    name: str
    cluster: Cluster

    @classmethod
    async def start(
        cls, cluster: Cluster, folder: Path, name: str, authority: Authority | None = None, quota: int = 0
    ) -> Store:
        etcd = Etcd(folder, authority=authority or Authority(), quota=quota).start()
        found = cls(etcd, name, cluster)
        async with found.opened() as store:
            await store.enable_auth()
        await cluster.apply(meta.new(kinds.DATA_STORE, name, spec=found.spec()), manager=MANAGER)
        await found.look()
        return found

    @property
    def authority(self) -> Authority:
        assert self.etcd.authority is not None
        return self.etcd.authority

    @property
    def endpoints(self) -> list[str]:
        return [self.etcd.endpoint]

    @property
    def signer(self) -> Pair:
        """Signs the server's certificate and all clients'."""
        return self.authority.pair

    def opened(self) -> EtcdStore:
        """As its root."""
        return EtcdStore([self.etcd.endpoint], self.authority.certificate, self.authority.client("root"))

    def as_tenant(self, keyspace: Keyspace) -> EtcdStore:
        """With a tenant's certificate."""
        return EtcdStore([self.etcd.endpoint], self.authority.certificate, self.authority.client(keyspace.user))

    def spec(self) -> Manifest:
        root = self.authority.client("root")
        return {
            "driver": "etcd",
            "endpoints": [self.etcd.endpoint],
            "tlsConfig": {
                "certificateAuthority": {
                    "certificate": _content(self.authority.certificate),
                    "privateKey": _content(self.authority.pair.key),
                },
                "clientCertificate": {"certificate": _content(root.certificate), "privateKey": _content(root.key)},
            },
        }

    async def look(self) -> None:
        """One pass over the DataStore."""
        await store_pass.datastore(context(self.cluster), self.name)

    def stop(self) -> None:
        self.etcd.stop()


def context(cluster: Cluster, store: str = "") -> Context:
    """The production context, with the clock of the machine; `store` is the default DataStore."""
    settings = Settings(default_datastore=store)
    return Context(
        cluster=cluster, settings=settings, clock=lambda: datetime.now(UTC), mint=RandomMint(), dial=drivers.opened
    )


@dataclass
class Hosted:
    """One tenant: its object, the pass over it, and its API server once it is served."""

    cluster: Cluster
    store: Store
    namespace: str
    folder: Path
    name: str = "demo"
    port: int = field(default_factory=free_port)
    woken: list[tuple[str, str]] = field(default_factory=list)
    process: Process | None = None
    kine: subprocess.Popen[bytes] | None = None
    passes: Context | None = None  # of the passes, where it is not the usual one
    reached: dict[str, str] = field(default_factory=dict)  # addresses of the cluster, and where they are on loopback

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        world = self.passes or context(self.cluster, self.store.name)
        self.watch = TenantWatch(kinds=INSIDE, wake=self.woken.append, quiet=0.2, stands=availability.stands)
        self.tenants = Tenants(attend=self.watch.attend)
        self.run = TenantPass(
            context=world,
            tenants=self.tenants,
            starts=Starts(limit=100, monotonic=lambda: 0.0, wake=self.woken.append),
            storage=Storage(world),
            applier=Applier(self.cluster, names.HOSTING_MANAGER),
            watch=self.watch,
        )

    @property
    def key(self) -> tuple[str, str]:
        return (self.namespace, self.name)

    async def say(self, **spec: Any) -> Manifest:
        """Apply the TenantControlPlane as its user; `spec` is laid over a small one key by key."""
        base: dict[str, Any] = {
            "kubernetes": {"version": VERSION, "kubelet": {}},
            "controlPlane": {"service": {"serviceType": "ClusterIP"}, "deployment": {"replicas": 1}},
            "networkProfile": {"port": self.port},
        }
        for key, value in spec.items():
            base[key] = {**base[key], **value} if isinstance(value, dict) and key in base else value
        return await self.cluster.apply(
            meta.new(kinds.TENANT_CONTROL_PLANE, self.name, self.namespace, spec=base), manager=MANAGER
        )

    async def look(self, passes: int = 1) -> float | None:
        """So many passes; what the last one returned."""
        again = None
        for _ in range(passes):
            again = await self.run(self.key)
        return again

    async def tcp(self) -> Manifest:
        found = await self.cluster.get(kinds.TENANT_CONTROL_PLANE, self.name, self.namespace)
        assert found is not None, f"TenantControlPlane {self.namespace}/{self.name} is gone"
        return found

    async def condition(self, kind: str) -> dict[str, Any]:
        found = find(((await self.tcp()).get("status") or {}).get("conditions"), kind)
        assert found is not None, f"no condition {kind}"
        return dict(found)

    async def phase(self) -> str:
        return str((await self.tcp())["status"]["kubernetesResources"]["version"]["status"])

    async def get(self, kind: kinds.Kind, name: str | None = None) -> Manifest:
        found = await self.cluster.get(kind, name or self.name, self.namespace)
        assert found is not None, f"{kind.kind} {self.namespace}/{name or self.name} does not exist"
        return found

    async def serve(self) -> None:
        """Run kube-apiserver as the Deployment says, and tell of it as kubelet and Deployment controller would."""
        deployment = await self.get(kinds.DEPLOYMENT)
        pod = deployment["spec"]["template"]["spec"]
        await self.mount(pod, self.folder)
        container = next(each for each in pod["containers"] if each["name"] == "kube-apiserver")
        args = placed(container["args"], self.folder)
        for there, here in self.reached.items():
            args = [each.replace(there, here) for each in args]
        if beside := [each for each in pod["containers"] if each["name"] == "kine"]:
            self.kine = kine_process.of(self.folder, beside[0], await self._secrets(beside[0], pod))
            args = [each.replace(kine_process.SOCKET, kine_process.socket(self.folder)) for each in args]
        self.process = Process("kube-apiserver", self.folder)
        await asyncio.to_thread(self.process.start, [*args, "--bind-address=127.0.0.1"], self._answers)
        await self.tell(deployment)

    async def tell(self, deployment: Manifest, ready: bool = True) -> None:
        """Say of the Deployment and of one pod that they are ready, or that there is none."""
        template = deployment["spec"]["template"]
        pod = meta.new(
            kinds.POD,
            f"{self.name}-0",
            self.namespace,
            labels=template["metadata"]["labels"],
            annotations=template["metadata"].get("annotations"),
            spec={"containers": template["spec"]["containers"], "volumes": template["spec"]["volumes"]},
        )
        await self.cluster.apply(pod, manager=MANAGER)
        containers = [
            {"name": each["name"], "ready": ready, "image": each["image"], "imageID": "", "restartCount": 0}
            for each in template["spec"]["containers"]
        ]
        said = {
            "podIP": "127.0.0.1",
            "podIPs": [{"ip": "127.0.0.1"}],
            "containerStatuses": containers,
            "conditions": [{"type": "Ready", "status": str(ready)}],
        }
        await self.said(kinds.POD, f"{self.name}-0", said)
        wanted = deployment["spec"]["replicas"]
        counts = {
            each: wanted if ready else 0
            for each in ("replicas", "readyReplicas", "availableReplicas", "updatedReplicas")
        }
        await self.said(
            kinds.DEPLOYMENT, self.name, {**counts, "observedGeneration": deployment["metadata"]["generation"]}
        )

    async def until_joinable(self) -> None:
        """Passes, until a worker could join."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    await self.look()
                    if (await self.condition("Joinable"))["status"] == "True":
                        return
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(await self.tcp()) from None

    async def session(self, key: str = "admin.conf") -> Cluster:
        """A connection to the tenant by one of its kubeconfigs, dialled on loopback."""
        secret = await self.get(kinds.SECRET, names.admin_kubeconfig_secret(self.name))
        return await connect.from_kubeconfig(
            meta.decoded(secret)[key],
            server=f"https://127.0.0.1:{self.port}",
            tls_server_name=names.service_host(self.name, self.namespace),
        )

    async def stop(self) -> None:
        await self.run.stop_all()
        await self.tenants.close_all()
        for each in (self.process, self.kine):
            if isinstance(each, Process):
                each.stop()
            elif each is not None:
                kine_process.end(each, self.folder)

    def _answers(self) -> bool:
        return ready(self.port, self.folder / "pki/ca.crt")

    async def mount(self, pod: Manifest, folder: Path) -> None:
        """The files of the volumes with certificates and keys, below `folder`."""
        volumes = {each["name"]: each for each in pod["volumes"]}
        sources = [("pki", each["secret"]) for each in volumes["etc-kubernetes-pki"]["projected"]["sources"]]
        if found := volumes.get("encryption-at-rest"):
            sources.append(("encryption", {**found["secret"], "name": found["secret"]["secretName"]}))
        for place, secret in sources:
            data = meta.decoded(await self.get(kinds.SECRET, secret["name"]))
            for item in secret["items"]:
                path = folder / place / item["path"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data[item["key"]])

    async def _secrets(self, container: Manifest, pod: Manifest) -> dict[str, dict[str, bytes]]:
        """Those that a container takes its environment from, by name, and those that it has mounted, by volume."""
        references = [each["valueFrom"]["secretKeyRef"]["name"] for each in container["env"] if "valueFrom" in each]
        wanted = {each: each for each in references}
        mounted = {each["name"] for each in container["volumeMounts"]}
        for each in pod["volumes"]:
            if each["name"] in mounted and "secret" in each:
                wanted[each["name"]] = each["secret"]["secretName"]
        return {key: meta.decoded(await self.get(kinds.SECRET, name)) for key, name in wanted.items()}

    async def said(self, kind: kinds.Kind, name: str, status: Manifest) -> None:
        """What a kubelet or a controller says of an object."""
        await self.cluster.merge(kind, name, self.namespace, {"status": status}, subresource="status", manager=MANAGER)


def placed(arguments: list[str], folder: Path) -> list[str]:
    """A container's flags, with the paths of what `mount` has put below a folder."""
    found = [each.replace(PKI, str(folder / "pki")) for each in arguments]
    return [each.replace("/etc/kubernetes/encryption", str(folder / "encryption")) for each in found]


def _content(value: bytes) -> Manifest:
    return {"content": base64.b64encode(value).decode()}
