"""A tenant whose kube-apiserver and kube-controller-manager are real, a node without a kubelet, and clients that never stop.

Both programs are started from the Deployment, with what the Secrets hold at that time, as a kubelet would mount it.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from cryptography import x509 as parsing
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab.servers import Process, free_port, listens
from provider.api import kinds, names
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.manifest import Manifest, kubeconfig, meta, privatekey, yamltext
from provider.manifest.kubeconfig import Kubeconfig
from provider.manifest.x509 import Pair
from tests.integration.real_controllers import until
from tests.integration.tenant_pod import MANAGER, TenantPod
from tests.integration.tenant_world import Store, TenantWorld

MANAGERS = "kube-controller-manager"
SIGNER = "kubernetes.io/kube-apiserver-client-kubelet"
PAUSE = 0.1  # seconds between two questions of a client
RESTARTING = (aiohttp.ClientConnectionError, ConnectionError, TimeoutError)
"""What a client sees of a process that is away or ends; not of one that it does not trust, or that does not believe it."""


class FullPod(TenantPod):
    """A pod of which also kube-controller-manager runs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._managers = Process(MANAGERS, self.folder)

    async def run(self) -> None:
        await super().run()
        deployment = await self._deployment()
        container = next(
            each for each in deployment["spec"]["template"]["spec"]["containers"] if each["name"] == MANAGERS
        )
        port = free_port()
        flags = [each async for each in self._mounted(deployment, container)]
        more = ["--bind-address=127.0.0.1", f"--secure-port={port}", f"--cert-dir={self.folder / 'own'}"]
        kept = [each for each in flags if not each.startswith("--bind-address=")]
        self._managers.start([*kept, *more], lambda: listens(port))

    def stop(self) -> None:
        self._managers.stop()
        super().stop()


@dataclass
class Client:
    """Asks ten times a second with what it once was given."""

    name: str
    good: int = 0
    refused: list[str] = field(default_factory=list)  # by TLS on either side, or by the API server

    async def ask(self, url: str, context: ssl.SSLContext, headers: dict[str, str]) -> None:
        """For ever, each time over a connection of its own."""
        connector = aiohttp.TCPConnector(force_close=True, ssl=context)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(10)) as session:
            while True:
                try:
                    # Only who is known by name may see it.
                    async with session.get(f"{url}/api", headers=headers) as answer:
                        await answer.read()
                        if answer.status == 200:
                            self.good += 1
                        elif answer.status in (401, 403):
                            self.refused.append(f"{self.name}: {answer.status}")
                except (aiohttp.ClientSSLError, ssl.SSLError) as error:
                    self.refused.append(f"{self.name}: {error!r}")
                except RESTARTING:
                    pass
                await asyncio.sleep(PAUSE)


