"""Real etcd, kube-apiserver and kube-controller-manager on loopback, ended by their own ids.

Where no pods are needed they are enough: for the integration ring of the tests, and for `lab.bench.scale`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

from lab import programs
from provider.hosting.reconcile.mint import RandomMint
from provider.manifest import privatekey, x509
from provider.manifest.kubeconfig import Kubeconfig
from provider.manifest.x509 import Pair, Request

MINT = RandomMint()
LOOPBACK = frozenset({"127.0.0.1", "::1"})
PATIENCE = 180.0  # seconds; a bound against hanging for ever
PORTS = range(10_000, 30_000)  # below NodePorts, and below those from which the kernel lets connections go out


def free_ports(count: int) -> tuple[int, ...]:
    """Ports of loopback that nobody listens on now, each another, and none that whoever calls out is given meanwhile."""
    found = set[int]()
    while len(found) < count:
        port = secrets.choice(PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.add(port)
    return tuple(found)


def free_port() -> int:
    """One such port."""
    return free_ports(1)[0]


@dataclass
class Authority:
    """A CA and what it signs."""

    pair: Pair = field(default_factory=lambda: x509.authority("tests", MINT, datetime.now(UTC)))

    @property
    def certificate(self) -> bytes:
        """PEM."""
        return self.pair.certificate

    def client(self, name: str, *organizations: str) -> Pair:
        """For a user in these groups."""
        return self._issue(Request(common_name=name, organizations=organizations, client=True))

    def server(self, *names: str, addresses: frozenset[str] = LOOPBACK) -> Pair:
        """For a server of these names and addresses."""
        request = Request(
            common_name="server", names=frozenset(names), addresses=addresses, server=True, client=True
        )  # etcd's gateway calls itself as a client
        return self._issue(request)

    def _issue(self, request: Request) -> Pair:
        return x509.issue(request, self.pair, MINT, datetime.now(UTC))


@dataclass
class Process:
    """A program with its log beside it."""

    program: str
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)  # beside ours

    @property
    def log(self) -> Path:
        """What it has said."""
        return self.folder / f"{self.program}.log"

    def start(self, flags: list[str], answers: Callable[[], bool]) -> None:
        """Run it, and return when it answers."""
        with self.log.open("ab") as log:
            command: list[str | Path] = [programs.path(self.program), *flags]
            self.process = subprocess.Popen(command, env=os.environ | self.environment, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE
        while not answers():
            assert self.process.poll() is None, f"{self.program} ended: {self._last_words()}"
            assert time.monotonic() < deadline, f"{self.program} does not answer: {self._last_words()}"
            time.sleep(0.05)

    def stop(self) -> None:
        """As a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


