"""A tenant's API server behind its own tunnel on loopback: real kube-apiserver, proxy server and agent, with our flags.

What the builders say is run as they say it, but for paths and ports that a pod has to itself. A node is an address of this
machine at which something answers as a kubelet would.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.network import ip
from lab.servers import ApiServer, Authority, Etcd, Process, free_port, listens
from provider.api import kinds, names
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.hosting.desired.konnectivity import agent
from provider.hosting.observe.tenant import inside
from provider.hosting.reconcile.mint import RandomMint
from provider.hosting.reconcile.tunnel import Tunnels
from provider.hosting.view import ServerPod, Tunnel, View
from provider.manifest import Manifest, meta
from tests.golden.world import tenant, view, walk

MANAGER = "tests"
KEY = ("tenants", "demo")


def low_port() -> int:
    """A free port that a proxy server takes for its agents."""
    while (port := free_port()) > 49151:
        pass
    return port


def own_address() -> str | None:
    """An address of this machine that an API server proxies to: not loopback. What is sent there stays on the machine."""
    for line in ip("-4", "-o", "address", "show", "scope", "global").splitlines():
        return line.split()[3].partition("/")[0]
    return None


@dataclass
class Flagged(Process):
    """With flags of the test's own after those it is started with."""

    more: list[str] = field(default_factory=list)

    def start(self, flags: list[str], answers: Any) -> None:
        super().start([*flags, *self.more], answers)