@dataclass
class Home:
    """A tenant with its processes."""

    world: TenantWorld
    tenant: Manifest
    pod: FullPod

    @classmethod
    async def built(cls, world: TenantWorld, store: Store, namespace: str, folder: Path) -> Home:
        """A tenant that is Ready."""
        tenant = await world.ask_for("turning", namespace, store, networkProfile={"port": free_port()})
        home = cls(world, tenant, FullPod(world.admin, namespace, "turning", folder))
        await home.passed()
        await home.rolled()
        await home.passed()
        assert (await world.condition(tenant, "Ready"))[0] == "True"
        return home

    @property
    def name(self) -> str:
        return str(self.tenant["metadata"]["name"])

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.tenant['spec']['networkProfile']['port']}"

    async def passed(self) -> None:
        await self.world.passed(self.tenant)

    async def rolled(self) -> None:
        """The pod is made anew from the Deployment as it is."""
        self.pod.stop()
        namespace = self.tenant["metadata"]["namespace"]
        await self.world.admin.delete(kinds.POD, f"{self.name}-1", namespace)

        async def gone() -> bool:
            return await self.world.look(kinds.POD, self.tenant, f"{self.name}-1") is None

        await until(gone, "the pod's object is gone")
        await self.pod.schedule()
        await self.pod.start()

    async def stepped(self) -> None:
        """A pass, and the rollout it calls for."""
        await self.passed()
        await self.rolled()

    async def annotate(self, **annotations: str) -> None:
        """Of the TenantControlPlane, by names of `provider.api.names`."""
        said = {getattr(names, f"ANNOTATION_{each.upper()}"): value for each, value in annotations.items()}
        patch = {"metadata": {"annotations": said}}
        namespace = self.tenant["metadata"]["namespace"]
        await self.world.admin.merge(kinds.TENANT_CONTROL_PLANE, self.name, namespace, patch, manager=MANAGER)

    async def told(self) -> tuple[str, str]:
        """Reason and message of the rotation's condition; empty words while there is none."""
        _, reason, message = await self.world.condition(self.tenant, "RotationComplete")
        return reason, message

    async def secret(self, of: Any) -> dict[str, bytes]:
        return await self.world.secret(self.tenant, of(self.name))

    async def admin(self) -> Kubeconfig:
        """What the administrator's Secret holds now."""
        return kubeconfig.parse((await self.secret(names.admin_kubeconfig_secret))["admin.svc"])

    @asynccontextmanager
    async def session(self, found: Kubeconfig) -> AsyncIterator[Cluster]:
        host = names.service_host(self.name, self.tenant["metadata"]["namespace"])
        opened = await connect.from_kubeconfig(found.render(), server=self.url, tls_server_name=host)
        try:
            yield opened
        finally:
            await opened.close()

    @asynccontextmanager
    async def inside(self) -> AsyncIterator[Cluster]:
        async with self.world.inside(self.tenant) as opened:
            yield opened

    async def joined(self, node: str) -> Kubeconfig:
        """A node as `kubeadm join` leaves it: it trusts what cluster-info says, its certificate is the tenant's own work."""
        async with self.inside() as session:
            found = await session.get(kinds.CONFIG_MAP, "cluster-info", "kube-public")
            assert found is not None
            said = yamltext.read(found["data"]["kubeconfig"].encode())
            trust = base64.b64decode(said["clusters"][0]["cluster"]["certificate-authority-data"])
            await session.apply(meta.new(kinds.NODE, node), manager=MANAGER)
            return Kubeconfig(
                cluster="x", server=self.url, ca=trust, user=node, client=await self._given(session, node)
            )

    async def renewed(self, node: str, before: Kubeconfig) -> Kubeconfig:
        """As a kubelet renews: it asks with the certificate that it has, nobody approves but the tenant itself."""
        async with self.session(before) as session:
            client = await self._given(session, node, approve=False)
        return Kubeconfig(cluster="x", server=self.url, ca=before.ca, user=node, client=client)

    async def _given(self, session: Cluster, node: str, *, approve: bool = True) -> Pair:
        name, key_ = f"csr-{node}-{free_port()}", ec.generate_private_key(ec.SECP256R1())
        spec = {"signerName": SIGNER, "usages": ["digital signature", "client auth"], "request": _request(node, key_)}
        await session.create(meta.new(kinds.SIGNING_REQUEST, name, spec=spec))
        if approve:
            said = {"type": "Approved", "status": "True", "reason": "Test", "message": "a test says so"}
            patch = {"status": {"conditions": [said]}}
            await session.merge(kinds.SIGNING_REQUEST, name, None, patch, subresource="approval", manager=MANAGER)

        async def given() -> str:
            found = await session.get(kinds.SIGNING_REQUEST, name) or {}
            return str((found.get("status") or {}).get("certificate") or "")

        certificate = base64.b64decode(await until(given, "kube-controller-manager signs"))
        return Pair(certificate=certificate, key=privatekey.private_key_pem(key_))

    async def token(self) -> str:
        """Of a service account, for an hour, as soon as there is one."""
        context = _trusting(await self.admin(), shown=True)
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        url = f"{self.url}/api/v1/namespaces/default/serviceaccounts/default/token"

        async def given() -> str:
            async with aiohttp.ClientSession() as session, session.post(url, json=asked, ssl=context) as answer:
                return str((await answer.json())["status"]["token"]) if answer.status == 201 else ""

        return str(await until(given, "the tenant makes a token"))

    @asynccontextmanager
    async def asked_by(self, *clients: tuple[str, Kubeconfig, str]) -> AsyncIterator[list[Client]]:
        """(name, kubeconfig, token): ask at once and until the block ends. With a token the certificate is not shown."""
        found = [Client(name) for name, *_ in clients]
        async with AsyncExitStack() as stack:
            group = await stack.enter_async_context(asyncio.TaskGroup())
            tasks = []
            for client, (_, said, token) in zip(found, clients, strict=True):
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                context = _trusting(said, shown=not token)
                tasks.append(group.create_task(client.ask(self.url, context, headers)))
            try:
                yield found
            finally:
                for each in tasks:
                    each.cancel()


def faultless(clients: list[Client]) -> None:
    """Each was answered, and none was ever refused."""
    assert [refused for each in clients for refused in each.refused] == []
    assert all(each.good > 0 for each in clients), [(each.name, each.good) for each in clients]


def issuer(certificate: bytes, authority: bytes) -> bool:
    """Whether the authority signed it."""
    try:
        parsing.load_pem_x509_certificate(certificate).verify_directly_issued_by(
            parsing.load_pem_x509_certificate(authority)
        )
    except Exception:
        return False
    return True


def _request(node: str, key_: ec.EllipticCurvePrivateKey) -> str:
    name = [
        parsing.NameAttribute(NameOID.ORGANIZATION_NAME, "system:nodes"),
        parsing.NameAttribute(NameOID.COMMON_NAME, f"system:node:{node}"),
    ]
    made = parsing.CertificateSigningRequestBuilder().subject_name(parsing.Name(name)).sign(key_, hashes.SHA256())
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


def _trusting(found: Kubeconfig, *, shown: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=found.ca.decode())
    if shown:
        with tempfile.TemporaryDirectory() as folder:
            pair = Path(folder) / "client.pem"
            pair.write_bytes(found.client.certificate + found.client.key)
            context.load_cert_chain(pair)
    return context