def listens(port: int, address: str = "127.0.0.1") -> bool:
    """Whether something accepts connections there."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


def ready(port: int, authority: Path) -> bool:
    """Whether the API server there, of this authority, says that it is ready: its own roles included."""
    context = ssl.create_default_context(cafile=str(authority))
    with (
        contextlib.suppress(OSError),
        urlopen(f"https://127.0.0.1:{port}/readyz", timeout=5, context=context) as answer,
    ):
        return bool(answer.status == 200)
    return False


@dataclass
class Etcd:
    """One member. With an authority: TLS, and every client has to show a certificate of it."""

    folder: Path
    authority: Authority | None = None
    clients: Authority | None = None  # whom it trusts for clients, where that is another
    quota: int = 0  # bytes
    port: int = field(default_factory=free_port)
    peer_port: int = field(default_factory=free_port)
    names: tuple[str, ...] = ()  # DNS names in the server's certificate
    addresses: frozenset[str] = LOOPBACK
    address: str = "127.0.0.1"  # where clients find it
    name: str = "default"
    peers: tuple[str, ...] = ()  # `peer` of the others of a cluster
    program: str = "etcd"  # another one is another version

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process, self.told = Process(self.program, self.folder), ""  # whom to ask for /metrics and /readyz

    @property
    def endpoint(self) -> str:
        """host:port."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    @property
    def url(self) -> str:
        """As API servers are told of it."""
        return f"{'https' if self.authority else 'http'}://{self.endpoint}"

    @property
    def peer(self) -> str:
        """As the members of its cluster are told of it."""
        return f"{self.name}=http://127.0.0.1:{self.peer_port}"

    def start(self) -> Etcd:
        """Run it until it serves; itself. It listens before there is a leader: one of several is not waited for."""
        self.told = f"127.0.0.1:{free_port()}"
        flags = [
            *(f"--data-dir={self.folder / 'data'}", "--unsafe-no-fsync", "--log-level=warn"),
            f"--listen-metrics-urls=http://{self.told}",
            *(f"--listen-client-urls={self.url}", f"--advertise-client-urls={self.url}"),
            f"--listen-peer-urls=http://127.0.0.1:{self.peer_port}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{self.peer_port}",
            *(f"--name={self.name}", f"--initial-cluster={','.join(sorted({self.peer, *self.peers}))}"),
        ]
        if self.quota:
            flags.append(f"--quota-backend-bytes={self.quota}")
        if self.authority is not None:
            flags += self._tls(self.authority)
        self._process.start(flags, lambda: self.serves() or (bool(self.peers) and listens(self.port, self.address)))
        return self

    def serves(self) -> bool:
        """Whether it says that it is ready, its cluster's leader included."""
        with contextlib.suppress(OSError), urlopen(f"http://{self.told}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
        return False

    def stop(self) -> None:
        """As a power cut would."""
        self._process.stop()

    def _tls(self, authority: Authority) -> list[str]:
        server = authority.server(*self.names, addresses=self.addresses)
        for name, content in (
            ("ca.crt", (self.clients or authority).certificate),
            ("server.crt", server.certificate),
            ("server.key", server.key),
        ):
            (self.folder / name).write_bytes(content)
        return [
            *("--client-cert-auth", f"--trusted-ca-file={self.folder / 'ca.crt'}"),
            *(f"--cert-file={self.folder / 'server.crt'}", f"--key-file={self.folder / 'server.key'}"),
        ]


@dataclass
class ApiServer:
    """A kube-apiserver under `prefix` of a plain etcd. RBAC is in force; nobody makes service accounts."""

    folder: Path
    etcd: Etcd
    prefix: str = "/registry"
    authority: Authority = field(default_factory=Authority)
    port: int = field(default_factory=free_port)
    installed: bool = False  # whether our CRDs are served
    services: str = "10.0.0.0/16"
    extra: tuple[str, ...] = ()  # more flags

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process = Process("kube-apiserver", self.folder)

    @property
    def url(self) -> str:
        """https://host:port."""
        return f"https://127.0.0.1:{self.port}"

    def kubeconfig(self, user: str = "admin", *groups: str, authority: Authority | None = None) -> bytes:
        """Of a user; without a name, of an administrator. `authority`: who signs instead of the right one."""
        client = (authority or self.authority).client(user, *(groups or ("system:masters",)))
        ca = self.authority.certificate
        return Kubeconfig(cluster="tests", server=self.url, ca=ca, user=user, client=client).render()

    def start(self) -> ApiServer:
        """Run it until it is ready; itself."""
        server, signer = self.authority.server("kubernetes"), RSA_KEY
        for name, content in (
            ("ca.crt", self.authority.certificate),
            ("server.crt", server.certificate),
            ("server.key", server.key),
            ("sa.key", signer),
        ):
            (self.folder / name).write_bytes(content)
        (self.folder / "kubeconfig").write_bytes(self.kubeconfig())
        flags = [
            *(f"--etcd-servers={self.etcd.url}", f"--etcd-prefix={self.prefix}", "--bind-address=127.0.0.1"),
            *(f"--secure-port={self.port}", "--advertise-address=127.0.0.1", "--authorization-mode=RBAC"),
            *(f"--client-ca-file={self.folder / 'ca.crt'}", f"--tls-cert-file={self.folder / 'server.crt'}"),
            *(f"--tls-private-key-file={self.folder / 'server.key'}", f"--service-cluster-ip-range={self.services}"),
            *(f"--service-account-key-file={self.folder / 'sa.key'}", "--service-account-issuer=https://tests"),
            f"--service-account-signing-key-file={self.folder / 'sa.key'}",
            *("--disable-admission-plugins=ServiceAccount", f"--enable-admission-plugins={OWNERS_ENFORCED}"),
            "--allow-privileged=true",
            *self.extra,
        ]
        self._process.start(flags, self._ready)
        return self

    def stop(self) -> None:
        """As a power cut would."""
        self._process.stop()

    def _ready(self) -> bool:
        return ready(self.port, self.folder / "ca.crt")

    def kubectl(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        """Run kubectl as the administrator."""
        command: list[str | Path] = [programs.path("kubectl"), "--kubeconfig", self.folder / "kubeconfig", *arguments]
        return subprocess.run(command, capture_output=True, check=check)


@dataclass
class ControllerManager:
    """Acts on one API server as its administrator, with these controllers alone."""

    server: ApiServer
    controllers: str

    def __post_init__(self) -> None:
        self._process = Process("kube-controller-manager", self.server.folder)

    def start(self) -> ControllerManager:
        """Run it; itself."""
        port = free_port()
        flags = [
            *(f"--kubeconfig={self.server.folder / 'kubeconfig'}", f"--controllers={self.controllers}"),
            *("--bind-address=127.0.0.1", f"--secure-port={port}", "--leader-elect=false"),
            f"--cert-dir={self.server.folder / 'controllers'}",
        ]
        self._process.start(flags, lambda: listens(port))
        return self

    def stop(self) -> None:
        """As a power cut would."""
        self._process.stop()


# As strict as clusters come: who says an owner that blocks deletion has to be allowed to.
OWNERS_ENFORCED = "OwnerReferencesPermissionEnforcement"
RSA_KEY = privatekey.private_key_pem(MINT.key("RSA-2048"))