@dataclass
class TunnelWorld:
    """The programs of one tenant."""

    folder: Path
    etcd: Etcd
    port: int = field(default_factory=low_port)
    agent_port: int = field(default_factory=low_port)
    health: dict[str, int] = field(default_factory=lambda: {"server": low_port(), "agent": low_port()})
    authority: Authority = field(default_factory=Authority)
    monotonic: float = 0.0

    def __post_init__(self) -> None:
        self.tunnels = Tunnels(monotonic=lambda: self.monotonic)
        self.built = walk(self.start_view())
        egress = self.built.one(kinds.CONFIG_MAP, names.egress_selector_config_map("demo"))
        selector = self.folder / "egress.yaml"
        selector.write_text(self._local(egress["data"]["egress-selector-configuration.yaml"]))
        self.api = ApiServer(self.folder / "api", self.etcd, prefix="/tunnel", authority=self.authority, port=self.port)
        serving = meta.decoded(self.built.one(kinds.SECRET, "demo-api-server-certificate"))
        for name, content in {**serving, "ca.crt": self.authority.certificate}.items():
            (self.folder / name).write_bytes(content)
        flags = [f"--egress-selector-config-file={selector}", f"--tls-cert-file={self.folder / 'apiserver.crt'}"]
        flags.append(f"--tls-private-key-file={self.folder / 'apiserver.key'}")
        self.api._process = Flagged("kube-apiserver", self.folder / "api", more=flags)
        self.server = Process("proxy-server", self.folder)
        self.agent = Process("proxy-agent", self.folder)

    def raw(self, *, on: bool = True) -> Manifest:
        options = [f"--kubeconfig={self.folder}/agent.conf", f"--health-server-port={self.health['agent']}"]
        options += [f"--admin-server-port={low_port()}", f"--ca-cert={self.folder}/ca.crt"]
        options += [f"--service-account-token-path={self.folder}/token", "--sync-interval=200ms"]
        block = {"server": {"port": self.agent_port}, "agent": {"extraArgs": options}}
        network = {"address": "127.0.0.1", "port": self.port}
        return tenant(networkProfile=network, addons={"konnectivity": block} if on else {})

    def start_view(self, *, on: bool = True) -> View:
        pair = self.authority.pair
        secret = meta.new(
            kinds.SECRET,
            "demo-ca",
            "tenants",
            data=meta.secret_data({"ca.crt": pair.certificate, "ca.key": pair.key}),
        )
        return view(self.raw(on=on), secret, now=datetime.now(UTC), mint=RandomMint())

    def start_server(self) -> None:
        for name, content in meta.decoded(self.built.one(kinds.SECRET, "demo-konnectivity-kubeconfig")).items():
            (self.folder / name).write_bytes(content)
        args = [self._local(each) for each in self.built.args("konnectivity-server")]
        self.server.start(args, lambda: listens(self.agent_port) and listens(self.health["server"]))

    async def start_agent(self, session: Cluster) -> None:
        """With a token as the kubelet would ask for it."""
        volume = self._pod()["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]
        request = {"audiences": [volume["audience"]], "expirationSeconds": volume["expirationSeconds"]}
        for name, spec in (("token", request), ("own-token", {})):
            (self.folder / name).write_text(await asyncio.to_thread(self._token, spec))
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "t", "cluster": {"server": self.api.url, "certificate-authority": f"{self.folder}/ca.crt"}}
            ],
            "users": [{"name": "t", "user": {"tokenFile": f"{self.folder}/own-token"}}],
            "contexts": [{"name": "t", "context": {"cluster": "t", "user": "t"}}],
            "current-context": "t",
        }
        (self.folder / "agent.conf").write_text(json.dumps(config))
        args = self._pod()["containers"][0]["args"]
        self.agent.start(args, lambda: listens(self.health["agent"]))

    def _token(self, spec: dict[str, Any]) -> str:
        document = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        file = self.folder / "request.json"
        file.write_text(json.dumps(document))
        path = f"/api/v1/namespaces/kube-system/serviceaccounts/{agent.NAME}/token"
        done = self.api.kubectl("create", "--raw", path, "-f", str(file))
        token: str = json.loads(done.stdout)["status"]["token"]
        return token

    def _pod(self) -> Manifest:
        daemons = self.built.one(kinds.DAEMON_SET, agent.NAME)
        found: Manifest = daemons["spec"]["template"]["spec"]
        return found

    def _local(self, text: str) -> str:
        """A path or port of the pod's as it is here."""
        places = {
            "/run/konnectivity": str(self.folder),
            "/etc/kubernetes/pki": str(self.folder),
            "/etc/kubernetes/konnectivity-server.conf": f"{self.folder}/konnectivity-server.conf",
            "--health-port=8134": f"--health-port={self.health['server']}",
            "--admin-port=8133": f"--admin-port={low_port()}",
        }
        for there, here in places.items():
            text = text.replace(there, here)
        return text

    def stop(self) -> None:
        for each in (self.agent, self.server, self.api):
            each.stop()

    async def look(self, session: Cluster, *, on: bool = True) -> tuple[Tunnel | None, float | None]:
        """As the tenant pass looks."""
        seen = replace(self.start_view(on=on), tenant=await inside(session))
        status = {"podIP": "127.0.0.1", "containerStatuses": [{"name": "kube-apiserver", "ready": True}]}
        pod = meta.new(kinds.POD, "demo-1", "tenants", status=status)

        @asynccontextmanager
        async def dial(pod: ServerPod) -> AsyncIterator[Cluster]:
            yield session

        return await self.tunnels.look(KEY, seen.folded(pod), session, dial)

    async def connected(self, session: Cluster, count: int, *, of: int = 1) -> None:
        """Say of the agents' DaemonSet what its controller would."""
        numbers = {"numberReady": count, "desiredNumberScheduled": of, "currentNumberScheduled": of}
        status = {**numbers, "numberMisscheduled": 0, "observedGeneration": 1}
        await session.merge(
            kinds.DAEMON_SET, agent.NAME, agent.NAMESPACE, {"status": status}, subresource="status", manager=MANAGER
        )


@dataclass
class Kubelet:
    """Answers as a kubelet does when it is asked for its health; tells how often it was."""

    address: str
    authority: Authority
    folder: Path
    asked: int = 0
    server: asyncio.Server | None = None

    async def start(self) -> int:
        pair = self.authority.server(addresses=frozenset({self.address}))
        (self.folder / "kubelet.pem").write_bytes(pair.certificate + pair.key)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.folder / "kubelet.pem")
        self.server = await asyncio.start_server(self._answer, self.address, 0, ssl=tls)
        return int(self.server.sockets[0].getsockname()[1])

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        # Goes on for ever: a node may be anybody.
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        try:
            while not writer.is_closing():
                writer.write(b"x" * 65536)
                await writer.drain()
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    def stop(self) -> None:
        if self.server:
            self.server.close()


def node(address: str, port: int) -> Manifest:
    """A node that is Ready, with its kubelet there."""
    return meta.new(
        kinds.NODE,
        "worker",
        status={
            "addresses": [{"type": "InternalIP", "address": address}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    )


async def opened(world: TunnelWorld) -> Cluster:
    """An administrator's connection to the tenant."""
    return await connect.from_kubeconfig(world.api.kubeconfig())
